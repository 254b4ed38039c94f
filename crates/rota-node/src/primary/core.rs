//! The primary's data, and workers that come and go.

use std::collections::{BTreeMap, HashMap};

use super::listener::Listener;
use super::member::Member;
use super::types::{Host, ListenerId, Millis, Role, Slot, WorkerId};

/// So many numbers of messages are saved as used in advance, at least: more than are used between two saves.
const SEQ_MARGIN: u64 = 1 << 16;

/// What can be tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Connections that a worker may have been sent and not answered. More keep a worker busier
    /// under a storm of connections; fewer wait when a worker is stuck.
    pub window: usize,
    /// How long a connection waits for the worker whose turn it is, while others have room. Even
    /// shares of long-lived connections need some; more than a moment delays the clients.
    pub patience: Millis,
    /// How long a worker that refused a connection is left alone.
    pub refusal_pause: Millis,
    /// After a worker has closed a listener's last use: how long to wait for the rest of what it
    /// does, before the listener is closed because the worker goes on with others.
    pub close_grace: Millis,
    /// The same for a worker that has closed everything, and so probably leaves.
    pub leave_grace: Millis,
    /// How often at most the kernel is asked for live connections.
    pub follow_interval: Millis,
    /// How long a worker that begins beside others is spared from catching up with them at once: its
    /// first requests run code that has not been compiled yet.
    pub warm_up: Millis,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            window: 4,
            patience: 100,
            refusal_pause: 200,
            close_grace: 250,
            leave_grace: 30_000,
            follow_interval: 1_000,
            warm_up: 1_000,
        }
    }
}

/// The primary of one app. `C` is an accepted connection.
#[derive(Debug)]
pub struct Primary<C> {
    pub(super) tuning: Tuning,
    pub(super) members: BTreeMap<WorkerId, Member<C>>,
    pub(super) listeners: BTreeMap<ListenerId, Listener<C>>,
    pub(super) by_key: HashMap<String, ListenerId>,
    pub(super) next_listener: u32,
    pub(super) next_seq: u64,
    /// No number from here on is used before that has been saved.
    pub(super) seq_bound: u64,
    /// Smaller numbers are those of a primary before this one.
    pub(super) seq_floor: u64,
    pub(super) turn: u64,
    pub(super) arrivals: u64,
    pub(super) seed: u64,
    /// The earliest time at which connections may be counted again.
    pub(super) follow_at: Millis,
    /// A newcomer must not be taken for idle among workers with outdated counts.
    pub(super) follow_now: bool,
    /// Connections were dealt since they were last counted.
    pub(super) dealt_since: bool,
    /// Changes when a worker begins or ceases to use a listener.
    pub(super) revision: u64,
    /// Changes whenever what is saved changes.
    pub(super) structure: u64,
    /// The message under construction.
    pub(super) line: Vec<u8>,
}

impl<C> Primary<C> {
    /// A primary without workers. `seed` makes the table of open connections hard to attack: it
    /// should be random.
    #[must_use]
    pub fn new(seed: u64, tuning: Tuning) -> Self {
        Self {
            tuning,
            members: BTreeMap::new(),
            listeners: BTreeMap::new(),
            by_key: HashMap::new(),
            next_listener: 0,
            next_seq: 1,
            seq_bound: 1 + 2 * SEQ_MARGIN,
            seq_floor: 0,
            turn: 0,
            arrivals: 0,
            seed,
            follow_at: 0,
            follow_now: false,
            dealt_since: false,
            revision: 0,
            structure: 1,
            line: Vec::with_capacity(256),
        }
    }

    /// A worker was started. An id that is known already is left as it is.
    pub fn add_worker(&mut self, worker: WorkerId, slot: Slot, role: Role) {
        self.members.entry(worker).or_insert_with(|| {
            self.structure += 1;
            Member::new(slot, role)
        });
    }

    /// Another number whenever [`Self::accepts`] may have another answer.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The worker gets no connections until [`Self::resume_dealing`].
    pub fn stop_dealing(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(member) = self.members.get_mut(&worker) {
            self.structure += u64::from(member.dealing);
            member.dealing = false;
            self.requeue(worker, now, host);
        }
    }

    /// The worker may get connections again.
    pub fn resume_dealing(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(member) = self.members.get_mut(&worker) {
            self.structure += u64::from(!member.dealing || member.draining);
            member.dealing = true;
            member.draining = false;
            self.serve(worker, now, host);
        }
    }

    /// The worker's channel takes lines again.
    pub fn writable(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(member) = self.members.get_mut(&worker) {
            member.blocked = false;
            self.serve(worker, now, host);
        }
    }

    /// What waits for this worker, and what waits for anybody on its listeners.
    pub(super) fn serve(
        &mut self,
        worker: WorkerId,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        self.serve_handed(worker, now, host);
        self.deal_queue(worker, now, host);
        let Some(member) = self.members.get(&worker) else {
            return;
        };
        // Almost always there is one listener, and nothing waits.
        let waiting = |id: &&ListenerId| self.listeners.get(id).is_some_and(Listener::has_waiting);
        let busy: Vec<ListenerId> = member.listeners.iter().filter(waiting).copied().collect();
        for listener in busy {
            self.deal_waiting(listener, now, host);
        }
    }

    pub(super) fn seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        if self.seq_bound.saturating_sub(self.next_seq) < SEQ_MARGIN {
            self.seq_bound = self.next_seq + 2 * SEQ_MARGIN;
            self.structure += 1;
        }
        seq
    }

    /// Numbers begin here.
    pub(super) fn begin_seq(&mut self, floor: u64) {
        self.next_seq = floor;
        self.seq_floor = floor;
        self.seq_bound = floor + 2 * SEQ_MARGIN;
    }
}
