//! Deaths of the supervisor: its successor goes on with what was saved, or with what it sees.

use std::collections::{BTreeMap, BTreeSet};

use rota_engine::{
    AppFacts, AppId, Effect, Engine, RestoredApp, SavedShared, SlotFacts, Time, WorkerFacts,
    WorkerId, WorkerStatus,
};

use crate::check::{Check, ensure};
use crate::damage::endure;
use crate::random::Random;
use crate::world::World;

/// When the supervisor dies, and what of its state is lost then.
pub struct Death {
    random: Random,
    /// An app's state is lost with it.
    loses: bool,
    /// Every step is saved and read again.
    watches: bool,
    saved: BTreeMap<AppId, String>,
}

impl Death {
    pub fn new(seed: u64, loses: bool) -> Self {
        Self {
            random: Random::new(seed ^ 0xdead),
            loses,
            watches: seed.is_multiple_of(50),
            saved: BTreeMap::new(),
        }
    }
}

pub(crate) fn save(engine: &Engine) -> (String, BTreeMap<AppId, String>) {
    let ids: Vec<_> = engine.apps().map(|view| view.app).collect();
    let app = |id| serde_json::to_string(&engine.save_app(id)).unwrap();
    let apps = ids.into_iter().map(|id| (id, app(id))).collect();
    let shared = serde_json::to_string(&engine.save_shared()).unwrap();
    (shared, apps)
}

pub(crate) fn restore<'a>(
    shared: &str,
    apps: impl IntoIterator<Item = &'a String>,
) -> (Engine, Vec<(AppId, String)>) {
    let shared: SavedShared = serde_json::from_str(shared).unwrap();
    let apps = apps.into_iter();
    let apps = apps.filter_map(|text| serde_json::from_str::<RestoredApp>(text).ok());
    Engine::restore(Some(shared), apps)
}

impl World {
    /// The supervisor may die before it has performed these: says which are performed all the
    /// same.
    pub(crate) fn die_now_and_then(
        &mut self,
        effects: Vec<Effect>,
        told: Time,
    ) -> Result<Vec<Effect>, String> {
        if self.death.watches {
            self.watch()?;
        }
        if !self.death.random.percent(2) {
            return Ok(effects);
        }
        if self.death.loses && self.death.random.percent(50) {
            return self.lose_state(effects, told);
        }
        self.checker.totals.note("supervisor died");
        let (shared, apps) = save(&self.engine);
        let (engine, left_out) = restore(&shared, apps.values());
        ensure(left_out.is_empty(), || format!("left out: {left_out:?}"))?;
        ensure(engine == self.engine, || {
            format!("not the same: {apps:#?}\n{engine:#?}\n{:#?}", self.engine)
        })?;
        self.succeed(engine, effects)
    }

    /// Whoever follows goes on with this engine.
    fn succeed(&mut self, engine: Engine, effects: Vec<Effect>) -> Result<Vec<Effect>, String> {
        self.engine = engine;
        let again = self.engine.outstanding();
        if self.verbose {
            println!("{:>8} the supervisor dies: {again:?}", self.now);
        }
        for effect in &again {
            self.check_again(effect)?;
        }
        let (repeatable, mut performed): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| {
                matches!(
                    effect,
                    Effect::Spawn { .. } | Effect::Drain { .. } | Effect::Kill { .. }
                )
            });
        for lost in &repeatable {
            // What was defined in the same event holds for it as well.
            let redefined = again.iter().any(|effect| match (effect, lost) {
                (Effect::Spawn { worker: a, .. }, Effect::Spawn { worker: b, .. }) => a == b,
                _ => false,
            });
            let repeated = again.contains(lost) || redefined;
            ensure(repeated || self.is_past(lost), || {
                format!("never performed: {lost:?}")
            })?;
        }
        performed.extend(again);
        Ok(performed)
    }

    /// What is done again was done before, and is still wanted.
    fn check_again(&mut self, effect: &Effect) -> Check {
        let live = |worker| self.checker.live.get(worker);
        let (fits, name) = match effect {
            Effect::Spawn { worker, .. } => {
                let fits = live(worker).is_some_and(|live| !live.spawned);
                (fits, "spawn repeated")
            }
            Effect::Drain { worker } => {
                let fits = live(worker).is_some_and(|live| {
                    live.drained.is_some() && live.asked.is_none() && !live.signalled
                });
                (fits, "drain repeated")
            }
            Effect::Kill { worker } => {
                let fits = live(worker).is_some_and(|live| live.killed);
                (fits, "kill outstanding")
            }
            _ => (false, ""),
        };
        self.checker.totals.note(name);
        ensure(fits, || format!("done again: {effect:?}"))
    }

    /// A drain may have been overtaken by what followed in the same event.
    fn is_past(&self, effect: &Effect) -> bool {
        let Effect::Drain { worker } = effect else {
            return false;
        };
        let view = self.engine.worker(*worker);
        view.is_none_or(|view| view.status != WorkerStatus::Draining)
    }

    /// Every state can be saved and read again, and every change of one is told.
    fn watch(&mut self) -> Check {
        let changed = self.engine.take_changed();
        let (shared, apps) = save(&self.engine);
        let (engine, left_out) = restore(&shared, apps.values());
        ensure(left_out.is_empty(), || format!("left out: {left_out:?}"))?;
        ensure(engine == self.engine, || format!("not the same: {apps:#?}"))?;
        let before = std::mem::take(&mut self.death.saved);
        let ids: BTreeSet<_> = before.keys().chain(apps.keys()).collect();
        for id in ids {
            ensure(
                before.get(id) == apps.get(id) || changed.contains(id),
                || format!("{id:?} has changed, and nobody said so"),
            )?;
        }
        self.death.saved = apps;
        Ok(())
    }

    /// The supervisor dies, and the state of one app cannot be read any more.
    fn lose_state(&mut self, effects: Vec<Effect>, told: Time) -> Result<Vec<Effect>, String> {
        self.checker.totals.note("supervisor died");
        let (shared, mut apps) = save(&self.engine);
        let ids: Vec<_> = apps.keys().copied().collect();
        if ids.is_empty() {
            return Ok(effects);
        }
        let app = *self.death.random.pick(&ids);
        let facts = self.facts(app);
        let accepted = endure(&shared, &apps, facts.clone(), &mut self.death.random);
        let name = match accepted {
            true => "damaged state accepted",
            false => "damaged state refused",
        };
        self.checker.totals.note(name);
        apps.remove(&app);
        let (engine, left_out) = restore(&shared, apps.values());
        ensure(left_out.is_empty(), || format!("left out: {left_out:?}"))?;
        // What was about to be done for the lost app is not done.
        let lost: BTreeSet<_> = self.workers_of(app);
        let keeps = |effect: &Effect| worker_of(effect).is_none_or(|it| !lost.contains(&it));
        let effects = effects.into_iter().filter(keeps).collect();
        let mut performed = self.succeed(engine, effects)?;
        performed.extend(self.adopt(facts, told)?);
        Ok(performed)
    }

    fn workers_of(&self, app: AppId) -> BTreeSet<WorkerId> {
        let live = self.checker.live.iter();
        let of = live.filter(|(_, live)| live.app == app);
        of.map(|(id, _)| *id).collect()
    }

    /// What a supervisor sees that knows an app's specification and its processes.
    fn facts(&self, app: AppId) -> AppFacts {
        let view = self.engine.app(app).unwrap();
        let exists = |id: &WorkerId| {
            let actor = self.actors.get(id);
            actor.is_some_and(|actor| {
                actor.alive && actor.exists_at <= self.now && !actor.fate.spawn_fails
            })
        };
        let known = self.checker.policies.keys();
        let known = known.filter(|(other, _)| *other == app);
        let slots = view.slots.iter().map(|slot| SlotFacts {
            slot: slot.slot,
            id: Some(slot.id),
            wanted: slot.wanted,
            workers: slot
                .workers
                .iter()
                .filter(|worker| exists(&worker.worker))
                .map(|worker| WorkerFacts {
                    worker: worker.worker,
                    pid: u32::try_from(worker.worker.0).unwrap() + 1000,
                    generation: worker.generation,
                    policy: self.checker.policies[&(app, worker.generation)].clone(),
                    started: worker.started,
                    ready: worker.ready.is_some(),
                })
                .collect(),
        });
        AppFacts {
            app,
            policy: view.policy.clone(),
            generation: view.generation,
            known: known.map(|(_, generation)| *generation).collect(),
            slots: slots.collect(),
        }
    }

    fn adopt(&mut self, facts: AppFacts, told: Time) -> Result<Vec<Effect>, String> {
        let app = facts.app;
        self.checker.totals.note("app adopted");
        let there = facts.slots.iter().flat_map(|slot| &slot.workers);
        let there: BTreeSet<_> = there.map(|worker| worker.worker).collect();
        for worker in self.workers_of(app).difference(&there) {
            // Nobody creates it any more.
            if let Some(actor) = self.actors.get_mut(worker) {
                actor.alive = false;
            }
        }
        self.checker.forget(app, &there);
        let stay: BTreeSet<_> = facts.slots.iter().filter_map(who_stays).collect();
        for worker in there.difference(&stay) {
            // It is replaced by one that need not be newer, nor ready.
            self.checker.leaving.insert(*worker);
            self.checker.totals.note("adopted worker replaced");
        }
        let slots = facts.slots.clone();
        let effects = self.engine.adopt(told, facts);
        if self.verbose {
            println!("{:>8} {app:?} is adopted: {effects:?}", self.now);
        }
        self.checker.after(&self.engine, &effects, told)?;
        if !self.checker.closing {
            self.check_adopted(app, &slots)?;
        }
        Ok(effects)
    }

    /// What served goes on serving, one in each slot.
    fn check_adopted(&self, app: AppId, facts: &[SlotFacts]) -> Check {
        let view = self.engine.app(app).ok_or("not adopted")?;
        for slot in &view.slots {
            let facts = facts.iter().find(|facts| facts.slot == slot.slot);
            let expected = facts.and_then(who_stays);
            let staying = slot.workers.iter();
            let mut staying = staying.filter(|worker| worker.stopping.is_none());
            let (first, second) = (staying.next(), staying.next());
            ensure(second.is_none(), || format!("two stay in {}", slot.slot))?;
            if let Some(expected) = expected {
                ensure(first.map(|it| it.worker) == Some(expected), || {
                    format!("{first:?} instead of {expected:?}")
                })?;
            }
            ensure(first.is_some() == slot.wanted, || {
                format!("{}: {first:?} stays", slot.slot)
            })?;
        }
        Ok(())
    }
}

fn who_stays(facts: &SlotFacts) -> Option<WorkerId> {
    let workers = facts.workers.iter().filter(|_| facts.wanted);
    let best = workers.max_by_key(|worker| (worker.ready, worker.worker));
    best.map(|worker| worker.worker)
}

fn worker_of(effect: &Effect) -> Option<WorkerId> {
    match effect {
        Effect::Spawn { worker, .. }
        | Effect::Drain { worker }
        | Effect::StopMessage { worker }
        | Effect::StopSignal { worker }
        | Effect::Kill { worker } => Some(*worker),
        _ => None,
    }
}
