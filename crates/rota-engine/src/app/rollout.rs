//! Rollouts: replacing the workers of slots step by step.
//!
//! A step starts a new worker beside the old one, waits until it is ready, and lets it take the
//! seat; the old one drains. The first step of a reload goes alone, and its worker is watched for
//! a while first: the canary. With no surge the old worker ends before the new one starts.
//! The next step may begin while the old worker of the one before is still draining.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::plan::{Before, Course, Kind, Rest, Rollout, Stage, Step};
use super::state::{Answer, App, Operation, count};
use crate::backoff::History;
use crate::context::Context;
use crate::slot::Seat;
use crate::spec::Spec;
use crate::worker::Rung;
use crate::{CommandId, Notice, Slot, WorkerId};

impl App {
    pub(crate) fn begin_rollout(
        &mut self,
        cx: &mut Context,
        kind: Kind,
        commands: Vec<CommandId>,
        slots: Vec<Slot>,
        to: Spec,
    ) {
        let mut before = BTreeMap::new();
        for number in &slots {
            let Some(slot) = self.slots.get_mut(number) else {
                continue;
            };
            let state = match slot.seat {
                Seat::Errored => Rest::Errored,
                _ if !slot.wanted => Rest::Stopped,
                Seat::Filled(_) | Seat::Vacant { .. } | Seat::Empty => Rest::Running,
            };
            slot.wanted = true;
            slot.finished = false;
            let spec = slot.spec.clone();
            before.insert(*number, Before { spec, state });
        }
        let total = count(slots.len());
        let width = self.common_width(&slots, &to);
        if kind == Kind::Reload {
            cx.notice(Notice::RolloutStarted {
                from: self.current.generation,
                to: to.generation,
                steps: total,
            });
        }
        self.operation = Some(Operation::Rollout(Rollout {
            proven: kind != Kind::Reload,
            width,
            kind,
            commands,
            from: self.current.clone(),
            to,
            course: Course::Forward,
            plan: slots.into(),
            steps: Vec::new(),
            done: BTreeSet::new(),
            before,
            begun: 0,
            total,
            leaving: BTreeSet::new(),
        }));
    }

    /// How many steps may be under way at a time: what suits the most cautious of the generations
    /// that meet. One with no surge has its workers replaced in place.
    fn common_width(&self, slots: &[Slot], to: &Spec) -> usize {
        let states = slots.iter().filter_map(|slot| self.slots.get(slot));
        let holders = states
            .clone()
            .filter_map(|slot| self.workers.get(&slot.holder()?));
        let specs = states.map(|slot| &slot.spec);
        let specs = specs.chain(holders.map(|worker| &worker.spec)).chain([to]);
        let missing = specs.clone().map(|spec| spec.policy.max_missing).min();
        let surges = specs.map(|spec| spec.policy.surge);
        let beside = surges.clone().filter(|surge| *surge > 0).min();
        let in_place = surges.min() == Some(0);
        let missing = missing.filter(|_| in_place).map(|missing| missing.max(1));
        let width = beside.unwrap_or(u32::MAX).min(missing.unwrap_or(u32::MAX));
        usize::try_from(width).unwrap_or(usize::MAX)
    }

    pub(crate) fn advance_rollout(&mut self, cx: &mut Context) {
        self.end_observation(cx);
        while self.admit_step(cx) {}
        self.make_room(cx);
        let finished = self
            .rollout_ref()
            .is_some_and(|rollout| rollout.plan.is_empty() && rollout.steps.is_empty());
        if finished {
            self.finish_rollout(cx);
        }
    }

    /// Begins the next step, if there is one and it may begin. Slots that do not serve come first:
    /// they have nothing to lose. On the way back they do not even wait for their turn.
    fn admit_step(&mut self, cx: &mut Context) -> bool {
        let Some(rollout) = self.rollout_ref() else {
            return false;
        };
        let needy = rollout.plan.iter().position(|slot| !self.serves(*slot));
        let under_way = rollout.steps.iter().filter(|step| step.counts).count();
        let position = if under_way < rollout.width() {
            needy.unwrap_or(0)
        } else if let (Some(position), true) = (needy, rollout.goes_back()) {
            position
        } else {
            return false;
        };
        self.begin_step(cx, position)
    }

    fn begin_step(&mut self, cx: &mut Context, position: usize) -> bool {
        let Some(rollout) = self.rollout_ref() else {
            return false;
        };
        let Some(slot) = rollout.plan.get(position).copied() else {
            return false;
        };
        let wanted = self.slots.get(&slot).is_some_and(|slot| slot.wanted);
        let counts = !rollout.goes_back() || self.serves(slot);
        let Some(rollout) = self.rollout() else {
            return false;
        };
        rollout.plan.remove(position);
        rollout.begun = rollout.begun.saturating_add(1);
        if !wanted {
            return true;
        }
        rollout.steps.push(Step {
            slot,
            stage: Stage::Waiting,
            counts,
        });
        let (step, steps) = (rollout.begun, rollout.total);
        if rollout.kind == Kind::Reload {
            cx.notice(Notice::RolloutStep { step, steps, slot });
        }
        true
    }

    /// Starts the new workers of the steps that wait for room and have it.
    fn make_room(&mut self, cx: &mut Context) {
        let Some(rollout) = self.rollout_ref() else {
            return;
        };
        let waiting: Vec<_> = rollout
            .steps
            .iter()
            .filter(|step| step.stage == Stage::Waiting)
            .map(|step| (step.slot, rollout.target(step.slot)))
            .collect();
        for (number, spec) in waiting {
            if spec.policy.surge == 0 || self.minds_company(number) {
                self.end_old_first(cx, number);
            }
            let room = self
                .slots
                .get(&number)
                .is_some_and(|slot| !slot.is_put_off() && self.has_room(slot, &spec));
            if !room {
                continue;
            }
            let worker = self.spawn(cx, number, spec);
            if let Some(slot) = self.slots.get_mut(&number) {
                slot.incoming = Some(worker);
            }
            self.set_stage(number, Stage::Starting);
        }
    }

    fn minds_company(&self, number: Slot) -> bool {
        let holder = self.slots.get(&number).and_then(|slot| slot.holder());
        let worker = holder.and_then(|id| self.workers.get(&id));
        worker.is_some_and(|worker| worker.spec.policy.surge == 0)
    }

    fn end_old_first(&mut self, cx: &mut Context, number: Slot) {
        let Some(old) = self.slots.get(&number).and_then(|slot| slot.holder()) else {
            return;
        };
        let Some(rollout) = self.rollout() else {
            return;
        };
        rollout.leaving.insert(old);
        let why = rollout.why_old_goes();
        let seat = Seat::Vacant { until: cx.now };
        self.dismiss(cx, old, Rung::Drain, why, seat, false);
    }

    /// A new worker is ready: the first one of a reload is watched, others take over at once.
    pub(crate) fn rollout_saw_ready(&mut self, cx: &mut Context, slot: Slot, worker: WorkerId) {
        let Some(rollout) = self.rollout() else {
            return;
        };
        let span = match rollout.proven {
            true => Duration::ZERO,
            false => rollout.to.policy.observe,
        };
        if span.is_zero() {
            self.take_over(cx, slot);
            return;
        }
        self.set_stage(
            slot,
            Stage::Observing {
                until: cx.now + span,
            },
        );
        cx.notice(Notice::Observing { slot, worker, span });
    }

    fn end_observation(&mut self, cx: &mut Context) {
        let Some(rollout) = self.rollout_ref() else {
            return;
        };
        let over =
            |step: &&Step| matches!(step.stage, Stage::Observing { until } if until <= cx.now);
        let due: Vec<_> = rollout
            .steps
            .iter()
            .filter(over)
            .map(|step| step.slot)
            .collect();
        for slot in due {
            self.take_over(cx, slot);
        }
    }

    /// The new worker takes the seat, the old one drains.
    fn take_over(&mut self, cx: &mut Context, number: Slot) {
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        let Some(new) = slot.incoming.take() else {
            return;
        };
        let old = slot.holder();
        slot.seat = Seat::Filled(new);
        slot.outgoing.extend(old);
        slot.last_failure = None;
        slot.history = History::default();
        slot.count_start();
        if let Some(worker) = self.workers.get(&new) {
            slot.spec = worker.spec.clone();
        }
        let Some(rollout) = self.rollout() else {
            return;
        };
        rollout.proven = true;
        rollout.steps.retain(|step| step.slot != number);
        if !rollout.goes_back() {
            rollout.done.insert(number);
        }
        rollout.leaving.extend(old);
        let why = rollout.why_old_goes();
        if let Some(old) = old.and_then(|old| self.workers.get_mut(&old)) {
            old.overlap = true;
            old.stop(cx, Rung::Drain, why);
        }
    }

    fn finish_rollout(&mut self, cx: &mut Context) {
        let Some(Operation::Rollout(rollout)) = self.operation.take() else {
            return;
        };
        if let Course::Back { reason, complete } = &rollout.course {
            let (reason, complete) = (reason.clone(), *complete);
            self.finish_rollback(cx, rollout, reason, complete);
            return;
        }
        self.workers_start();
        if rollout.kind != Kind::Reload {
            return;
        }
        self.current = rollout.to;
        cx.notice(Notice::RolloutDone {
            generation: self.current.generation,
        });
        let answer = Answer::Done {
            started: count(rollout.done.len()),
            stopped: count(rollout.leaving.len()),
        };
        self.answer_when_gone(rollout.commands, rollout.leaving, answer);
    }

    /// Whether a step of a rollout is under way for the slot: its seat needs nobody else.
    pub(crate) fn steps_on(&self, slot: Slot) -> bool {
        self.rollout_ref()
            .is_some_and(|rollout| rollout.holds(slot))
    }

    pub(crate) fn set_stage(&mut self, slot: Slot, stage: Stage) {
        let steps = self.rollout().map(|rollout| &mut rollout.steps);
        for step in steps.into_iter().flatten() {
            if step.slot == slot {
                step.stage = stage;
            }
        }
    }
}
