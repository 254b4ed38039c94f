//! One address that workers listen on.

use std::collections::{BTreeSet, VecDeque};

use serde_json::value::RawValue;

use super::member::Connection;
use super::open::OpenTable;
use super::types::{Bind, ListenerId, Millis, Slot, SockName, SocketId, WorkerId};
use crate::balance::Balance;
use crate::channel::outgoing;

/// A worker's use of a listener.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) worker: WorkerId,
    pub(super) slot: Slot,
    /// How this worker gets connections from this listener: the worker's mode, or `Shared` where
    /// its mode does not apply (UDP; `reuseport` on a Unix socket).
    pub(super) balance: Balance,
    /// It has refused a connection and is left alone until then.
    pub(super) cooling_until: Option<Millis>,
    /// It has refused its last connection: the next one is tried alone.
    pub(super) doubtful: bool,
    /// So many connections it counts as having more than it has, if it came to others; wears off.
    pub(super) head_start: u64,
    /// When it began.
    pub(super) since: Millis,
}

impl Attachment {
    /// What is left of its head start.
    pub(super) fn head_start(&self, now: Millis, warm_up: Millis) -> u64 {
        let left = (self.since + warm_up).saturating_sub(now);
        self.head_start * left / warm_up.max(1)
    }
}

/// A listener without a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    pub(super) since: Millis,
    /// The worker that closed it last, if it closed it by itself.
    pub(super) closed_by: Option<WorkerId>,
}

/// One address, with one socket or several.
#[derive(Debug)]
pub(super) struct Listener<C> {
    pub(super) key: String,
    pub(super) bind: Bind,
    pub(super) sockname: SockName,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) prefix: Vec<u8>,
    pub(super) attached: Vec<Attachment>,
    /// The slot that uses the first socket as its own (`reuseport`).
    pub(super) first_slot: Option<Slot>,
    /// Slots with additional sockets.
    pub(super) slots: BTreeSet<Slot>,
    /// Accepted, and nobody could take them yet.
    pub(super) waiting: VecDeque<Connection<C>>,
    /// Handed over by a worker, and nobody could take them yet: not everybody can.
    pub(super) handed: VecDeque<Connection<C>>,
    pub(super) idle: Option<Idle>,
    pub(super) open: OpenTable,
    /// The kernel tells which connections live. Not for Unix sockets.
    pub(super) followed: bool,
    /// When the kernel was last asked.
    pub(super) looked_at: Millis,
    /// So many connections come and end between two looks that how many a worker has says little.
    pub(super) short_lived: bool,
}

impl<C> Listener<C> {
    pub(super) fn new(key: String, bind: Bind, sockname: SockName, seed: u64) -> Self {
        let followed = matches!(sockname, SockName::Ip(_)) && !is_udp(&bind);
        Self {
            prefix: outgoing::connection_prefix(&key),
            key,
            bind,
            sockname,
            data: None,
            attached: Vec::new(),
            first_slot: None,
            slots: BTreeSet::new(),
            waiting: VecDeque::new(),
            handed: VecDeque::new(),
            idle: None,
            open: OpenTable::new(seed),
            followed,
            looked_at: 0,
            short_lived: false,
        }
    }

    /// How an additional socket of a slot is asked for.
    pub(super) fn sibling(&self, own: ListenerId) -> Bind {
        Bind::Sibling {
            of: own,
            backlog: backlog_of(&self.bind),
        }
    }

    /// The length of its queue.
    pub(super) fn backlog(&self) -> i32 {
        backlog_of(&self.bind)
    }

    /// Puts a connection among those that wait, in the order of their arrival.
    pub(super) fn put_back(&mut self, connection: Connection<C>) {
        let later = |c: &Connection<C>| c.arrival > connection.arrival;
        let queue = if connection.handed.is_some() {
            &mut self.handed
        } else {
            &mut self.waiting
        };
        let at = queue.iter().position(later).unwrap_or(queue.len());
        queue.insert(at, connection);
    }

    /// Somebody waits for a worker.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.handed.is_empty()
    }

    pub(super) fn is_udp(&self) -> bool {
        is_udp(&self.bind)
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(self.sockname, SockName::Ip(_)) && !self.is_udp()
    }

    pub(super) fn attachment(&self, worker: WorkerId) -> Option<&Attachment> {
        self.attached.iter().find(|a| a.worker == worker)
    }

    pub(super) fn attachment_mut(&mut self, worker: WorkerId) -> Option<&mut Attachment> {
        self.attached.iter_mut().find(|a| a.worker == worker)
    }

    pub(super) fn detach(&mut self, worker: WorkerId) -> bool {
        let before = self.attached.len();
        self.attached.retain(|a| a.worker != worker);
        self.attached.len() < before
    }

    /// Whether a worker accepts from that socket by itself.
    fn has_own_worker(&self, socket: SocketId) -> bool {
        self.attached.iter().any(|a| match a.balance {
            Balance::RoundRobin | Balance::IpHash => false,
            Balance::Shared => socket.slot.is_none(),
            Balance::ReusePort => match socket.slot {
                None => self.first_slot == Some(a.slot),
                Some(slot) => slot == a.slot,
            },
        })
    }

    /// Whether the primary is to accept from that socket. A socket of a slot without a worker is
    /// emptied into the others, so that what the kernel put into its queue is not lost.
    pub(super) fn is_ours_to_accept(&self, socket: SocketId) -> bool {
        if self.is_udp() {
            return false;
        }
        let dealt = || self.attached.iter().any(|a| a.balance.is_dealt());
        !self.has_own_worker(socket) || (socket.slot.is_none() && dealt())
    }
}

pub(super) fn is_udp(bind: &Bind) -> bool {
    matches!(bind, Bind::Udp { .. } | Bind::Inherited { udp: true, .. })
}

fn backlog_of(bind: &Bind) -> i32 {
    match bind {
        Bind::Tcp { backlog, .. }
        | Bind::Unix { backlog, .. }
        | Bind::Inherited { backlog, .. }
        | Bind::Sibling { backlog, .. } => *backlog,
        Bind::Udp { .. } => 0,
    }
}
