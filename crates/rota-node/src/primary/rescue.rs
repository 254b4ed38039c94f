//! Connections that an earlier primary had, and that somebody has saved from the death of its process.
//!
//! One that nobody had been sent is like one that has just been accepted. One that was on its way to a worker is the
//! worker's if it answers for it, as it does with all: until then it is kept, and when the worker cannot have it any
//! more, it goes to others.

use std::net::SocketAddr;

use super::core::Primary;
use super::member::Connection;
use super::types::{Host, ListenerId, Millis, SocketId, WorkerId};
use crate::agent::ToAgent;

/// A question to an agent of which the answer says that everything before it has been dealt with. Heartbeats have
/// smaller numbers; JavaScript knows larger ones no more exactly.
const BARRIER: u64 = 1 << 52;

/// A connection that the earlier primary was sending, or had sent, to a worker.
#[derive(Debug)]
pub(super) struct SentBefore<C> {
    seq: u64,
    listener: ListenerId,
    connection: Connection<C>,
}

impl<C> SentBefore<C> {
    /// The listener, and the connection.
    pub(super) fn into_parts(self) -> (ListenerId, Connection<C>) {
        (self.listener, self.connection)
    }
}

impl<C> Primary<C> {
    /// A connection from that socket which the earlier primary was about to send to the worker in the message with that
    /// number, or has sent and the worker has not answered.
    pub fn sent_before(
        &mut self,
        socket: SocketId,
        (payload, peer): (C, Option<SocketAddr>),
        (worker, seq): (WorkerId, u64),
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        self.arrivals += 1;
        let connection = Connection {
            payload,
            peer,
            arrival: self.arrivals,
            handed: None,
        };
        let listener = socket.listener;
        let Some(member) = self.members.get_mut(&worker) else {
            // It is gone, and with it whatever it had.
            return self.put_back(std::iter::once((listener, connection)), now, host);
        };
        let first = member.sent_before.is_empty();
        member.sent_before.push(SentBefore {
            seq,
            listener,
            connection,
        });
        if first && member.agent {
            let ask = ToAgent::Ping { n: self.barrier() };
            super::handover::tell(worker, &ask, host);
        }
    }

    /// The worker answered a connection of the earlier primary's. Returns whether it is one that was saved.
    pub(super) fn answered_saved(
        &mut self,
        worker: WorkerId,
        seq: u64,
        accepted: bool,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) -> bool {
        let Some(member) = self.members.get_mut(&worker) else {
            return false;
        };
        let Some(at) = member.sent_before.iter().position(|sent| sent.seq == seq) else {
            return false;
        };
        let sent = member.sent_before.swap_remove(at);
        if accepted {
            member.dealt += 1;
            self.taken(worker, sent.listener, sent.connection.peer);
        } else {
            member.refused += 1;
            self.put_back(std::iter::once(sent.into_parts()), now, host);
        }
        true
    }

    /// Whether an agent's answer is that to [`Self::sent_before`]'s question: what its worker has not answered by now
    /// has never reached it.
    pub(super) fn passed_barrier(
        &mut self,
        worker: WorkerId,
        n: u64,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) -> bool {
        let passed = n == self.barrier();
        if passed {
            self.take_back_saved(worker, now, host);
        }
        passed
    }

    /// Gives what the worker has not answered to others.
    pub(super) fn take_back_saved(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let unanswered = std::mem::take(&mut member.sent_before);
        let back = unanswered.into_iter().map(SentBefore::into_parts);
        self.put_back(back, now, host);
    }

    /// Different in each life: an answer to the question of an earlier one says nothing.
    fn barrier(&self) -> u64 {
        BARRIER.saturating_add(self.seq_floor)
    }
}
