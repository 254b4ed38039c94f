//! The invariants.

use std::collections::{BTreeMap, BTreeSet};

use rota_engine::{
    AppId, AppStatus, AppView, Command, CommandId, Effect, Engine, Event, FailReason, Failure,
    Generation, Notice, Outcome, Policy, Slot, SlotStatus, StopReason, Time, Verb, WorkerId,
    WorkerStatus,
};

use crate::world::Mode;

/// How long a command may take, in simulated time: each of a few rollouts of a few slots that
/// wait for several timeouts each.
const ANSWER_WITHIN: u64 = 8 * 60_000;

struct Live {
    app: AppId,
    slot: Slot,
    generation: Generation,
    spawned: bool,
    signalled: bool,
    drained: bool,
}

struct Issued {
    at: Time,
    command: Command,
    /// Workers of the app when it was issued.
    live: BTreeSet<WorkerId>,
}

/// What happened in how many schedules, so that a sweep can show that it saw it.
#[derive(Default, Debug)]
pub struct Totals {
    pub counts: BTreeMap<String, u64>,
    pub longest_answer_ms: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.longest_answer_ms = self.longest_answer_ms.max(other.longest_answer_ms);
    }

    fn note(&mut self, name: impl Into<String>) {
        *self.counts.entry(name.into()).or_default() += 1;
    }

    /// A sweep that never saw a thing proves nothing about it.
    pub fn assert_covered(&self, mode: Mode, seeds: u64) {
        if seeds < 1000 {
            return;
        }
        let expected: &[&str] = match mode {
            Mode::Chaos => &[
                "Start done",
                "Start failed",
                "Start refused",
                "Start superseded",
                "Stop done",
                "Stop refused",
                "Restart done",
                "Restart failed",
                "Restart superseded",
                "Reload done",
                "Reload failed",
                "Reload superseded",
                "Reload refused",
                "Scale done",
                "Scale failed",
                "Scale superseded",
                "Scale refused",
                "Delete done",
                "Shutdown done",
                "rolled back",
                "not rolled back",
                "killed",
                "errored",
                "finished",
                "merged",
                "queued",
                "assumed ready",
                "left",
                "hung",
                "not ready",
                "spawn failed",
                "crashed",
                "recycled",
                "recycle failed",
                "generation retired",
                "app removed",
                "kill repeated",
            ],
            Mode::Clean => &[
                "Reload done",
                "Scale done",
                "recycled",
                "merged",
                "generation retired",
            ],
            Mode::Broken => &[
                "Reload done",
                "Reload failed",
                "rolled back",
                "canary failed alone",
            ],
        };
        for name in expected {
            assert!(
                self.counts.contains_key(*name),
                "no schedule of {mode:?} had: {name}"
            );
        }
    }
}

pub struct Checker {
    mode: Mode,
    live: BTreeMap<WorkerId, Live>,
    issued: BTreeMap<CommandId, Issued>,
    answered: BTreeSet<CommandId>,
    policies: BTreeMap<(AppId, Generation), Policy>,
    /// Workers that do nothing wrong.
    good: BTreeSet<WorkerId>,
    /// Slots that served, and have lost no worker since by its own fault.
    covered: BTreeSet<(AppId, Slot)>,
    /// Holders of the app's slots when its rollout began, and how many workers it has started.
    rollouts: BTreeMap<AppId, Canary>,
    /// Workers that were told to go because they are replaced.
    leaving: BTreeSet<WorkerId>,
    closing: bool,
    ended: bool,
    unknown_at_rest: bool,
    totals: Totals,
}

#[derive(Default)]
struct Canary {
    to: Generation,
    holders: Vec<(Slot, WorkerId)>,
    started: u32,
    disturbed: bool,
    replaced: bool,
}

type Check = Result<(), String>;

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what()) }
}

fn holders(view: &AppView) -> Vec<(Slot, WorkerId)> {
    let running = view
        .slots
        .iter()
        .filter(|slot| slot.status == SlotStatus::Running);
    let holders = running.filter_map(|slot| Some((slot.slot, slot.workers.first()?.worker)));
    holders.collect()
}

impl Checker {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            live: BTreeMap::new(),
            issued: BTreeMap::new(),
            answered: BTreeSet::new(),
            policies: BTreeMap::new(),
            good: BTreeSet::new(),
            covered: BTreeSet::new(),
            rollouts: BTreeMap::new(),
            leaving: BTreeSet::new(),
            closing: false,
            ended: false,
            unknown_at_rest: false,
            totals: Totals::default(),
        }
    }

    pub fn note_fate(&mut self, worker: WorkerId, good: bool) {
        if good {
            self.good.insert(worker);
        }
    }

    /// Takes note of an event before the engine sees it.
    pub fn before(&mut self, engine: &Engine, event: &Event, now: Time) {
        let timers = engine.next_deadline().is_some_and(|due| due <= now);
        let unknown = event
            .worker()
            .is_some_and(|worker| !self.live.contains_key(&worker));
        self.unknown_at_rest = unknown && !timers;
        match event {
            Event::Command { id, command } => self.issue(*id, command, now),
            Event::Spawned { worker, .. } => {
                if let Some(live) = self.live.get_mut(worker) {
                    live.spawned = true;
                }
            }
            Event::Exited { worker, .. } | Event::SpawnFailed { worker, .. } => {
                self.note_fault(engine, *worker);
                self.live.remove(worker);
            }
            Event::Leaving { worker } | Event::Hung { worker, .. } => {
                self.note_fault(engine, *worker);
            }
            Event::Ready { .. } | Event::Drained { .. } | Event::Recycle { .. } | Event::Tick => {}
        }
    }

    fn issue(&mut self, id: CommandId, command: &Command, now: Time) {
        let app = command.app();
        let live = self.live.iter().filter(|(_, live)| Some(live.app) == app);
        let live = live.map(|(id, _)| *id).collect();
        let command = command.clone();
        match &command {
            Command::Shutdown { .. } => self.closing = true,
            Command::Start {
                app,
                policy,
                generation,
            }
            | Command::Restart {
                app,
                update: Some((policy, generation)),
                ..
            }
            | Command::Reload {
                app,
                update: Some((policy, generation)),
                ..
            } => {
                self.policies.insert((*app, *generation), policy.clone());
            }
            _ => {}
        }
        self.issued.insert(
            id,
            Issued {
                at: now,
                command,
                live,
            },
        );
    }

    /// A worker that was not told to stop ends, hangs or leaves: what it served is not covered
    /// any more, and that is not the engine's doing.
    fn note_fault(&mut self, engine: &Engine, worker: WorkerId) {
        let Some(live) = self.live.get(&worker) else {
            return;
        };
        if engine
            .worker(worker)
            .is_some_and(|view| view.stopping.is_none())
        {
            self.covered.remove(&(live.app, live.slot));
            if let Some(canary) = self.rollouts.get_mut(&live.app) {
                canary.disturbed |= live.generation != canary.to;
            }
        }
    }

    pub fn after(
        &mut self,
        engine: &Engine,
        event: &Event,
        effects: &[Effect],
        now: Time,
    ) -> Check {
        ensure(!self.unknown_at_rest || effects.is_empty(), || {
            format!("an event about an unknown worker did something: {effects:?}")
        })?;
        for effect in effects {
            self.check_effect(engine, effect, event, now)?;
        }
        ensure(engine.next_deadline().is_none_or(|due| due > now), || {
            format!(
                "a deadline is still due at {now:?}: {:?}",
                engine.next_deadline()
            )
        })?;
        if let Some(overdue) = self
            .issued
            .values()
            .find(|issued| now.since(issued.at).as_millis() > u128::from(ANSWER_WITHIN))
        {
            return Err(format!(
                "no answer in time: {:?} of {:?}",
                overdue.command, overdue.at
            ));
        }
        for view in engine.apps() {
            self.check_app(&view)?;
        }
        self.check_ids(engine)?;
        let seen: usize = engine
            .apps()
            .flat_map(|app| app.slots)
            .map(|slot| slot.workers.len())
            .sum();
        ensure(seen == self.live.len(), || {
            format!("{} live, {seen} seen", self.live.len())
        })
    }

    fn check_effect(
        &mut self,
        engine: &Engine,
        effect: &Effect,
        event: &Event,
        now: Time,
    ) -> Check {
        match effect {
            Effect::Spawn {
                worker,
                app,
                slot,
                generation,
            } => self.check_spawn(engine, *worker, *app, *slot, *generation),
            Effect::Drain { worker } => {
                let live = self.live.get_mut(worker).ok_or("drain of no live worker")?;
                ensure(!live.signalled && !live.drained, || {
                    "wrong drain".to_owned()
                })?;
                live.drained = true;
                Ok(())
            }
            Effect::StopSignal { worker } => {
                let live = self
                    .live
                    .get_mut(worker)
                    .ok_or("signal to no live worker")?;
                ensure(live.spawned && !live.signalled, || {
                    "wrong stop signal".to_owned()
                })?;
                live.signalled = true;
                Ok(())
            }
            Effect::Kill { worker } => {
                let live = self.live.contains_key(worker);
                if engine
                    .worker(*worker)
                    .is_some_and(|view| view.status == WorkerStatus::Killing)
                    && *event == Event::Tick
                {
                    self.totals.note("kill repeated");
                }
                ensure(live, || "kill of no live worker".to_owned())
            }
            Effect::Reply { command, outcome } => self.check_reply(engine, *command, outcome, now),
            Effect::Notice { app, notice } => self.check_notice(engine, *app, notice),
            Effect::GenerationRetired { app, generation } => self.check_retired(*app, *generation),
            Effect::AppRemoved { app } => {
                self.totals.note("app removed");
                self.covered.retain(|(other, _)| other != app);
                self.rollouts.remove(app);
                let left = self.live.values().any(|live| live.app == *app);
                ensure(!left && engine.app(*app).is_none(), || {
                    "removed too early".to_owned()
                })?;
                ensure(!self.policies.keys().any(|(other, _)| other == app), || {
                    "a removed app's generation was not retired".to_owned()
                })
            }
            Effect::ShutdownComplete => {
                ensure(self.live.is_empty() && !self.ended, || {
                    "not shut down".to_owned()
                })?;
                self.ended = true;
                Ok(())
            }
        }
    }

    fn check_spawn(
        &mut self,
        engine: &Engine,
        worker: WorkerId,
        app: AppId,
        slot: Slot,
        generation: Generation,
    ) -> Check {
        ensure(!self.ended, || "spawn after the shutdown".to_owned())?;
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
                None | Some(StopReason::Replaced | StopReason::Left | StopReason::RolledBack)
            );
            ensure(company, || {
                format!("{worker:?} beside {other:?}, which is stopped: {reason:?}")
            })?;
        }
        if let Some(canary) = self.rollouts.get_mut(&app) {
            canary.started += u32::from(canary.to == generation);
        }
        let live = Live {
            app,
            slot,
            generation,
            spawned: false,
            signalled: false,
            drained: false,
        };
        ensure(self.live.insert(worker, live).is_none(), || {
            "a worker id was used twice".to_owned()
        })
    }

    fn check_reply(
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
            Outcome::Failed(_) => "failed",
        };
        self.totals.note(format!("{verb:?} {word}"));
        match outcome {
            Outcome::Done(_) => self.check_done(&issued),
            Outcome::Failed(failure) => self.check_failed(engine, &issued, failure),
            Outcome::Refused(_) => Ok(()),
        }
    }

    fn check_done(&self, issued: &Issued) -> Check {
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

    fn check_failed(&mut self, engine: &Engine, issued: &Issued, failure: &Failure) -> Check {
        let Command::Reload {
            app,
            update: Some((_, generation)),
            ..
        } = &issued.command
        else {
            return Ok(());
        };
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

    fn check_notice(&mut self, engine: &Engine, app: AppId, notice: &Notice) -> Check {
        let name = match notice {
            Notice::Killing { .. } => "killed",
            Notice::Errored { .. } => "errored",
            Notice::Finished { .. } => "finished",
            Notice::Merged { .. } => "merged",
            Notice::Queued { .. } => "queued",
            Notice::Recycling { .. } => "recycled",
            Notice::RecycleFailed { .. } => "recycle failed",
            Notice::Ready { assumed: true, .. } => "assumed ready",
            Notice::Failed { reason } => match reason {
                FailReason::Crashed { .. } => "crashed",
                FailReason::NotReady { worker, .. } => {
                    let generation = self.live.get(worker).map(|live| live.generation);
                    if let Some(canary) = self.rollouts.get_mut(&app) {
                        canary.disturbed |= generation != Some(canary.to);
                    }
                    "not ready"
                }
                FailReason::SpawnFailed { .. } => "spawn failed",
                FailReason::Hung { .. } => "hung",
                FailReason::Left { .. } => "left",
                FailReason::Superseded { .. } => return Err("a worker was superseded".to_owned()),
            },
            Notice::RolloutStarted { to, .. } => {
                let holders = engine
                    .app(app)
                    .map(|view| holders(&view))
                    .unwrap_or_default();
                let canary = Canary {
                    to: *to,
                    holders,
                    ..Canary::default()
                };
                self.rollouts.insert(app, canary);
                return Ok(());
            }
            Notice::Draining {
                worker,
                reason: StopReason::Replaced,
                slot,
            }
            | Notice::Stopping {
                worker,
                reason: StopReason::Replaced,
                slot,
            } => {
                return self.check_replaced(engine, app, *slot, *worker);
            }
            Notice::Draining {
                slot,
                worker,
                reason: StopReason::Command(Verb::Scale),
            }
            | Notice::Stopping {
                slot,
                worker,
                reason: StopReason::Command(Verb::Scale),
            } => {
                self.covered.remove(&(app, *slot));
                if let Some(canary) = self.rollouts.get_mut(&app) {
                    canary.holders.retain(|(_, holder)| holder != worker);
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.totals.note(name);
        Ok(())
    }

    /// A worker only goes because it is replaced when its successor serves (or had served, and
    /// failed since), except where there is no surge.
    fn check_replaced(&mut self, engine: &Engine, app: AppId, slot: Slot, old: WorkerId) -> Check {
        let first = self.leaving.insert(old);
        if !first {
            return Ok(());
        }
        if let Some(canary) = self.rollouts.get_mut(&app) {
            canary.replaced = true;
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
        })
    }

    fn check_retired(&mut self, app: AppId, generation: Generation) -> Check {
        self.totals.note("generation retired");
        let used = self
            .live
            .values()
            .any(|live| live.app == app && live.generation == generation);
        ensure(!used, || {
            format!("generation {generation} retired too early")
        })?;
        let known = self.policies.remove(&(app, generation)).is_some();
        ensure(known, || format!("generation {generation} retired twice"))
    }

    fn least_surge(&self, app: AppId) -> u32 {
        let policies = self.policies.iter().filter(|((other, _), _)| *other == app);
        policies.map(|(_, policy)| policy.surge).min().unwrap_or(0)
    }

    fn check_app(&mut self, view: &AppView) -> Check {
        let app = view.app;
        let mut extra = 0;
        for slot in &view.slots {
            let staying = slot
                .workers
                .iter()
                .filter(|worker| worker.stopping.is_none())
                .count();
            extra += staying.saturating_sub(1);
            ensure(slot.workers.len() <= 2, || {
                format!("three workers in {app:?}:{}", slot.slot)
            })?;
        }
        let policies = self.policies.iter().filter(|((other, _), _)| *other == app);
        let surge = policies.map(|(_, policy)| policy.surge).max().unwrap_or(0);
        ensure(u32::try_from(extra).unwrap() <= surge, || {
            format!("{extra} extra workers, surge {surge}")
        })?;
        self.check_floor(view)
    }

    /// No slot that serves stops serving by plan; with no surge, only as many as may be missing.
    fn check_floor(&mut self, view: &AppView) -> Check {
        let app = view.app;
        let mut missing = Vec::new();
        for slot in &view.slots {
            let serves = slot
                .workers
                .iter()
                .any(|worker| worker.status == WorkerStatus::Ready);
            if !slot.wanted || self.closing || self.mode == Mode::Chaos {
                self.covered.remove(&(app, slot.slot));
            } else if serves {
                self.covered.insert((app, slot.slot));
            } else if self.covered.contains(&(app, slot.slot)) {
                missing.push(slot.slot);
            }
        }
        let policies = || {
            self.policies
                .iter()
                .filter(|((other, _), _)| *other == app)
                .map(|(_, policy)| policy)
        };
        let allowed = match self.least_surge(app) {
            0 => policies()
                .map(|policy| policy.max_missing)
                .max()
                .unwrap_or(0)
                .max(1),
            _ => 0,
        };
        ensure(missing.len() <= usize::try_from(allowed).unwrap(), || {
            format!("{app:?}: slots {missing:?} do not serve, {allowed} may be missing")
        })
    }

    fn check_ids(&self, engine: &Engine) -> Check {
        let mut ids = BTreeSet::new();
        for view in engine.apps() {
            for slot in &view.slots {
                ensure(ids.insert(slot.id), || format!("id {} twice", slot.id))?;
            }
            let wanted = view
                .slots
                .iter()
                .take(usize::try_from(view.instances).unwrap());
            for (number, slot) in wanted.enumerate() {
                ensure(usize::try_from(slot.slot).unwrap() == number, || {
                    "a gap in the slots".to_owned()
                })?;
            }
        }
        Ok(())
    }

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
                Some((true, _)) => AppStatus::Errored,
                _ => AppStatus::Stopped,
            };
            ensure(view.status == status, || {
                format!("{:?} instead of {status:?}", view.status)
            })?;
            self.check_generations_at_rest(&view)?;
        }
        Ok(())
    }

    /// What nothing uses has been retired.
    fn check_generations_at_rest(&self, view: &AppView) -> Check {
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
