//! What workers say.

use super::core::Primary;
use super::handover;
use super::member::InFlight;
use super::types::{Host, LostBefore, Millis, Notice, Role, Violation, WorkerId};
use crate::channel::{
    ClusterMessage, DEFAULT_MAX_LINE, Frame, Incoming, Inner, ParseError, outgoing, parse,
};

/// Node tries three times more.
const MAX_SOCKET_TRIES: u8 = 4;
/// By this message an app says that it is ready, as JSON.
const READY: &str = "\"ready\"";

impl<C> Primary<C> {
    /// Takes one frame that a worker's channel delivered. A descriptor in it is dropped unless it is
    /// a connection that its agent hands over: the app's own messages go nowhere that could use one.
    pub fn receive(
        &mut self,
        worker: WorkerId,
        frame: Frame<'_, C>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let broken_off = self.is_broken_off(worker);
        match frame {
            Frame::Line { bytes, handle } => match parse(bytes) {
                Ok(incoming) => self.incoming(worker, incoming, handle, now, host),
                Err(ParseError::NotJson) if broken_off => {}
                Err(ParseError::NotJson) => self.violation(worker, Violation::NotJson, host),
                Err(ParseError::BadCluster) => self.violation(worker, Violation::BadCluster, host),
            },
            Frame::TooLong {
                length,
                is_handle,
                handle,
            } => {
                // A shorter one was only too long for this host.
                if length > DEFAULT_MAX_LINE as u64 {
                    self.violation(worker, Violation::TooLong(length), host);
                }
                if is_handle {
                    answer_handle(worker, handle.is_some(), host);
                }
            }
        }
    }

    fn incoming(
        &mut self,
        worker: WorkerId,
        incoming: Incoming<'_>,
        handle: Option<C>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        match incoming {
            Incoming::HandleArrived => self.handle_arrived(worker, host),
            Incoming::HandleLost => self.handle_lost(worker, now, host),
            Incoming::Handle { inner } => {
                let Some(handle) = handle else {
                    return self.descriptor_lost(worker, inner, host);
                };
                answer_handle(worker, true, host);
                match inner {
                    Some(Inner::User(json)) => self.user(worker, json, host),
                    Some(Inner::Internal(json)) => {
                        self.with_descriptor(worker, json, handle, now, host);
                    }
                    None => {}
                }
            }
            Incoming::Internal(json) => self.agent_says(worker, json, now, host),
            Incoming::User(json) => self.user(worker, json, host),
            Incoming::Cluster { seq, message } => self.cluster(worker, seq, message, now, host),
        }
    }

    /// A message whose descriptor could not be received: this process may not open more files, or there was none.
    ///
    /// Node sends it again, three times at once, and then gives up without telling anybody. Its agent is told
    /// instead: it has the connection still, waits before it offers it again, and in the end keeps it.
    fn descriptor_lost(
        &mut self,
        worker: WorkerId,
        inner: Option<Inner<'_>>,
        host: &mut impl Host<Connection = C>,
    ) {
        let offered = match inner {
            Some(Inner::Internal(json)) => handover::offered(json),
            Some(Inner::User(_)) | None => None,
        };
        answer_handle(worker, offered.is_some(), host);
        if let Some(id) = offered {
            handover::refuse(worker, id, host);
        }
    }

    fn cluster(
        &mut self,
        worker: WorkerId,
        seq: Option<u64>,
        message: ClusterMessage<'_>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        match self.members.get(&worker).map(|member| member.role) {
            None => return,
            Some(Role::Plain) => return self.violation(worker, Violation::NotCluster, host),
            Some(Role::Cluster(_)) => {}
        }
        match message {
            ClusterMessage::Answer { ack, accepted } => {
                if !self.answered(worker, ack, accepted, now, host)
                    && !self.answered_saved(worker, ack, accepted, now, host)
                    && !self.answered_before(worker, ack, accepted, host)
                {
                    self.violation(worker, Violation::ForgedAnswer, host);
                }
            }
            ClusterMessage::Online => host.notice(worker, Notice::Online),
            ClusterMessage::QueryServer(query) => match seq {
                Some(seq) => self.query(worker, &query, seq, now, host),
                None => self.violation(worker, Violation::BadCluster, host),
            },
            ClusterMessage::Listening(query) => self.listening(worker, &query, host),
            ClusterMessage::Close { key } => self.closed(worker, &key, now, host),
            ClusterMessage::ExitedAfterDisconnect => self.leaves(worker, seq, now, host),
        }
    }

    /// A message of the app's own.
    fn user(&mut self, worker: WorkerId, json: &str, host: &mut impl Host<Connection = C>) {
        if json == READY
            && let Some(member) = self.members.get_mut(&worker)
        {
            self.structure += u64::from(!member.ready);
            member.ready = true;
        }
        host.notice(worker, Notice::User(json));
    }

    fn handle_arrived(&mut self, worker: WorkerId, host: &mut impl Host<Connection = C>) {
        if self.is_confirmed_before(worker) {
            return;
        }
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        if member.in_flight.pop_front().is_none() {
            self.violation(worker, Violation::ForgedHandleAck, host);
        }
    }

    /// A descriptor did not arrive, usually because the worker has no free one. Node would send it
    /// to the same worker again; a connection is better off with another one.
    fn handle_lost(&mut self, worker: WorkerId, now: Millis, host: &mut impl Host<Connection = C>) {
        if self.is_confirmed_before(worker) {
            return host.notice(worker, Notice::LostBefore(LostBefore::NotReceived));
        }
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        match member.in_flight.pop_front() {
            None => self.violation(worker, Violation::ForgedHandleAck, host),
            Some(InFlight::Connection(seq)) => {
                if let Some(sent) = member.take_pending(seq) {
                    member.refused += 1;
                    self.not_taken(worker, sent, now, host);
                    self.serve(worker, now, host);
                }
            }
            Some(InFlight::Socket { tries, .. }) if tries >= MAX_SOCKET_TRIES => {
                self.violation(worker, Violation::SocketLost, host);
            }
            Some(InFlight::Socket {
                line,
                socket,
                tries,
            }) => {
                // Only if it still uses the listener, whose socket may be closed otherwise.
                if member.listeners.contains(&socket.listener) {
                    host.send_socket(worker, &line, socket);
                    member.in_flight.push_back(InFlight::Socket {
                        line,
                        socket,
                        tries: tries + 1,
                    });
                }
            }
        }
    }

    pub(super) fn violation(
        &mut self,
        worker: WorkerId,
        violation: Violation,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(member) = self.members.get_mut(&worker) {
            member.violations += 1;
            host.notice(worker, Notice::Violation(violation));
        }
    }
}

/// Tells the sender of a descriptor that it may go on, or has to send it again.
fn answer_handle<C>(worker: WorkerId, arrived: bool, host: &mut impl Host<Connection = C>) {
    host.send(
        worker,
        if arrived {
            outgoing::HANDLE_ACK
        } else {
            outgoing::HANDLE_NACK
        },
    );
}
