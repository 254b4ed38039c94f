//! An app built anew around workers that run, when nothing else is left of its state.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{LAST_WORKER, MOST_INSTANCES};
use crate::app::App;
use crate::context::Context;
use crate::slot::{Seat, SlotState};
use crate::spec::Spec;
use crate::worker::{Phase, Rung, Worker};
use crate::{AppId, Effect, Engine, Generation, Policy, Slot, StopReason, Time, Verb, WorkerId};

/// What is known of an app without its state.
#[derive(Clone, PartialEq, Debug)]
pub struct AppFacts {
    /// Which.
    pub app: AppId,
    /// The settings that it is to have.
    pub policy: Policy,
    /// The generation that these belong to, which new workers get.
    pub generation: Generation,
    /// All generations that the supervisor keeps: those that nothing needs are retired.
    pub known: BTreeSet<Generation>,
    /// Its slots, in any order. A missing number below the highest one is a stopped slot.
    pub slots: Vec<SlotFacts>,
}

/// What is known of a slot.
#[derive(Clone, PartialEq, Debug)]
pub struct SlotFacts {
    /// Which.
    pub slot: Slot,
    /// The number that users know it by; it gets another one if that is taken, or not known.
    pub id: Option<u32>,
    /// Whether it is to run.
    pub wanted: bool,
    /// Its processes.
    pub workers: Vec<WorkerFacts>,
}

/// What is known of a process.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkerFacts {
    /// Which.
    pub worker: WorkerId,
    /// Its process id.
    pub pid: u32,
    /// What it was started with.
    pub generation: Generation,
    /// The settings of that generation.
    pub policy: Policy,
    /// When it was started: its time of service counts from there if it is ready.
    pub started: Time,
    /// Whether it serves. One that does not has its whole ready timeout from now on.
    pub ready: bool,
}

impl Engine {
    /// Builds an app from facts alone: for a state that cannot be read, or that the supervisor
    /// has died over again and again. To be called after [`Engine::outstanding`] was asked.
    ///
    /// In every wanted slot the newest ready worker (else the newest) stays; a slot with nobody
    /// gets a worker. All other workers are stopped. There is no operation and nothing waits;
    /// commands that were under way are not answered. History and counts are fresh. During a
    /// shutdown all its workers are stopped.
    ///
    /// An app that the engine has already is left alone, and so are workers of other apps.
    #[must_use]
    pub fn adopt(&mut self, now: Time, facts: AppFacts) -> Vec<Effect> {
        self.now = self.now.max(now);
        let id = facts.app;
        let mut out = Vec::new();
        if self.apps.contains_key(&id) {
            return out;
        }
        let AppFacts {
            policy,
            generation,
            known,
            slots,
            ..
        } = facts;
        let mut app = App::new(id, Spec::new(policy, generation));
        app.known.extend(known);
        self.apps.insert(id, app);
        let mut taken = self.all_workers();
        for (_, mut slot) in by_number(slots) {
            slot.workers
                .retain(|facts| facts.worker.0 <= LAST_WORKER && taken.insert(facts.worker));
            let last = slot.workers.iter().map(|facts| facts.worker.0).max();
            let last_worker = &mut self.shared.last_worker;
            *last_worker = last.unwrap_or_default().max(*last_worker);
            self.with_app(id, &mut out, |app, cx| app.adopt_slot(cx, slot));
        }
        if self.shutdown.is_some() {
            self.with_app(id, &mut out, |app, cx| app.shut_down(cx, false));
        }
        self.settle(id, &mut out);
        self.end_shutdown(&mut out);
        out
    }

    fn all_workers(&self) -> BTreeSet<WorkerId> {
        let apps = self.apps.values();
        apps.flat_map(|app| app.workers.keys().copied()).collect()
    }
}

/// Each slot once, with no gaps but among those whose number is too high to be one.
fn by_number(facts: Vec<SlotFacts>) -> BTreeMap<Slot, SlotFacts> {
    let proper = facts.iter().map(|facts| facts.slot);
    let highest = proper.filter(|slot| *slot < MOST_INSTANCES).max();
    let count = highest.map_or(0, |highest| highest + 1);
    let stopped = |slot| SlotFacts {
        slot,
        id: None,
        wanted: false,
        workers: Vec::new(),
    };
    let mut slots: BTreeMap<_, _> = (0..count).map(|slot| (slot, stopped(slot))).collect();
    for facts in facts {
        let number = facts.slot;
        let slot = slots.entry(number).or_insert_with(|| stopped(number));
        slot.id = slot.id.or(facts.id);
        slot.wanted |= facts.wanted && number < MOST_INSTANCES;
        slot.workers.extend(facts.workers);
    }
    slots
}

impl App {
    fn adopt_slot(&mut self, cx: &mut Context, facts: SlotFacts) {
        let number = facts.slot;
        let id = facts.id.filter(|id| cx.shared.slot_ids.insert(*id));
        let id = id.unwrap_or_else(|| cx.shared.take_slot_id());
        let best = facts.workers.iter();
        let best = best.max_by_key(|facts| (facts.ready, facts.worker));
        let holder = best.map(|facts| facts.worker).filter(|_| facts.wanted);
        let mut slot = SlotState::new(id, self.current.clone(), cx.now);
        slot.wanted = facts.wanted;
        slot.retiring = number >= MOST_INSTANCES;
        slot.begun = holder.is_some();
        slot.seat = match holder {
            Some(worker) => Seat::Filled(worker),
            None if facts.wanted => Seat::Vacant { until: cx.now },
            None => Seat::Empty,
        };
        for facts in facts.workers {
            let mut worker = self.adopt_worker(cx, number, facts);
            if holder != Some(worker.id) {
                worker.overlap = holder.is_some();
                worker.stop(cx, Rung::Drain, why_it_goes(slot.wanted));
                slot.outgoing.push(worker.id);
            }
            self.workers.insert(worker.id, worker);
        }
        self.slots.insert(number, slot);
    }

    fn adopt_worker(&mut self, cx: &Context, slot: Slot, facts: WorkerFacts) -> Worker {
        self.ever_ready |= facts.ready;
        self.known.insert(facts.generation);
        let spec = self.spec(facts.policy, facts.generation);
        let mut worker = Worker::new(facts.worker, slot, spec, cx.now);
        worker.pid = Some(facts.pid);
        worker.started = facts.started.min(cx.now);
        if facts.ready {
            worker.phase = Phase::Ready;
            worker.ready = Some(worker.started);
        }
        worker
    }
}

/// Why a worker goes that does not hold its slot.
fn why_it_goes(wanted: bool) -> StopReason {
    if wanted {
        StopReason::Replaced
    } else {
        StopReason::Command(Verb::Stop)
    }
}
