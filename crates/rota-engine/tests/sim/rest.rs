//! Invariants of the world at rest.

use std::collections::BTreeSet;

use rota_engine::{AppStatus, AppView, Engine, SlotStatus, WorkerStatus};

use crate::check::{Check, Checker, ensure};
use crate::totals::Totals;

impl Checker {
    /// Nothing more is going to happen: everything is as it should be.
    pub fn at_rest(&self, engine: &Engine) -> Check {
        ensure(self.issued.is_empty(), || {
            format!("{} commands without answer", self.issued.len())
        })?;
        for view in engine.apps() {
            ensure(view.rollout.is_none() && view.queued == 0, || {
                "something still goes on".to_owned()
            })?;
            for slot in &view.slots {
                let running = [WorkerStatus::Ready].as_slice();
                let expected = match (slot.wanted, slot.status) {
                    (true, SlotStatus::Errored) | (false, SlotStatus::Stopped) => [].as_slice(),
                    (true, SlotStatus::Running) => running,
                    (true, SlotStatus::Waiting) if !view.waits_for.is_empty() => [].as_slice(),
                    other => return Err(format!("{:?}:{} rests {other:?}", view.app, slot.slot)),
                };
                let actual: Vec<_> = slot.workers.iter().map(|worker| worker.status).collect();
                ensure(actual == expected, || {
                    format!("{:?}:{} has {actual:?}", view.app, slot.slot)
                })?;
            }
            let status = match view
                .slots
                .iter()
                .map(|slot| (slot.wanted, slot.status))
                .max_by_key(|(wanted, status)| (*wanted, *status == SlotStatus::Running))
            {
                Some((true, SlotStatus::Running)) => AppStatus::Online,
                Some((true, _)) if !view.waits_for.is_empty() => AppStatus::WaitingRestart,
                Some((true, _)) => AppStatus::Errored,
                _ => AppStatus::Stopped,
            };
            ensure(view.status == status, || {
                format!("{:?} instead of {status:?}", view.status)
            })?;
            for other in &view.waits_for {
                let runs = |slot: &rota_engine::SlotView| slot.status == SlotStatus::Running;
                let serves = engine.app(*other).is_some_and(|other| {
                    other.status == AppStatus::Online && other.slots.iter().all(runs)
                });
                ensure(!serves, || {
                    format!("{:?} waits for {other:?}, which serves", view.app)
                })?;
            }
            self.check_generations_at_rest(&view)?;
        }
        Ok(())
    }

    /// What nothing uses has been retired.
    pub(crate) fn check_generations_at_rest(&self, view: &AppView) -> Check {
        let mut used: BTreeSet<_> = view.slots.iter().map(|slot| slot.generation).collect();
        used.insert(view.generation);
        for slot in &view.slots {
            used.extend(slot.workers.iter().map(|worker| worker.generation));
        }
        let known = self.policies.keys().filter(|(app, _)| *app == view.app);
        let known: BTreeSet<_> = known.map(|(_, generation)| *generation).collect();
        ensure(known == used, || {
            format!("{:?} keeps {known:?} and needs {used:?}", view.app)
        })
    }

    /// After the shutdown.
    pub fn at_end(self, engine: &Engine) -> Result<Totals, String> {
        ensure(self.ended, || "no end of the shutdown".to_owned())?;
        ensure(self.issued.is_empty(), || {
            "a command without answer at the end".to_owned()
        })?;
        ensure(engine.next_deadline().is_none(), || {
            "a deadline after the end".to_owned()
        })?;
        Ok(self.totals)
    }
}
