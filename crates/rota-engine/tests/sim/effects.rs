//! Invariants of single effects.

use rota_engine::{
    AppId, Command, CommandId, Effect, Engine, FailReason, Failure, Generation, Outcome, Slot,
    StopReason, Time, WorkerId,
};

use crate::check::{Check, Checker, Issued, Live, ensure};

impl Checker {
    pub(crate) fn check_effect(&mut self, engine: &Engine, effect: &Effect, now: Time) -> Check {
        match effect {
            Effect::Spawn {
                worker,
                app,
                slot,
                generation,
            } => self.check_spawn(engine, *worker, *app, *slot, *generation),
            Effect::Drain { worker }
            | Effect::StopMessage { worker }
            | Effect::StopSignal { worker }
            | Effect::Kill { worker } => self.check_rung(engine, effect, *worker, now),
            Effect::Reply { command, outcome } => self.check_reply(engine, *command, outcome, now),
            Effect::Notice { app, notice } => self.check_notice(engine, *app, notice),
            Effect::GenerationRetired { app, generation } => self.check_retired(*app, *generation),
            Effect::AppRemoved { app } => self.check_removed(engine, *app),
            Effect::ShutdownComplete => {
                ensure(self.live.is_empty() && !self.ended, || {
                    "not shut down".to_owned()
                })?;
                self.ended = true;
                Ok(())
            }
        }
    }

    /// What is done to end a worker is done to a live one, and in order.
    fn check_rung(
        &mut self,
        engine: &Engine,
        effect: &Effect,
        worker: WorkerId,
        now: Time,
    ) -> Check {
        let view = engine.worker(worker);
        let why = view.and_then(|view| view.stopping);
        let starting = view.is_some_and(|view| view.ready.is_none());
        let live = self.live.get_mut(&worker);
        let live = live.ok_or_else(|| format!("{effect:?}, which does not live"))?;
        match effect {
            Effect::Drain { .. } => {
                let asked = live.asked.is_some();
                ensure(
                    !asked && !live.signalled && live.drained.is_none() && !live.killed,
                    || "wrong drain".to_owned(),
                )?;
                live.drained = Some(now);
                if starting {
                    self.totals.note("starting worker drained");
                }
            }
            Effect::StopMessage { .. } => {
                let policy = self.policies.get(&(live.app, live.generation));
                let asks = policy.is_some_and(|policy| policy.asks);
                let first = live.asked.is_none() && !live.signalled && !live.killed;
                ensure(asks && live.spawned && first, || {
                    "wrong stop message".to_owned()
                })?;
                let waited = policy.is_none_or(|policy| {
                    let over = |asked: Time| now.since(asked) >= policy.drain_timeout;
                    !policy.drains || live.finished || live.drained.is_some_and(over)
                });
                ensure(waited || why == Some(StopReason::Left), || {
                    format!("{worker:?} was asked to stop before it had finished: {why:?}")
                })?;
                live.asked = Some(now);
                self.totals.note("asked by message");
            }
            Effect::StopSignal { .. } => {
                let policy = self.policies.get(&(live.app, live.generation));
                if let (Some(asked), Some(policy)) = (live.asked, policy) {
                    let over = now.since(asked) >= policy.kill_timeout;
                    ensure(over || live.hung, || {
                        "signalled before the time of the message was over".to_owned()
                    })?;
                    self.totals.note("signalled after the message");
                }
                ensure(live.spawned && !live.signalled && !live.killed, || {
                    "wrong stop signal".to_owned()
                })?;
                live.signalled = true;
                // What it has been given it may finish, ready or not.
                let policy = self.policies.get(&(live.app, live.generation));
                let policy = policy.filter(|policy| policy.drains);
                let waited = policy.is_none_or(|policy| {
                    let over = |asked: Time| now.since(asked) >= policy.drain_timeout;
                    live.finished || live.drained.is_some_and(over)
                });
                let at_once = live.hung || why == Some(StopReason::Left);
                ensure(waited || at_once, || {
                    format!("{worker:?} was stopped before it had finished: {why:?}")
                })?;
            }
            _ => {
                if std::mem::replace(&mut live.killed, true) {
                    self.totals.note("kill repeated");
                }
            }
        }
        Ok(())
    }

    fn check_removed(&mut self, engine: &Engine, app: AppId) -> Check {
        self.totals.note("app removed");
        self.covered.retain(|(other, _)| *other != app);
        self.rollouts.remove(&app);
        let left = self.live.values().any(|live| live.app == app);
        ensure(!left && engine.app(app).is_none(), || {
            "removed too early".to_owned()
        })?;
        ensure(
            !self.policies.keys().any(|(other, _)| *other == app),
            || "a removed app's generation was not retired".to_owned(),
        )
    }

    pub(crate) fn check_spawn(
        &mut self,
        engine: &Engine,
        worker: WorkerId,
        app: AppId,
        slot: Slot,
        generation: Generation,
    ) -> Check {
        ensure(!self.ended, || "spawn after the shutdown".to_owned())?;
        ensure(!self.failed.contains(&(app, generation)), || {
            format!("spawn with generation {generation}, which has failed")
        })?;
        let waits = engine
            .app(app)
            .is_some_and(|view| !view.waits_for.is_empty());
        ensure(!waits, || {
            format!("{app:?} waits, and {worker:?} is started")
        })?;
        let policy = self
            .policies
            .get(&(app, generation))
            .ok_or("spawn of a retired generation")?;
        let beside: Vec<_> = self
            .live
            .iter()
            .filter(|(_, live)| live.app == app && live.slot == slot)
            .collect();
        ensure(beside.len() < 2, || {
            format!("three incarnations of {app:?}:{slot}")
        })?;
        for (other, old) in beside {
            let surge = policy.surge.min(
                self.policies
                    .get(&(app, old.generation))
                    .map_or(1, |p| p.surge),
            );
            ensure(surge > 0, || {
                format!("{other:?} beside {worker:?} with no surge")
            })?;
            // Its view may have changed already by what followed in the same event.
            let reason = engine.worker(*other).and_then(|view| view.stopping);
            let company = matches!(
                reason,
                None | Some(
                    StopReason::Replaced
                        | StopReason::Left
                        | StopReason::RolledBack
                        | StopReason::Hung
                )
            );
            ensure(company, || {
                format!("{worker:?} beside {other:?}, which is stopped: {reason:?}")
            })?;
        }
        self.check_pace(app, slot)?;
        if let Some(canary) = self.rollouts.get_mut(&app) {
            canary.started += u32::from(canary.to == generation);
        }
        let live = Live::new(app, slot, generation);
        ensure(self.live.insert(worker, live).is_none(), || {
            "a worker id was used twice".to_owned()
        })
    }

    /// No slot gets workers in a busy loop, however they fail.
    pub(crate) fn check_pace(&mut self, app: AppId, slot: Slot) -> Check {
        let second_ago = Time(self.now.0.saturating_sub(1000));
        let starts = self.starts.entry((app, slot)).or_default();
        starts.push(self.now);
        starts.retain(|time| *time > second_ago);
        self.commanded.retain(|time| *time > second_ago);
        let (starts, commands) = (starts.len(), self.commanded.len());
        ensure(starts <= 15 + 2 * commands, || {
            format!("{starts} workers for {app:?}:{slot} in a second")
        })
    }

    pub(crate) fn check_reply(
        &mut self,
        engine: &Engine,
        id: CommandId,
        outcome: &Outcome,
        now: Time,
    ) -> Check {
        let issued = self.issued.remove(&id).ok_or_else(|| {
            let before = self.answered.contains(&id);
            format!(
                "answer to {id:?}, which is {}",
                if before { "answered" } else { "unknown" }
            )
        })?;
        self.answered.insert(id);
        let took = u64::try_from(now.since(issued.at).as_millis()).unwrap();
        self.totals.longest_answer_ms = self.totals.longest_answer_ms.max(took);
        let verb = issued.command.verb();
        let word = match outcome {
            Outcome::Done(_) => "done",
            Outcome::Refused(_) => "refused",
            Outcome::Failed(Failure {
                reason: FailReason::Superseded { .. },
                ..
            }) => "superseded",
            Outcome::Failed(Failure {
                reason: FailReason::NoResources { .. },
                ..
            }) => "without resources",
            Outcome::Failed(_) => "failed",
        };
        if word == "without resources" {
            self.totals.note("gave up for lack of resources");
        }
        self.totals.note(format!("{verb:?} {word}"));
        match outcome {
            Outcome::Done(_) => self.check_done(&issued),
            Outcome::Failed(failure) => self.check_failed(engine, &issued, failure),
            Outcome::Refused(_) => Ok(()),
        }
    }

    pub(crate) fn check_done(&self, issued: &Issued) -> Check {
        let left = issued
            .live
            .iter()
            .find(|worker| self.live.contains_key(worker));
        let whole = match &issued.command {
            Command::Stop { slots, .. } => slots.is_none(),
            Command::Delete { .. } => true,
            _ => false,
        };
        ensure(!whole || left.is_none(), || {
            format!("{:?} done, {left:?} lives", issued.command)
        })
    }

    pub(crate) fn check_retired(&mut self, app: AppId, generation: Generation) -> Check {
        self.totals.note("generation retired");
        let used = self
            .live
            .values()
            .any(|live| live.app == app && live.generation == generation);
        ensure(!used, || {
            format!("generation {generation} retired too early")
        })?;
        let known = self.policies.remove(&(app, generation));
        let in_place = known.as_ref().is_some_and(|policy| policy.surge == 0);
        if in_place && self.adopted.contains(&app) {
            // A worker that a lost rollout has left may be the last of its generation: its slot is
            // done in place, by a generation that nobody knows any more.
            self.covered.retain(|(other, _)| *other != app);
        }
        ensure(known.is_some(), || {
            format!("generation {generation} retired twice")
        })
    }
}
