//! Which connections are open, as far as known.
//!
//! Our copy of a connection is closed when the worker has taken it, so its end is not seen. The
//! kernel's list of the port's connections tells it later: see [`OpenTable::reconcile`].

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

use super::hash;
use super::types::WorkerId;

/// Entries per listener. More connections than that are not followed: they do not count as open.
pub(super) const MAX_FOLLOWED: usize = 65_536;

#[derive(Debug)]
struct Entry {
    worker: WorkerId,
    /// The look at which it was last seen, or the last one before it came.
    round: u32,
    /// It has been seen at some look.
    seen: bool,
}

/// The followed connections of one listener.
#[derive(Debug)]
pub(super) struct OpenTable {
    entries: HashMap<u64, Entry, BuildHasherDefault<Identity>>,
    seed: u64,
    round: u32,
}

impl OpenTable {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: HashMap::default(),
            seed,
            round: 0,
        }
    }

    /// Follows a connection. Returns whether it is followed, and the worker whose connection from
    /// the same address has ended without our knowing.
    pub(super) fn insert(
        &mut self,
        peer: SocketAddr,
        worker: WorkerId,
    ) -> (bool, Option<WorkerId>) {
        let key = hash::peer(self.seed, peer);
        if self.entries.len() >= MAX_FOLLOWED && !self.entries.contains_key(&key) {
            return (false, None);
        }
        let entry = Entry {
            worker,
            round: self.round,
            seen: false,
        };
        let before = self.entries.insert(key, entry);
        (true, before.map(|entry| entry.worker))
    }

    /// Follows a connection unless one from that address is followed already. Returns whether it is new.
    pub(super) fn insert_new(&mut self, peer: SocketAddr, worker: WorkerId) -> bool {
        let key = hash::peer(self.seed, peer);
        !self.entries.contains_key(&key) && self.insert(peer, worker).0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_FOLLOWED
    }

    /// Forgets what is not among the live connections; `ended` is told the worker of each, and whether
    /// it had come since the last look.
    pub(super) fn reconcile(
        &mut self,
        live: impl Iterator<Item = SocketAddr>,
        mut ended: impl FnMut(WorkerId, bool),
    ) {
        self.round = self.round.wrapping_add(1);
        for peer in live {
            if let Some(entry) = self.entries.get_mut(&hash::peer(self.seed, peer)) {
                entry.round = self.round;
                entry.seen = true;
            }
        }
        let round = self.round;
        self.entries.retain(|_, entry| {
            let lives = entry.round == round;
            if !lives {
                ended(entry.worker, !entry.seen);
            }
            lives
        });
        if self.entries.capacity() > 4 * self.entries.len().max(256) {
            self.entries.shrink_to_fit();
        }
    }
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
