//! Snapshots of an app for those who look.

use super::plan::{Kind, Rollout, Stage};
use super::state::{App, Life, Operation};
use crate::slot::{Seat, SlotState};
use crate::worker::Worker;
use crate::{AppStatus, AppView, RolloutPhase, RolloutView, Slot, SlotView, WorkerId, WorkerView};

impl App {
    pub(crate) fn view(&self) -> AppView<'_> {
        let slots: Vec<_> = self
            .slots
            .iter()
            .map(|(number, slot)| self.slot_view(*number, slot))
            .collect();
        let errored = self
            .slots
            .values()
            .filter(|slot| slot.seat == Seat::Errored);
        AppView {
            app: self.id,
            status: self.status(),
            instances: self.instances(),
            generation: self.current.generation,
            policy: &self.current.policy,
            slots,
            rollout: self.running_reload().map(Rollout::view),
            errored: errored
                .filter_map(|slot| slot.last_failure.as_ref())
                .next_back(),
            waits_for: self.waits_for.iter().copied().collect(),
            queued: self
                .queue
                .iter()
                .map(|queued| queued.commands.len() + queued.joined.len())
                .sum(),
        }
    }

    pub(crate) fn worker_view(&self, id: WorkerId) -> Option<WorkerView> {
        let worker = self.workers.get(&id)?;
        Some(WorkerView {
            worker: id,
            app: self.id,
            slot: worker.slot,
            generation: worker.spec.generation,
            status: worker.status(),
            pid: worker.pid,
            started: worker.started,
            ready: worker.ready,
            stopping: worker.stopping,
        })
    }

    fn slot_view<'a>(&'a self, number: Slot, slot: &'a SlotState) -> SlotView<'a> {
        SlotView {
            slot: number,
            id: slot.id,
            status: slot.status(),
            wanted: slot.wanted,
            finished: slot.finished && !slot.wanted,
            generation: slot.spec.generation,
            restarts: slot.restarts,
            unstable: slot.history.unstable,
            next_start: match slot.seat {
                Seat::Vacant { until } if slot.wanted => Some(until),
                Seat::Vacant { .. } | Seat::Empty | Seat::Filled(_) | Seat::Errored => None,
            },
            last_exit: slot.last_exit,
            last_failure: slot.last_failure.as_ref(),
            shortage: self.shortage_of(number, slot),
            workers: slot
                .workers()
                .filter_map(|id| self.worker_view(id))
                .collect(),
        }
    }

    /// What keeps a slot from having the process that it is to get.
    fn shortage_of<'a>(&self, number: Slot, slot: &'a SlotState) -> Option<&'a str> {
        let waits = slot.wanted && (slot.holder().is_none() || self.steps_on(number));
        let shortage = slot.shortage.as_ref().filter(|_| waits);
        shortage.map(|shortage| shortage.reason.as_str())
    }

    fn running_reload(&self) -> Option<&Rollout> {
        self.rollout_ref()
            .filter(|rollout| rollout.kind == Kind::Reload)
    }

    fn status(&self) -> AppStatus {
        let live = !self.workers.is_empty();
        if self.life != Life::Alive || self.is_idle() {
            return if live || self.life == Life::Deleting {
                AppStatus::Stopping
            } else {
                AppStatus::Stopped
            };
        }
        if self.running_reload().is_some() {
            return AppStatus::Reloading;
        }
        if matches!(self.operation, Some(Operation::Launch(_))) {
            return AppStatus::Launching;
        }
        self.status_by_seats()
    }

    fn status_by_seats(&self) -> AppStatus {
        let wanted = || self.slots.values().filter(|slot| slot.wanted);
        if self.workers.values().any(Worker::is_ready) {
            AppStatus::Online
        } else if wanted().any(|slot| slot.holder().is_some()) {
            AppStatus::Launching
        } else if wanted().all(|slot| slot.seat == Seat::Errored) {
            AppStatus::Errored
        } else {
            AppStatus::WaitingRestart
        }
    }
}

impl Rollout {
    fn view(&self) -> RolloutView {
        let stage = self
            .steps
            .iter()
            .map(|step| step.stage)
            .max_by_key(|stage| match stage {
                Stage::Waiting => 0,
                Stage::Starting => 1,
                Stage::Observing { .. } => 2,
            });
        RolloutView {
            from: self.from.generation,
            to: self.to.generation,
            step: self.begun,
            steps: self.total,
            phase: match stage {
                _ if self.goes_back() => RolloutPhase::RollingBack,
                Some(Stage::Observing { .. }) => RolloutPhase::Observing,
                Some(Stage::Starting) => RolloutPhase::Starting,
                Some(Stage::Waiting) | None => RolloutPhase::Waiting,
            },
        }
    }
}
