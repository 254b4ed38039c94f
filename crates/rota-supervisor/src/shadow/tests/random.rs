//! Random entries for the tests, repeatable.

use crate::shadow::Entry;

/// A generator (splitmix64).
pub(in crate::shadow) struct Random(u64);

impl Random {
    pub(in crate::shadow) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::shadow) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::shadow) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(in crate::shadow) fn entry(&mut self) -> Entry {
        let (app, socket) = (self.next() as u32, self.next());
        let (worker, seq) = (self.next(), self.next());
        match self.below(3) {
            0 => Entry::Held { app, socket },
            1 => Entry::Sending {
                app,
                socket,
                worker,
                seq,
            },
            _ => Entry::Sent {
                app,
                socket,
                worker,
                seq,
            },
        }
    }
}
