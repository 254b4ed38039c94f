//! Who gets the next connection.

use std::net::SocketAddr;

use super::core::Primary;
use super::hash;
use super::listener::{Attachment, Listener};
use super::member::{Connection, InFlight, Member, Pending};
use super::types::{Delivery, Host, ListenerId, Millis, SocketId, WorkerId};
use crate::balance::Balance;
use crate::channel::outgoing;

/// Connections that may wait for one worker because of their client's address.
const MAX_QUEUE: usize = 256;

/// What to do with a connection.
enum Choice {
    /// Send it to this worker.
    Deal(WorkerId),
    /// Keep it for this worker.
    Queue(WorkerId),
    /// Keep it until somebody can take it.
    Wait,
}

/// A worker that may be given something, now or soon.
pub(super) struct Candidate<'a, C> {
    pub(super) worker: WorkerId,
    pub(super) member: &'a Member<C>,
    /// It has refused its last connection.
    doubtful: bool,
    /// What is left of its head start.
    head_start: u64,
}

impl<C> Primary<C> {
    /// Whether connections of that socket are the primary's to accept, now or when there is room.
    #[must_use]
    pub fn accepts(&self, socket: SocketId) -> bool {
        let listener = self.listeners.get(&socket.listener);
        listener.is_some_and(|l| !l.attached.is_empty() && l.is_ours_to_accept(socket))
    }

    /// How many connections may be accepted from a socket right now. The kernel's queue keeps the
    /// others. Ask again after anything else has happened.
    #[must_use]
    pub fn room(&self, socket: SocketId, now: Millis) -> usize {
        let Some(listener) = self.listeners.get(&socket.listener) else {
            return 0;
        };
        if !listener.is_ours_to_accept(socket) {
            return 0;
        }
        let room: usize = if self.is_by_address(listener) {
            self.candidates(listener, now)
                .map(|c| MAX_QUEUE.saturating_sub(c.member.queue.len()))
                .sum()
        } else {
            self.candidates(listener, now)
                .map(|candidate| self.room_of(&candidate))
                .sum()
        };
        room.saturating_sub(listener.waiting.len())
    }

    /// A connection was accepted.
    pub fn accepted(
        &mut self,
        socket: SocketId,
        connection: C,
        peer: Option<SocketAddr>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(listener) = self.listeners.get_mut(&socket.listener) else {
            return;
        };
        self.arrivals += 1;
        listener.waiting.push_back(Connection {
            payload: connection,
            peer,
            arrival: self.arrivals,
            handed: None,
        });
        self.deal_waiting(socket.listener, now, host);
    }

    /// Workers of a listener that may be given something, now or soon.
    pub(super) fn candidates<'a>(
        &'a self,
        listener: &'a Listener<C>,
        now: Millis,
    ) -> impl Iterator<Item = Candidate<'a, C>> {
        listener.attached.iter().filter_map(move |attachment| {
            let cooling = attachment.cooling_until.is_some_and(|until| now < until);
            let candidate = Candidate {
                worker: attachment.worker,
                member: self.members.get(&attachment.worker)?,
                doubtful: attachment.doubtful,
                head_start: attachment.head_start(now, self.tuning.warm_up),
            };
            (!cooling && candidate.member.serves()).then_some(candidate)
        })
    }

    /// How many connections a worker may be given now; one at a time if it refused the last one.
    pub(super) fn room_of(&self, candidate: &Candidate<'_, C>) -> usize {
        let doubtful = candidate.doubtful;
        let window = if doubtful { 1 } else { self.tuning.window };
        candidate.member.room(window)
    }

    /// The load by which a worker is compared with the others.
    pub(super) fn counted_load(listener: &Listener<C>, candidate: &Candidate<'_, C>) -> u64 {
        if !listener.followed {
            return 0;
        }
        candidate.member.load() + candidate.head_start
    }

    /// What a worker that comes to others is given to begin with: it has no connections, and would get all that arrive
    /// at once, just when it is slowest. Those who begin together are equals.
    pub(super) fn head_start_beside_others(&self, id: ListenerId, now: Millis) -> u64 {
        let Some(listener) = self.listeners.get(&id) else {
            return 0;
        };
        let settled = |a: &Attachment| now.saturating_sub(a.since) >= self.tuning.warm_up;
        if !listener.attached.iter().any(settled) {
            return 0;
        }
        let loads = self.candidates(listener, now).map(|c| c.member.load());
        let (sum, count) = loads.fold((0, 0), |(sum, count), load| (sum + load, count + 1));
        sum / u64::max(count, 1)
    }

    /// Whether connections go by the client's address: as the newest worker wants it.
    pub(super) fn is_by_address(&self, listener: &Listener<C>) -> bool {
        let serving = |worker| self.members.get(&worker).is_some_and(Member::serves);
        let dealt = listener.attached.iter().filter(|a| a.balance.is_dealt());
        dealt
            .filter(|a| serving(a.worker))
            .max_by_key(|a| a.worker)
            .is_some_and(|a| a.balance == Balance::IpHash)
    }

    /// Deals what waits on a listener, in order, until nobody can take the next. Connections that
    /// have been handed over come first: somebody has been served on them already.
    pub(super) fn deal_waiting(
        &mut self,
        id: ListenerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        self.deal_handed(id, now, host);
        while let Some(listener) = self.listeners.get(&id) {
            let Some(first) = listener.waiting.front() else {
                return;
            };
            let choice = self.choose(listener, first.peer, now);
            if matches!(choice, Choice::Wait) {
                return;
            }
            let next = self.listeners.get_mut(&id).map(|l| l.waiting.pop_front());
            let Some(Some(connection)) = next else { return };
            match choice {
                Choice::Wait => return,
                Choice::Deal(worker) => {
                    if let Err(connection) = self.deal(worker, id, connection, now, host)
                        && let Some(listener) = self.listeners.get_mut(&id)
                    {
                        listener.waiting.push_front(connection);
                    }
                }
                Choice::Queue(worker) => {
                    if let Some(member) = self.members.get_mut(&worker) {
                        member.queue.push_back((id, connection));
                    }
                }
            }
        }
    }

    fn choose(&self, listener: &Listener<C>, peer: Option<SocketAddr>, now: Millis) -> Choice {
        if let Some(peer) = peer
            && self.is_by_address(listener)
        {
            return self.choose_by_address(listener, peer, now);
        }
        let waits = listener.followed && !listener.short_lived;
        self.candidates(listener, now)
            .map(|candidate| (self.room_of(&candidate) > 0, candidate))
            .filter(|(room, c)| {
                *room || (waits && c.head_start == 0 && self.is_awaited(c.member, now))
            })
            .min_by_key(|(_, c)| (Self::counted_load(listener, c), c.member.last_turn))
            .filter(|(room, _)| *room)
            .map_or(Choice::Wait, |(_, c)| Choice::Deal(c.worker))
    }

    pub(super) fn is_awaited(&self, member: &Member<C>, now: Millis) -> bool {
        let until = member.awaited_until(self.tuning.patience);
        until.is_some_and(|until| now < until)
    }

    /// When somebody who waits for a worker's turn stops waiting.
    pub(super) fn patience_ends(&self, listener: &Listener<C>, now: Millis) -> Option<Millis> {
        if !listener.has_waiting() {
            return None;
        }
        self.candidates(listener, now)
            .filter_map(|candidate| candidate.member.awaited_until(self.tuning.patience))
            .filter(|until| *until > now)
            .min()
    }

    /// The client's favourite slot, there the newest worker; the next best when too many wait there.
    fn choose_by_address(&self, listener: &Listener<C>, peer: SocketAddr, now: Millis) -> Choice {
        let free = self
            .candidates(listener, now)
            .filter(|candidate| candidate.member.queue.len() < MAX_QUEUE)
            .max_by_key(|c| (hash::preference(peer.ip(), c.member.slot), c.worker));
        match free {
            None => Choice::Wait,
            Some(c) if c.member.queue.is_empty() && self.room_of(&c) > 0 => Choice::Deal(c.worker),
            Some(c) => Choice::Queue(c.worker),
        }
    }

    /// Sends a worker the connections that wait for it, as far as it has room.
    pub(super) fn deal_queue(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let window = self.tuning.window;
        while let Some(member) = self.members.get_mut(&worker) {
            if member.room(window) == 0 {
                return;
            }
            let Some((listener, connection)) = member.queue.pop_front() else {
                return;
            };
            let cooling = self.listeners.get(&listener).is_some_and(|l| {
                l.attachment(worker)
                    .is_none_or(|a| a.cooling_until.is_some_and(|until| now < until))
            });
            if cooling {
                // It has been refused, or the server is closed, behind our back: choose again.
                if let Some(listener) = self.listeners.get_mut(&listener) {
                    listener.put_back(connection);
                }
                self.deal_waiting(listener, now, host);
            } else if let Err(connection) = self.deal(worker, listener, connection, now, host)
                && let Some(member) = self.members.get_mut(&worker)
            {
                member.queue.push_front((listener, connection));
            }
        }
    }

    /// Gives everything that waits for this worker to others.
    pub(super) fn requeue(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let queue = std::mem::take(&mut member.queue);
        self.put_back(queue.into_iter(), now, host);
    }

    /// Puts connections back among those that wait on their listeners.
    pub(super) fn put_back(
        &mut self,
        connections: impl Iterator<Item = (ListenerId, Connection<C>)>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let mut touched = Vec::new();
        for (id, connection) in connections {
            // Without its listener nobody will ever take it: it is closed.
            if let Some(listener) = self.listeners.get_mut(&id) {
                listener.put_back(connection);
                if !touched.contains(&id) {
                    touched.push(id);
                }
            }
        }
        for id in touched {
            self.deal_waiting(id, now, host);
        }
    }

    /// Sends one connection; gives it back when the channel takes nothing.
    pub(super) fn deal(
        &mut self,
        worker: WorkerId,
        id: ListenerId,
        connection: Connection<C>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) -> Result<(), Connection<C>> {
        let seq = self.seq();
        let (Some(listener), Some(member)) =
            (self.listeners.get(&id), self.members.get_mut(&worker))
        else {
            return Ok(());
        };
        match &connection.handed {
            None => outgoing::connection(&mut self.line, &listener.prefix, seq),
            Some(handed) => {
                let (requests, keep) = (handed.requests, handed.keep);
                let line = &mut self.line;
                outgoing::handed_connection(line, &listener.prefix, seq, requests, keep);
            }
        }
        match host.deal(worker, seq, &self.line, &connection.payload) {
            Delivery::Sent => {
                self.turn += 1;
                self.dealt_since = true;
                member.last_turn = self.turn;
                member.in_flight.push_back(InFlight::Connection(seq));
                member.pending.push_back(Pending {
                    seq,
                    sent_at: now,
                    listener: id,
                    connection,
                });
                Ok(())
            }
            Delivery::Blocked => {
                member.blocked = true;
                Err(connection)
            }
            Delivery::Unsendable => Ok(()),
        }
    }

    /// The worker answered a connection. Returns whether it had been given one with that number.
    pub(super) fn answered(
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
        let Some(sent) = member.take_pending(seq) else {
            return false;
        };
        self.nothing_from_before(worker, seq, now, host);
        let Some(member) = self.members.get_mut(&worker) else {
            return false;
        };
        if accepted {
            member.dealt += 1;
            member.taken_over += u64::from(sent.connection.handed.is_some());
            self.taken(worker, sent.listener, sent.connection.peer);
            // Closes our copy, so that the worker's close reaches the client.
            drop(sent);
        } else {
            member.refused += 1;
            self.not_taken(worker, sent, now, host);
        }
        self.serve(worker, now, host);
        true
    }

    /// A connection that the worker was given and does not have: others get it, and the worker is
    /// left alone for a moment.
    pub(super) fn not_taken(
        &mut self,
        worker: WorkerId,
        sent: Pending<C>,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(listener) = self.listeners.get_mut(&sent.listener)
            && let Some(attachment) = listener.attachment_mut(worker)
        {
            attachment.cooling_until = Some(now + self.tuning.refusal_pause);
            attachment.doubtful = true;
        }
        self.put_back(std::iter::once((sent.listener, sent.connection)), now, host);
        self.requeue(worker, now, host);
    }
}
