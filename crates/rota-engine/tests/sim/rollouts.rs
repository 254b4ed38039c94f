//! Invariants of rollouts and roll-backs.

use rota_engine::{
    AppId, Command, Engine, FailReason, Failure, Notice, Slot, StopReason, Verb, WorkerId,
};

use crate::check::{Canary, Check, Checker, Issued, ensure, holders};
use crate::world::Mode;

impl Checker {
    pub(crate) fn check_failed(
        &mut self,
        engine: &Engine,
        issued: &Issued,
        failure: &Failure,
    ) -> Check {
        let Command::Reload {
            app,
            update: Some((_, generation)),
            ..
        } = &issued.command
        else {
            return Ok(());
        };
        // A reload of an app that rests is a start: its generation stays.
        if self.tried.contains(&(*app, *generation)) {
            self.failed.insert((*app, *generation));
        }
        let superseded = matches!(failure.reason, FailReason::Superseded { .. });
        if superseded || !failure.rolled_back {
            if !superseded {
                self.totals.note("not rolled back");
            }
            return Ok(());
        }
        self.totals.note("rolled back");
        let left = self
            .live
            .iter()
            .find(|(_, live)| live.app == *app && live.generation == *generation);
        ensure(left.is_none(), || {
            format!("rolled back, but {:?} lives", left.map(|(id, _)| id))
        })?;
        let Some(view) = engine.app(*app) else {
            // Deleted while the last of the new workers was going.
            return Ok(());
        };
        ensure(view.generation != *generation, || {
            "rolled back to the new generation".to_owned()
        })?;
        if let Some(canary) = self
            .rollouts
            .remove(app)
            .filter(|canary| canary.to == *generation)
            && canary.started == 1
            && !canary.disturbed
            && !canary.replaced
            && self.mode == Mode::Broken
        {
            self.totals.note("canary failed alone");
            let now = holders(&view);
            let survived = |old: &(Slot, WorkerId)| now.contains(old);
            ensure(canary.holders.iter().all(survived), || {
                format!("old workers {:?} did not survive: {now:?}", canary.holders)
            })?;
        }
        Ok(())
    }

    pub(crate) fn check_notice(&mut self, engine: &Engine, app: AppId, notice: &Notice) -> Check {
        if let Some(name) = name(notice) {
            self.totals.note(name);
        }
        match notice {
            Notice::RolloutStarted { to, .. } => {
                self.tried.insert((app, *to));
                let view = engine.app(app);
                let holders = view.map(|view| holders(&view)).unwrap_or_default();
                let canary = Canary {
                    to: *to,
                    holders,
                    ..Canary::default()
                };
                self.rollouts.insert(app, canary);
                Ok(())
            }
            Notice::Defined { generation } => {
                for (id, live) in &mut self.live {
                    let view = engine.worker(*id).filter(|view| view.app == app);
                    if view.is_some_and(|view| view.generation == *generation) {
                        live.generation = *generation;
                    }
                }
                Ok(())
            }
            Notice::Failed { reason } => self.note_failure(app, reason),
            Notice::RecycleFailed {
                again: Some(again), ..
            } => {
                self.recycle_pause.insert(app, self.now + *again);
                Ok(())
            }
            Notice::Recycling { .. } | Notice::RolloutDone { .. } => {
                let until = self.recycle_pause.remove(&app);
                let done = matches!(notice, Notice::RolloutDone { .. });
                ensure(done || until.is_none_or(|until| until <= self.now), || {
                    format!("{app:?} recycles before {until:?}")
                })?;
                if let Some(canary) = self.rollouts.get_mut(&app) {
                    // What goes from here on does not go because of a canary.
                    canary.replaced = true;
                }
                Ok(())
            }
            Notice::Draining {
                slot,
                worker,
                reason,
            }
            | Notice::Stopping {
                slot,
                worker,
                reason,
            } => self.check_going(engine, app, *slot, *worker, *reason),
            _ => Ok(()),
        }
    }

    fn note_failure(&mut self, app: AppId, reason: &FailReason) -> Check {
        match reason {
            FailReason::Dependency { .. } | FailReason::Superseded { .. } => {
                Err("that is no failure of a worker".to_owned())
            }
            FailReason::NotReady { worker, .. } => {
                let generation = self.live.get(worker).map(|live| live.generation);
                if let Some(canary) = self.rollouts.get_mut(&app) {
                    canary.disturbed |= generation != Some(canary.to);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A worker is told to go.
    fn check_going(
        &mut self,
        engine: &Engine,
        app: AppId,
        slot: Slot,
        worker: WorkerId,
        reason: StopReason,
    ) -> Check {
        match reason {
            StopReason::Replaced => self.check_replaced(engine, app, slot, worker),
            StopReason::Command(Verb::Scale) => {
                self.covered.remove(&(app, slot));
                if let Some(canary) = self.rollouts.get_mut(&app) {
                    canary.holders.retain(|(_, holder)| *holder != worker);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A worker only goes because it is replaced when its successor serves (or had served, and
    /// failed since), except where there is no surge.
    pub(crate) fn check_replaced(
        &mut self,
        engine: &Engine,
        app: AppId,
        slot: Slot,
        old: WorkerId,
    ) -> Check {
        let first = self.leaving.insert(old);
        if !first {
            return Ok(());
        }
        let surge = self.least_surge(app);
        let view = engine.app(app).ok_or("replaced in an app that is gone")?;
        let served =
            |worker: &rota_engine::WorkerView| worker.worker > old && worker.ready.is_some();
        let state = view.slots.iter().find(|state| state.slot == slot);
        let successor = state.is_some_and(|state| {
            state.workers.iter().any(served)
                || state.last_exit.is_some_and(|exit| exit.worker > old)
        });
        ensure(surge == 0 || successor, || {
            format!("{old:?} was replaced by nobody")
        })?;
        let Some(canary) = self.rollouts.get_mut(&app) else {
            return Ok(());
        };
        let is_first = !std::mem::replace(&mut canary.replaced, true) && canary.started == 1;
        let to = canary.to;
        let observe = self.policies.get(&(app, to)).map(|policy| policy.observe);
        let short = state.is_some_and(|state| {
            let new = state.workers.iter().find(|worker| served(worker));
            let new = new.filter(|worker| worker.generation == to);
            let since = new.and_then(|worker| worker.ready);
            since.is_some_and(|ready| self.now.since(ready) < observe.unwrap_or_default())
        });
        ensure(surge == 0 || !is_first || !short, || {
            format!("{old:?} was replaced by a canary that was not observed")
        })
    }
}

/// What a sweep counts it as.
fn name(notice: &Notice) -> Option<&'static str> {
    Some(match notice {
        Notice::Killing { .. } => "killed",
        Notice::Errored { .. } => "errored",
        Notice::Finished { .. } => "finished",
        Notice::Defined { .. } => "defined",
        Notice::Merged { .. } => "merged",
        Notice::Queued { .. } => "queued",
        Notice::Recycling { .. } => "recycled",
        Notice::RolloutDone { .. } => "rolled out",
        Notice::RecycleFailed { .. } => "recycle failed",
        Notice::Ready { assumed: true, .. } => "assumed ready",
        Notice::SpawnDeferred { .. } => "spawn deferred",
        Notice::Failed { reason } => match reason {
            FailReason::Crashed { .. } => "crashed",
            FailReason::NotReady { .. } => "not ready",
            FailReason::SpawnFailed { .. } => "spawn failed",
            FailReason::NoResources { .. } => return None,
            FailReason::Hung { .. } => "hung",
            FailReason::Left { .. } => "left",
            FailReason::Dependency { .. } | FailReason::Superseded { .. } => return None,
        },
        _ => return None,
    })
}
