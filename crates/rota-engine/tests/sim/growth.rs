//! What is known of the apps does not become more with their age.

use rota_engine::Engine;

use crate::check::{Check, ensure};
use crate::death::save;

/// The parts of a schedule that are compared.
const PARTS: u64 = 10;

/// How often it is looked.
const EVERY: u64 = 16;

/// How large what is saved was, over a schedule.
pub(crate) struct Growth {
    events: u64,
    /// In each part of the schedule: the sum of all sizes in bytes, their number, and the largest.
    parts: Vec<(usize, usize, usize)>,
}

impl Growth {
    pub(crate) fn new(events: u64) -> Self {
        Self {
            events,
            parts: vec![(0, 0, 0); usize::try_from(PARTS).unwrap()],
        }
    }

    /// Looks at the engine after this event. What is saved is all that it knows: `death.rs` checks that.
    pub(crate) fn note(&mut self, engine: &Engine, event: u64) {
        // The end of the schedule is another world: calm, then nothing.
        if event >= self.events || !event.is_multiple_of(EVERY) {
            return;
        }
        let (shared, apps) = save(engine);
        let size = shared.len() + apps.values().map(String::len).sum::<usize>();
        let part = usize::try_from(event * PARTS / self.events).unwrap();
        let (sum, count, largest) = &mut self.parts[part];
        *sum += size;
        *count += 1;
        *largest = size.max(*largest);
    }

    /// What is known at the end is as much as at the beginning: all numbers have some digits more. A byte that stays
    /// behind with every hundredth event is found in a schedule of a million.
    pub(crate) fn check(&self) -> Check {
        let mean = |part: &(usize, usize, usize)| part.0 / part.1.max(1);
        let means: Vec<usize> = self.parts.iter().map(mean).collect();
        let largest: Vec<usize> = self.parts.iter().map(|part| part.2).collect();
        println!("bytes saved, by tenths of the schedule: mean {means:?}, most {largest:?}");
        let (early, late) = means.split_at(means.len() / 2);
        let (early, late): (usize, usize) = (early.iter().sum(), late.iter().sum());
        ensure(late * 4 <= early * 5, || {
            format!("what is saved grows: {means:?}")
        })?;
        let (early, late) = largest.split_at(largest.len() / 2);
        ensure(
            late.iter().max() <= early.iter().max().map(|most| most * 2).as_ref(),
            || format!("what is saved grows: {largest:?} at most"),
        )
    }
}
