//! One worker, as the primary sees it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use super::before::Before;
use super::rescue::SentBefore;
use super::types::{ListenerId, Millis, Role, Slot, SocketId, WorkerId};
use crate::balance::Balance;

/// Descriptors under way to a worker beyond which it gets no connection, whatever it answers: it
/// never says that they arrive.
const MAX_IN_FLIGHT: usize = 256;

/// An accepted connection and where it came from.
#[derive(Debug)]
pub(super) struct Connection<C> {
    pub(super) payload: C,
    /// The client, if it has an IP address.
    pub(super) peer: Option<SocketAddr>,
    /// Its place in the order of arrival.
    pub(super) arrival: u64,
    /// It is not new but comes from a worker. Boxed, so that it costs new ones nothing.
    pub(super) handed: Option<Box<Handed>>,
}

/// Where a connection that a worker has handed over comes from.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) giver: WorkerId,
    /// Requests that it has had.
    pub(super) requests: u64,
    /// For how long it may still be idle, in milliseconds; 0 = without limit.
    pub(super) keep: u64,
    /// As long as it is with us, it counts against its giver's limit.
    pub(super) _share: Arc<()>,
}

/// A connection that the worker was sent and has not answered.
#[derive(Debug)]
pub(super) struct Pending<C> {
    pub(super) seq: u64,
    pub(super) sent_at: Millis,
    pub(super) listener: ListenerId,
    pub(super) connection: Connection<C>,
}

/// A descriptor that the worker was sent and has not confirmed, in the order of sending.
#[derive(Debug)]
pub(super) enum InFlight {
    /// That of the connection with this number.
    Connection(u64),
    /// A listening socket, with its line for another try.
    Socket {
        line: Box<[u8]>,
        socket: SocketId,
        tries: u8,
    },
}

/// One worker.
#[derive(Debug)]
pub(super) struct Member<C> {
    pub(super) slot: Slot,
    pub(super) role: Role,
    /// Orders: it may get connections.
    pub(super) dealing: bool,
    /// It was told to disconnect.
    pub(super) told_to_leave: bool,
    /// It said that it leaves.
    pub(super) leaving: bool,
    /// Its agent was told to drain it.
    pub(super) draining: bool,
    /// Its agent has said that it is there.
    pub(super) agent: bool,
    /// It has said that a server of its listens.
    pub(super) listening: bool,
    /// It has sent the message `"ready"`.
    pub(super) ready: bool,
    /// It was another primary's before.
    pub(super) before: Option<Box<Before>>,
    /// What became of its last `queryServer`, until its agent has said whose that was.
    pub(super) asked: Option<Option<ListenerId>>,
    /// The listeners by the agent's numbers of its servers, also of those that it has closed.
    pub(super) servers: BTreeMap<u32, ListenerId>,
    /// Shared by the connections that it has handed over and that nobody has acknowledged yet.
    pub(super) handing: Arc<()>,
    /// Its channel takes nothing at the moment.
    pub(super) blocked: bool,
    pub(super) pending: VecDeque<Pending<C>>,
    pub(super) in_flight: VecDeque<InFlight>,
    /// Connections by client address that wait for this very worker.
    pub(super) queue: VecDeque<(ListenerId, Connection<C>)>,
    pub(super) listeners: BTreeSet<ListenerId>,
    /// Open connections as far as known.
    pub(super) open: u64,
    /// When it last got a connection, counted in connections.
    pub(super) last_turn: u64,
    pub(super) dealt: u64,
    pub(super) refused: u64,
    /// Connections that it has handed over.
    pub(super) handed_over: u64,
    /// Connections that it has taken from other workers.
    pub(super) taken_over: u64,
    pub(super) violations: u64,
    /// Connections of the earlier primary that it may have.
    pub(super) sent_before: Vec<SentBefore<C>>,
}

impl<C> Member<C> {
    pub(super) fn new(slot: Slot, role: Role) -> Self {
        Self {
            slot,
            role,
            dealing: true,
            told_to_leave: false,
            leaving: false,
            draining: false,
            agent: false,
            listening: false,
            ready: false,
            before: None,
            asked: None,
            servers: BTreeMap::new(),
            handing: Arc::new(()),
            blocked: false,
            pending: VecDeque::new(),
            in_flight: VecDeque::new(),
            queue: VecDeque::new(),
            listeners: BTreeSet::new(),
            open: 0,
            last_turn: 0,
            dealt: 0,
            refused: 0,
            handed_over: 0,
            taken_over: 0,
            violations: 0,
            sent_before: Vec::new(),
        }
    }

    pub(super) fn balance(&self) -> Balance {
        match self.role {
            Role::Cluster(balance) => balance,
            Role::Plain => Balance::RoundRobin,
        }
    }

    /// It stays and may be given connections, sooner or later.
    pub(super) fn serves(&self) -> bool {
        self.dealing && !self.leaving && !self.told_to_leave
    }

    /// It is on its way out, by order or by itself.
    pub(super) fn is_going(&self) -> bool {
        self.leaving || self.told_to_leave || self.draining
    }

    /// How many connections it may be given right now.
    pub(super) fn room(&self, window: usize) -> usize {
        if self.serves() && !self.blocked && self.in_flight.len() < MAX_IN_FLIGHT {
            window.saturating_sub(self.pending.len())
        } else {
            0
        }
    }

    /// It never says that descriptors arrive. Each is remembered until it does, with the line that it came with.
    pub(super) fn is_silent(&self) -> bool {
        self.in_flight.len() >= MAX_IN_FLIGHT
    }

    /// Until when others wait for it when its turn has come: it has been given connections only a
    /// moment ago, and will probably take them at once.
    pub(super) fn awaited_until(&self, patience: Millis) -> Option<Millis> {
        let able = self.serves() && !self.blocked && self.in_flight.len() < MAX_IN_FLIGHT;
        let oldest = self.pending.front().filter(|_| able)?;
        Some(oldest.sent_at + patience)
    }

    /// Open connections and those that will be.
    pub(super) fn load(&self) -> u64 {
        self.open + self.pending.len() as u64
    }

    /// Takes the unanswered connection with that number out.
    pub(super) fn take_pending(&mut self, seq: u64) -> Option<Pending<C>> {
        let at = self.pending.iter().position(|sent| sent.seq == seq)?;
        self.pending.remove(at)
    }
}
