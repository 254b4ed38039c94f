//! The way back from a rollout that failed.
//!
//! Old workers that are left stay. Slots that have a new worker already get one of their former
//! generation beside it, which takes over when it is ready: a roll-back is a rollout too and never
//! takes away what serves. Where even that fails, the new worker stays if it serves, and the slot
//! returns to its former generation with its next restart.

use std::collections::BTreeSet;
use std::time::Duration;

use super::plan::{Course, Kind, Rest, Rollout};
use super::state::{Answer, App, Operation, count};
use crate::context::Context;
use crate::slot::Seat;
use crate::worker::Rung;
use crate::{FailReason, Failure, Notice, Slot, StopReason, WorkerId};

impl App {
    /// A worker that was to take a seat failed.
    pub(crate) fn incoming_failed(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        id: WorkerId,
        served: Duration,
        reason: FailReason,
    ) {
        let Some(rollout) = self.rollout() else {
            return;
        };
        rollout.leaving.insert(id);
        if rollout.goes_back() {
            self.restoration_failed(cx, slot, served, reason);
        } else {
            self.turn_back(cx, reason);
        }
    }

    /// A worker that held a seat failed. If the rollout had put it there, the rollout has failed.
    /// Says whether the rollout will fill the seat.
    pub(crate) fn fail_rollout_by_holder(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        reason: &FailReason,
    ) -> bool {
        let new = self
            .rollout_ref()
            .is_some_and(|rollout| !rollout.goes_back() && rollout.done.contains(&slot));
        if new {
            self.turn_back(cx, reason.clone());
        }
        new && self.steps_on(slot)
    }

    fn turn_back(&mut self, cx: &mut Context, reason: FailReason) {
        let Some(Operation::Rollout(mut rollout)) = self.operation.take() else {
            return;
        };
        let steps = std::mem::take(&mut rollout.steps);
        let begun: Vec<_> = steps.iter().map(|step| step.slot).collect();
        for slot in &begun {
            self.remove_incoming(cx, &mut rollout, *slot);
        }
        let mut complete = true;
        let mut plan = Vec::new();
        let touched: BTreeSet<_> = begun.iter().chain(&rollout.done).copied().collect();
        let untouched: Vec<_> = rollout.plan.drain(..).collect();
        for slot in touched {
            match self.way_back(cx, &mut rollout, slot) {
                WayBack::Restore => plan.push(slot),
                WayBack::Stays => {}
                WayBack::Lost => complete = false,
            }
        }
        for slot in untouched {
            self.rest(&rollout, slot);
        }
        if rollout.kind == Kind::Reload {
            cx.notice(Notice::RollbackStarted {
                reason: reason.clone(),
                steps: count(plan.len()),
            });
        }
        rollout.course = Course::Back { reason, complete };
        rollout.proven = true;
        rollout.begun = 0;
        rollout.total = count(plan.len());
        rollout.plan = plan.into();
        self.operation = Some(Operation::Rollout(rollout));
    }

    fn remove_incoming(&mut self, cx: &mut Context, rollout: &mut Rollout, number: Slot) {
        let Some(new) = self.slots.get(&number).and_then(|slot| slot.incoming) else {
            return;
        };
        rollout.leaving.insert(new);
        // It holds no seat: what the seat becomes does not matter here.
        self.dismiss(
            cx,
            new,
            Rung::Drain,
            StopReason::RolledBack,
            Seat::Empty,
            true,
        );
    }

    /// What a slot that the rollout has touched needs to be as before.
    fn way_back(&mut self, cx: &mut Context, rollout: &mut Rollout, number: Slot) -> WayBack {
        let (Some(before), Some(slot)) = (rollout.before.get(&number), self.slots.get_mut(&number))
        else {
            return WayBack::Stays;
        };
        let replaced = rollout.done.contains(&number);
        let rests = match before.state {
            Rest::Running => false,
            // A new worker that serves is better than none, even if its version failed elsewhere.
            Rest::Errored => !replaced,
            Rest::Stopped => true,
        };
        if rests {
            slot.spec = before.spec.clone();
            let workers = self.workers_to_remove(number, replaced);
            rollout.leaving.extend(workers.iter().copied());
            for id in workers {
                let seat = Seat::Empty;
                self.dismiss(cx, id, Rung::Drain, StopReason::RolledBack, seat, false);
            }
            self.rest(rollout, number);
            return WayBack::Stays;
        }
        let same = before.spec.generation == rollout.to.generation;
        if replaced && same {
            // Its former generation is the one that it has: another worker would be no different.
            return WayBack::Lost;
        }
        slot.spec = before.spec.clone();
        let holder = slot.holder();
        // A new worker that is not ready yet is of no use to anybody.
        if let Some(idle) = holder.filter(|_| replaced && !self.serves(number)) {
            rollout.leaving.insert(idle);
            let seat = Seat::Vacant { until: cx.now };
            self.dismiss(cx, idle, Rung::Drain, StopReason::RolledBack, seat, true);
        }
        if replaced || holder.is_none() {
            WayBack::Restore
        } else {
            WayBack::Stays
        }
    }

    fn workers_to_remove(&self, number: Slot, replaced: bool) -> Vec<WorkerId> {
        let holder = self.slots.get(&number).and_then(|slot| slot.holder());
        holder.filter(|_| replaced).into_iter().collect()
    }

    /// Lets a slot that did not run before the rollout rest again.
    fn rest(&mut self, rollout: &Rollout, number: Slot) {
        let Some(before) = rollout.before.get(&number) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        match before.state {
            Rest::Running => {}
            Rest::Errored => slot.seat = Seat::Errored,
            Rest::Stopped => {
                slot.wanted = false;
                slot.seat = Seat::Empty;
            }
        }
    }

    /// Not even a worker of the former generation starts.
    fn restoration_failed(
        &mut self,
        cx: &mut Context,
        number: Slot,
        served: Duration,
        failure: FailReason,
    ) {
        if let Some(rollout) = self.rollout() {
            rollout.steps.retain(|step| step.slot != number);
            if let Course::Back { complete, .. } = &mut rollout.course {
                *complete = false;
            }
        }
        let vacant = self
            .slots
            .get(&number)
            .is_some_and(|slot| slot.holder().is_none());
        if vacant {
            self.apply_restart_policy(cx, number, served, failure);
        }
    }

    /// Ends a rollout that turned back; the answer waits for the new workers that are going.
    pub(crate) fn finish_rollback(
        &mut self,
        cx: &mut Context,
        mut rollout: Rollout,
        reason: FailReason,
        complete: bool,
    ) {
        match rollout.kind.clone() {
            Kind::Reload => cx.notice(Notice::RollbackDone { complete }),
            Kind::Recycle { worker, why } => {
                let again = self.recycle_failed(cx.now, worker, why);
                if let Some(slot) = reason.slot() {
                    cx.notice(Notice::RecycleFailed {
                        slot,
                        reason: reason.clone(),
                        again,
                    });
                }
            }
        }
        // Also those that failed in a way that leaves a process behind.
        let new = rollout.to.generation;
        let going = self
            .workers
            .values()
            .filter(|worker| worker.spec.generation == new && worker.stopping.is_some());
        rollout.leaving.extend(going.map(|worker| worker.id));
        let failure = Failure {
            reason,
            rolled_back: complete,
        };
        let answer = Answer::Failed(failure);
        self.answer_when_gone(rollout.commands, rollout.leaving, answer);
    }

    /// Takes a slot out of the rollout: an operator wants something else of it.
    pub(crate) fn drop_from_rollout(&mut self, number: Slot) {
        if let Some(rollout) = self.rollout() {
            rollout.plan.retain(|slot| *slot != number);
            rollout.steps.retain(|step| step.slot != number);
            rollout.done.remove(&number);
            rollout.before.remove(&number);
        }
    }

    /// Ends a rollout where it is. New workers that hold a seat keep it, others go.
    pub(crate) fn abandon_rollout(&mut self, cx: &mut Context) -> Option<Rollout> {
        let rollout = match self.operation.take() {
            Some(Operation::Rollout(rollout)) => rollout,
            other => {
                self.operation = other;
                return None;
            }
        };
        let incoming: Vec<_> = self
            .slots
            .values()
            .filter_map(|slot| slot.incoming)
            .collect();
        for id in incoming {
            let seat = Seat::Empty;
            self.dismiss(cx, id, Rung::Drain, StopReason::RolledBack, seat, false);
        }
        Some(rollout)
    }
}

/// How a slot gets back to what it was.
enum WayBack {
    /// It needs a worker of its former generation.
    Restore,
    /// It has what it had.
    Stays,
    /// It has a new worker that nothing better can replace.
    Lost,
}
