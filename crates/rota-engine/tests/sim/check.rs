//! The invariants.

use std::collections::{BTreeMap, BTreeSet};

use rota_engine::{
    AppId, AppView, Command, CommandId, Effect, Engine, Event, Generation, Policy, Slot,
    SlotStatus, Time, WorkerId, WorkerStatus,
};

use crate::totals::Totals;
use crate::world::Mode;

/// How long a command may take, in simulated time: each of a few rollouts of a few slots that
/// wait for several timeouts each.
const ANSWER_WITHIN: u64 = 8 * 60_000;

pub(crate) struct Live {
    pub(crate) app: AppId,
    pub(crate) slot: Slot,
    pub(crate) generation: Generation,
    pub(crate) spawned: bool,
    pub(crate) signalled: bool,
    /// When it was asked to stop by a message.
    pub(crate) asked: Option<Time>,
    /// When it was asked to finish.
    pub(crate) drained: Option<Time>,
    /// It has finished, or had nothing to.
    pub(crate) finished: bool,
    pub(crate) hung: bool,
    pub(crate) killed: bool,
}

impl Live {
    pub(crate) const fn new(app: AppId, slot: Slot, generation: Generation) -> Self {
        Self {
            app,
            slot,
            generation,
            spawned: false,
            signalled: false,
            asked: None,
            drained: None,
            finished: false,
            hung: false,
            killed: false,
        }
    }
}

pub(crate) struct Issued {
    pub(crate) at: Time,
    pub(crate) command: Command,
    /// Workers of the app when it was issued.
    pub(crate) live: BTreeSet<WorkerId>,
}

pub(crate) struct Checker {
    pub(crate) mode: Mode,
    pub(crate) live: BTreeMap<WorkerId, Live>,
    pub(crate) issued: BTreeMap<CommandId, Issued>,
    pub(crate) answered: BTreeSet<CommandId>,
    pub(crate) policies: BTreeMap<(AppId, Generation), Policy>,
    /// Workers that do nothing wrong.
    pub(crate) good: BTreeSet<WorkerId>,
    /// Slots that served, and have lost no worker since by its own fault.
    pub(crate) covered: BTreeSet<(AppId, Slot)>,
    /// Holders of the app's slots when its rollout began, and how many workers it has started.
    pub(crate) rollouts: BTreeMap<AppId, Canary>,
    /// Workers that were told to go because they are replaced.
    pub(crate) leaving: BTreeSet<WorkerId>,
    pub(crate) now: Time,
    /// When each slot got its latest workers, and how many commands there were.
    pub(crate) starts: BTreeMap<(AppId, Slot), Vec<Time>>,
    pub(crate) commanded: Vec<Time>,
    /// Generations that were rolled out, and those of them that failed.
    pub(crate) tried: BTreeSet<(AppId, Generation)>,
    pub(crate) failed: BTreeSet<(AppId, Generation)>,
    /// Until when no planned replacement may begin, because the last one failed.
    pub(crate) recycle_pause: BTreeMap<AppId, Time>,
    /// Apps whose state was lost.
    pub(crate) adopted: BTreeSet<AppId>,
    pub(crate) closing: bool,
    pub(crate) ended: bool,
    pub(crate) unknown_at_rest: bool,
    /// A slot that could not get a process, and how often it was unstable until then.
    pub(crate) deferred: Option<(AppId, Slot, u32)>,
    pub(crate) totals: Totals,
}

#[derive(Default)]
pub(crate) struct Canary {
    pub(crate) to: Generation,
    pub(crate) holders: Vec<(Slot, WorkerId)>,
    pub(crate) started: u32,
    pub(crate) disturbed: bool,
    pub(crate) replaced: bool,
}

pub(crate) type Check = Result<(), String>;

pub(crate) fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what()) }
}

pub(crate) fn holders(view: &AppView) -> Vec<(Slot, WorkerId)> {
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
            now: Time::default(),
            starts: BTreeMap::new(),
            commanded: Vec::new(),
            tried: BTreeSet::new(),
            failed: BTreeSet::new(),
            recycle_pause: BTreeMap::new(),
            adopted: BTreeSet::new(),
            closing: false,
            ended: false,
            unknown_at_rest: false,
            deferred: None,
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
        self.now = now;
        let timers = engine.next_deadline().is_some_and(|due| due <= now);
        let unknown = event
            .worker()
            .is_some_and(|worker| !self.live.contains_key(&worker));
        self.unknown_at_rest = unknown && !timers;
        self.deferred = None;
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
            Event::SpawnDeferred { worker, .. } => self.note_deferred(engine, *worker),
            Event::Leaving { worker } | Event::Hung { worker, .. } => {
                self.note_fault(engine, *worker);
                if let Some(live) = self.live.get_mut(worker) {
                    live.hung |= matches!(event, Event::Hung { .. });
                }
            }
            Event::Drained { worker } => {
                if let Some(live) = self.live.get_mut(worker) {
                    live.finished |= live.drained.is_some();
                }
            }
            Event::Ready { .. } | Event::Recycle { .. } | Event::Tick => {}
        }
    }

    pub(crate) fn issue(&mut self, id: CommandId, command: &Command, now: Time) {
        self.commanded.push(now);
        let app = command.app();
        if let Some(app) = app {
            // A start or restart that goes well lets planned replacements begin anew.
            self.recycle_pause.remove(&app);
        }
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
            | Command::Define {
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
    pub(crate) fn note_fault(&mut self, engine: &Engine, worker: WorkerId) {
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

    pub fn after(&mut self, engine: &Engine, effects: &[Effect], now: Time) -> Check {
        ensure(!self.unknown_at_rest || effects.is_empty(), || {
            format!("an event about an unknown worker did something: {effects:?}")
        })?;
        for effect in effects {
            self.check_effect(engine, effect, now)?;
        }
        self.check_deferred(engine, effects)?;
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

    /// An app's state was lost: what was promised for it does not hold any more, and of its
    /// processes only these are there.
    pub(crate) fn forget(&mut self, app: AppId, there: &BTreeSet<WorkerId>) {
        self.adopted.insert(app);
        self.issued
            .retain(|_, issued| issued.command.app() != Some(app));
        self.covered.retain(|(other, _)| *other != app);
        self.rollouts.remove(&app);
        self.recycle_pause.remove(&app);
        self.tried.retain(|(other, _)| *other != app);
        self.failed.retain(|(other, _)| *other != app);
        self.live
            .retain(|id, live| live.app != app || there.contains(id));
        for live in self.live.values_mut().filter(|live| live.app == app) {
            live.spawned = true;
            live.signalled = false;
            live.asked = None;
            live.drained = None;
            live.finished = false;
            live.killed = false;
        }
        self.unknown_at_rest = false;
    }

    pub(crate) fn least_surge(&self, app: AppId) -> u32 {
        let policies = self.policies.iter().filter(|((other, _), _)| *other == app);
        policies.map(|(_, policy)| policy.surge).min().unwrap_or(0)
    }

    pub(crate) fn check_app(&mut self, view: &AppView) -> Check {
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
    pub(crate) fn check_floor(&mut self, view: &AppView) -> Check {
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

    pub(crate) fn check_ids(&self, engine: &Engine) -> Check {
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
}
