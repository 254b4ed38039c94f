//! Times in which no process can be made, and what must not follow from that.

use rota_engine::{Effect, Engine, Notice, Slot, WorkerId};

use crate::check::{Check, Checker, ensure};
use crate::random::Random;

/// A time in which no processes can be made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shortage {
    from: u64,
    until: u64,
}

impl Shortage {
    /// In most schedules there is none.
    pub(crate) fn draw(now: u64, random: &mut Random) -> Self {
        if !random.percent(25) {
            return Self::default();
        }
        let from = now + random.between(0, 30_000);
        Self {
            from,
            until: from + random.between(0, 20_000),
        }
    }

    pub(crate) fn lasts(&self, now: u64) -> bool {
        (self.from..self.until).contains(&now)
    }
}

impl Checker {
    /// A process could not be made: nobody's fault, and nothing that counts.
    pub(crate) fn note_deferred(&mut self, engine: &Engine, worker: WorkerId) {
        self.note_fault(engine, worker);
        let Some(live) = self.live.remove(&worker) else {
            return;
        };
        let view = engine.app(live.app);
        let slot = view.and_then(|view| view.slots.into_iter().find(|it| it.slot == live.slot));
        self.deferred = slot.map(|slot| (live.app, live.slot, slot.unstable));
        if let Some(canary) = self.rollouts.get_mut(&live.app) {
            let own = u32::from(canary.to == live.generation);
            canary.started = canary.started.saturating_sub(own);
        }
    }

    /// A start that could not be tried does not count against the app.
    pub(crate) fn check_deferred(&mut self, engine: &Engine, effects: &[Effect]) -> Check {
        let Some((app, slot, unstable)) = self.deferred.take() else {
            return Ok(());
        };
        let view = engine.app(app);
        let slot = view.and_then(|view| view.slots.into_iter().find(|it| it.slot == slot));
        let notices = effects.iter().filter_map(|effect| match effect {
            Effect::Notice { notice, .. } => Some(notice),
            _ => None,
        });
        let here = |it: &Slot| slot.as_ref().is_some_and(|slot| slot.slot == *it);
        let mut errored = false;
        for notice in notices {
            match notice {
                // The time of another worker was over at the same moment.
                Notice::Failed { .. } => return Ok(()),
                Notice::Errored { slot, .. } => errored |= here(slot),
                _ => {}
            }
        }
        let counted = slot.as_ref().is_some_and(|slot| slot.unstable > unstable);
        ensure(!errored && !counted, || {
            format!("a shortage was taken for a failure of {app:?}: {slot:?}")
        })
    }
}
