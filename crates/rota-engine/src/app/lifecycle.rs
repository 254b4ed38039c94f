//! What workers do by themselves, and what time does to them.

use super::state::App;
use crate::context::Context;
use crate::slot::{Role, Seat};
use crate::worker::{Phase, Rung};
use crate::{ExitRecord, ExitStatus, FailReason, Notice, StopReason, WorkerId};

impl App {
    pub(crate) fn on_spawned(&mut self, cx: &mut Context, id: WorkerId, pid: u32) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.spawned(cx, pid);
            if let Some(slot) = self.slots.get_mut(&worker.slot) {
                slot.shortage = None;
            }
        }
    }

    pub(crate) fn on_drained(&mut self, cx: &mut Context, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.drained(cx);
        }
    }

    /// It serves: said by itself, or assumed at the end of its time.
    pub(crate) fn on_ready(&mut self, cx: &mut Context, id: WorkerId, assumed: bool) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if !matches!(worker.phase, Phase::Starting { .. }) {
            return;
        }
        worker.phase = Phase::Ready;
        worker.ready = Some(cx.now);
        let (slot, after) = (worker.slot, cx.now.since(worker.started));
        self.ever_ready |= !assumed;
        cx.notice(Notice::Ready {
            slot,
            worker: id,
            after,
            assumed,
        });
        match self.role(id) {
            Some(Role::Holder) => self.launch_saw_ready(cx, slot, id),
            Some(Role::Incoming) => self.rollout_saw_ready(cx, slot, id),
            Some(Role::Outgoing) | None => {}
        }
    }

    /// It leaves by its own wish. After a fair time of service that is no failure: its successor
    /// starts at once, beside it where that is possible.
    pub(crate) fn on_leaving(&mut self, cx: &mut Context, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let (slot, policy) = (worker.slot, worker.spec.policy.clone());
        let served = worker.served(cx.now);
        let role = self.role(id);
        if !matches!(role, Some(Role::Holder | Role::Incoming)) {
            return;
        }
        let seat = Seat::Vacant { until: cx.now };
        self.dismiss(cx, id, Rung::Leave, StopReason::Left, seat, true);
        let fair = served >= policy.min_uptime.max(policy.backoff_base);
        if role == Some(Role::Incoming) || (!fair && policy.autorestart) {
            let reason = FailReason::Left { slot, worker: id };
            self.worker_failed(cx, id, slot, role, served, reason);
        } else if !policy.autorestart && !self.steps_on(slot) {
            self.finish_slot(slot);
        }
    }

    /// It does not react: no drain, and the successor starts at once, beside it where that is
    /// possible. A worker that was on its way out already goes on as it was told, only faster.
    pub(crate) fn on_hung(&mut self, cx: &mut Context, id: WorkerId, words: String) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let (slot, served, role) = (worker.slot, self.credit(id, cx), self.role(id));
        if role == Some(Role::Outgoing) {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.stop(cx, Rung::Hung, StopReason::Hung);
            }
            return;
        }
        let seat = Seat::Vacant { until: cx.now };
        self.dismiss(cx, id, Rung::Hung, StopReason::Hung, seat, true);
        let reason = FailReason::Hung {
            slot,
            worker: id,
            reason: words,
        };
        self.worker_failed(cx, id, slot, role, served, reason);
    }

    pub(crate) fn on_spawn_failed(&mut self, cx: &mut Context, id: WorkerId, words: String) {
        let role = self.role(id);
        let Some(worker) = self.workers.remove(&id) else {
            return;
        };
        let slot = worker.slot;
        if let Some(state) = self.slots.get_mut(&slot) {
            state.remove(id, cx.now);
        }
        if role != Some(Role::Outgoing) {
            let reason = FailReason::SpawnFailed {
                slot,
                worker: id,
                reason: words,
            };
            self.worker_failed(cx, id, slot, role, std::time::Duration::ZERO, reason);
        }
    }

    pub(crate) fn on_exited(&mut self, cx: &mut Context, id: WorkerId, status: ExitStatus) {
        let (role, served) = (self.role(id), self.credit(id, cx));
        let Some(worker) = self.workers.remove(&id) else {
            return;
        };
        let (slot, after) = (worker.slot, cx.now.since(worker.started));
        if let Some(state) = self.slots.get_mut(&slot) {
            state.remove(id, cx.now);
            state.last_exit = Some(ExitRecord {
                worker: id,
                status,
                at: cx.now,
                after,
                stopped: worker.stopping,
            });
        }
        cx.notice(Notice::Exited {
            slot,
            worker: id,
            status,
            after,
            stopped: worker.stopping,
        });
        if role == Some(Role::Outgoing) {
            return;
        }
        let policy = &worker.spec.policy;
        let stop_code =
            matches!(status, ExitStatus::Code(code) if policy.stop_exit_codes.contains(&code));
        let job_done = !policy.autorestart && status == ExitStatus::Code(0);
        if role == Some(Role::Holder) && (stop_code || job_done) && !self.steps_on(slot) {
            self.finish_slot(slot);
            cx.notice(Notice::Finished { slot, status });
            return;
        }
        let reason = FailReason::Crashed {
            slot,
            worker: id,
            status,
            after,
            was_ready: worker.ready.is_some(),
        };
        self.worker_failed(cx, id, slot, role, served, reason);
    }

    /// Lets time pass for all workers.
    pub(crate) fn on_time(&mut self, cx: &mut Context) {
        let due: Vec<_> = self
            .workers
            .values()
            .filter(|worker| worker.deadline().is_some_and(|until| until <= cx.now))
            .map(|worker| (worker.id, matches!(worker.phase, Phase::Starting { .. })))
            .collect();
        for slot in self.slots.values_mut() {
            if let Some(shortage) = &mut slot.shortage {
                shortage.until = shortage.until.filter(|until| *until > cx.now);
            }
        }
        for (id, starting) in due {
            if starting {
                self.not_ready_in_time(cx, id);
            } else if let Some(worker) = self.workers.get_mut(&id) {
                worker.descend(cx);
            }
        }
    }

    fn not_ready_in_time(&mut self, cx: &mut Context, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        // An earlier failure in this round may have dismissed it already.
        if !matches!(worker.phase, Phase::Starting { .. }) {
            return;
        }
        let spawned = worker.pid.is_some();
        if spawned && worker.spec.policy.lenient_first_ready && !self.ever_ready {
            self.on_ready(cx, id, true);
            return;
        }
        let (slot, after, role) = (worker.slot, cx.now.since(worker.started), self.role(id));
        let seat = Seat::Vacant { until: cx.now };
        self.dismiss(cx, id, Rung::Drain, StopReason::NotReady, seat, false);
        let reason = FailReason::NotReady {
            slot,
            worker: id,
            after,
        };
        self.worker_failed(cx, id, slot, role, std::time::Duration::ZERO, reason);
    }

    pub(crate) fn role(&self, id: WorkerId) -> Option<Role> {
        let worker = self.workers.get(&id)?;
        self.slots.get(&worker.slot).map(|slot| slot.role(id))
    }
}
