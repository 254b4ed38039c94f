//! What there is to know about an app, and the small steps that everything else is made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::launch::Launch;
use super::plan::Rollout;
use super::queue::Queued;
use super::recycling::Recycling;
use crate::context::Context;
use crate::saved::{by_id, is_default};
use crate::slot::{Seat, SlotState};
use crate::spec::Spec;
use crate::worker::{Rung, Worker};
use crate::{
    AppId, CommandId, Effect, FailReason, Failure, Generation, Notice, Outcome, Policy, Slot,
    StopReason, Summary, Time, Verb, WorkerId,
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) id: AppId,
    pub(crate) life: Life,
    /// The last accepted generation.
    pub(crate) current: Spec,
    /// Generations that the supervisor keeps for us.
    pub(crate) known: BTreeSet<Generation>,
    pub(crate) slots: BTreeMap<Slot, SlotState>,
    #[serde(with = "by_id")]
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    /// Some worker said by itself that it is ready since the app was started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) ever_ready: bool,
    /// The command (or planned replacement) that is being carried out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) operation: Option<Operation>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) queue: VecDeque<Queued>,
    /// Answers that wait for processes to be gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) waiters: Vec<Waiter>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) recycling: Recycling,
    /// Nothing is started before these apps serve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) waits_for: BTreeSet<AppId>,
    /// Stops and deletes that wait until apps that depend on this one are gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) farewells: Vec<Farewell>,
}

/// A stop or delete of the whole app that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Farewell {
    pub(crate) command: CommandId,
    /// The app is to be forgotten as well.
    pub(crate) delete: bool,
}

/// Whether anything may be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Life {
    Alive,
    Deleting,
    ShuttingDown,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    Launch(Launch),
    Rollout(Rollout),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Waiter {
    pub(crate) commands: Vec<CommandId>,
    pub(crate) gone: BTreeSet<WorkerId>,
    pub(crate) answer: Answer,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done { started: u32, stopped: u32 },
    Failed(Failure),
}

impl App {
    pub(crate) fn new(id: AppId, spec: Spec) -> Self {
        Self {
            id,
            life: Life::Alive,
            known: BTreeSet::from([spec.generation]),
            current: spec,
            slots: BTreeMap::new(),
            workers: BTreeMap::new(),
            ever_ready: false,
            operation: None,
            queue: VecDeque::new(),
            waiters: Vec::new(),
            recycling: Recycling::default(),
            waits_for: BTreeSet::new(),
            farewells: Vec::new(),
        }
    }

    /// The number of slots that it is to have.
    pub(crate) fn instances(&self) -> u32 {
        count(self.slots.values().filter(|slot| !slot.retiring).count())
    }

    /// No slot is meant to run.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.values().all(|slot| !slot.wanted)
    }

    /// A generation with its settings. Shares the settings of one that the app has already, and
    /// tells it apart from one that is the same generation with other settings.
    pub(crate) fn spec(&self, policy: Policy, generation: Generation) -> Spec {
        let specs = self.specs();
        let same = || specs.iter().filter(|spec| spec.generation == generation);
        if let Some(spec) = same().find(|spec| *spec.policy == policy) {
            return (*spec).clone();
        }
        let edition = (0..=u32::MAX).find(|free| same().all(|spec| spec.edition != *free));
        Spec {
            edition: edition.unwrap_or_default(),
            ..Spec::new(policy, generation)
        }
    }

    /// Everything of it that names a generation with its settings.
    pub(crate) fn specs(&self) -> Vec<&Spec> {
        let mut specs = vec![&self.current];
        specs.extend(self.slots.values().map(|slot| &slot.spec));
        specs.extend(self.workers.values().map(|worker| &worker.spec));
        specs.extend(self.queue.iter().filter_map(|queued| queued.work.spec()));
        if let Some(rollout) = self.rollout_ref() {
            specs.extend([&rollout.from, &rollout.to]);
            specs.extend(rollout.before.values().map(|before| &before.spec));
        }
        specs
    }

    /// The same as [`App::specs`], to be changed.
    pub(crate) fn specs_mut(&mut self) -> Vec<&mut Spec> {
        let mut specs = vec![&mut self.current];
        specs.extend(self.slots.values_mut().map(|slot| &mut slot.spec));
        specs.extend(self.workers.values_mut().map(|worker| &mut worker.spec));
        let queue = self.queue.iter_mut();
        specs.extend(queue.filter_map(|queued| queued.work.spec_mut()));
        if let Some(Operation::Rollout(rollout)) = &mut self.operation {
            specs.extend([&mut rollout.from, &mut rollout.to]);
            specs.extend(rollout.before.values_mut().map(|before| &mut before.spec));
        }
        specs
    }

    /// The generations that it needs.
    pub(crate) fn generations(&self) -> BTreeSet<Generation> {
        let specs = self.specs();
        specs.iter().map(|spec| spec.generation).collect()
    }

    pub(crate) fn launch(&mut self) -> Option<&mut Launch> {
        match &mut self.operation {
            Some(Operation::Launch(launch)) => Some(launch),
            Some(Operation::Rollout(_)) | None => None,
        }
    }

    pub(crate) fn rollout(&mut self) -> Option<&mut Rollout> {
        match &mut self.operation {
            Some(Operation::Rollout(rollout)) => Some(rollout),
            Some(Operation::Launch(_)) | None => None,
        }
    }

    pub(crate) fn rollout_ref(&self) -> Option<&Rollout> {
        match &self.operation {
            Some(Operation::Rollout(rollout)) => Some(rollout),
            Some(Operation::Launch(_)) | None => None,
        }
    }

    pub(crate) fn add_slot(&mut self, cx: &mut Context, slot: Slot, spec: Spec) {
        let id = cx.shared.take_slot_id();
        self.slots.insert(slot, SlotState::new(id, spec, cx.now));
    }

    /// Starts a worker for a slot; the caller puts it where it belongs.
    pub(crate) fn spawn(&mut self, cx: &mut Context, slot: Slot, spec: Spec) -> WorkerId {
        let worker = cx.shared.next_worker();
        let generation = spec.generation;
        cx.out.push(Effect::Spawn {
            worker,
            app: self.id,
            slot,
            generation,
        });
        cx.notice(Notice::Starting {
            slot,
            worker,
            generation,
        });
        self.workers
            .insert(worker, Worker::new(worker, slot, spec, cx.now));
        worker
    }

    /// Whether a worker of this generation may be started in the slot: nobody is there, or one
    /// worker that does not mind company, and neither does the new one. A generation with no surge
    /// always minds; a holder does not otherwise; one on its way out as it was told.
    pub(crate) fn has_room(&self, slot: &SlotState, spec: &Spec) -> bool {
        let mut present = slot.workers().filter_map(|id| self.workers.get(&id));
        match (present.next(), present.next()) {
            (None, _) => true,
            (Some(other), None) => {
                let held = slot.holder() == Some(other.id);
                let surge = spec.policy.surge.min(other.spec.policy.surge);
                surge > 0 && slot.incoming.is_none() && (held || other.overlap)
            }
            (Some(_), Some(_)) => false,
        }
    }

    /// Puts a worker on the ladder and out of its place; the seat it held becomes `seat`.
    pub(crate) fn dismiss(
        &mut self,
        cx: &mut Context,
        id: WorkerId,
        rung: Rung,
        why: StopReason,
        seat: Seat,
        overlap: bool,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.overlap = overlap;
        if let Some(slot) = self.slots.get_mut(&worker.slot) {
            slot.usher_out(id, seat);
        }
        worker.stop(cx, rung, why);
    }

    /// Puts every worker of a slot on the ladder; says which these were.
    pub(crate) fn clear_slot(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        rung: Rung,
        why: StopReason,
        seat: Seat,
    ) -> Vec<WorkerId> {
        let Some(state) = self.slots.get_mut(&slot) else {
            return Vec::new();
        };
        let workers: Vec<_> = state.workers().collect();
        if state.holder().is_none() {
            state.seat = seat;
        }
        for id in &workers {
            self.dismiss(cx, *id, rung, why, seat, false);
        }
        workers
    }

    /// Answers `commands` as soon as the processes of `gone` have ended.
    pub(crate) fn answer_when_gone(
        &mut self,
        commands: Vec<CommandId>,
        gone: impl IntoIterator<Item = WorkerId>,
        answer: Answer,
    ) {
        if !commands.is_empty() {
            self.waiters.push(Waiter {
                commands,
                gone: gone.into_iter().collect(),
                answer,
            });
        }
    }

    pub(crate) fn outcome(&self, answer: Answer) -> Outcome {
        match answer {
            Answer::Failed(failure) => Outcome::Failed(failure),
            Answer::Done { started, stopped } => Outcome::Done(Summary {
                started,
                stopped,
                instances: match self.life {
                    Life::Alive | Life::ShuttingDown => self.instances(),
                    Life::Deleting => 0,
                },
                generation: self.current.generation,
            }),
        }
    }

    /// When something is due if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let workers = self.workers.values().filter_map(Worker::deadline);
        let slots = self.slots.iter().filter_map(|(number, slot)| {
            let Seat::Vacant { until } = slot.seat else {
                return None;
            };
            self.may_fill(*number, slot).then_some(until)
        });
        let operation = match &self.operation {
            Some(Operation::Launch(launch)) => launch.deadline(),
            Some(Operation::Rollout(rollout)) => rollout.deadline(),
            None => None,
        };
        let recycling = self.recycling_deadline();
        let put_off = self.put_off_steps();
        let operation = operation.into_iter().chain(put_off);
        workers.chain(slots).chain(operation).chain(recycling).min()
    }
}

/// The outcome of a command that had to give way.
pub(crate) fn superseded(by: Verb) -> Outcome {
    Outcome::Failed(Failure {
        reason: FailReason::Superseded { by },
        rolled_back: false,
    })
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
