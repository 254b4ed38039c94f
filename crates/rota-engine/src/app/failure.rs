//! What becomes of a slot, and of the command that is being carried out, when a worker fails.

use std::time::Duration;

use super::state::App;
use crate::backoff::Verdict;
use crate::context::Context;
use crate::slot::{Role, Seat};
use crate::worker::Phase;
use crate::{FailReason, Notice, Slot, WorkerId};

impl App {
    /// The time of service that speaks for a worker. Where readiness is only assumed at the end of
    /// the ready timeout, a worker that ends before that is judged by its age.
    pub(crate) fn credit(&self, id: WorkerId, cx: &Context) -> Duration {
        let Some(worker) = self.workers.get(&id) else {
            return Duration::ZERO;
        };
        let starting = matches!(worker.phase, Phase::Starting { .. });
        if starting && worker.spec.policy.lenient_first_ready && !self.ever_ready {
            return cx.now.since(worker.started);
        }
        worker.served(cx.now)
    }

    /// A worker failed, and is out of its place already; `role` is the place that it had.
    pub(crate) fn worker_failed(
        &mut self,
        cx: &mut Context,
        id: WorkerId,
        slot: Slot,
        role: Option<Role>,
        served: Duration,
        reason: FailReason,
    ) {
        cx.notice(Notice::Failed {
            reason: reason.clone(),
        });
        if let Some(state) = self.slots.get_mut(&slot) {
            state.last_failure = Some(reason.clone());
        }
        match role {
            Some(Role::Incoming) => self.incoming_failed(cx, slot, id, served, reason),
            Some(Role::Holder) => self.holder_failed(cx, slot, served, reason),
            Some(Role::Outgoing) | None => {}
        }
    }

    fn holder_failed(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        served: Duration,
        reason: FailReason,
    ) {
        self.fail_launch(cx, slot, &reason);
        if self.fail_rollout_by_holder(cx, slot, &reason) || self.steps_on(slot) {
            // Somebody is on the way to this seat already.
            return;
        }
        self.apply_restart_policy(cx, slot, served, reason);
    }

    /// The ordinary course: start again, now or later, or give up.
    pub(crate) fn apply_restart_policy(
        &mut self,
        cx: &mut Context,
        number: Slot,
        served: Duration,
        reason: FailReason,
    ) {
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        if !slot.wanted {
            slot.seat = Seat::Empty;
            return;
        }
        if matches!(reason, FailReason::NoResources { .. }) {
            // It was not even tried.
            let until = slot.shortage.as_ref().and_then(|shortage| shortage.until);
            let until = until.unwrap_or(cx.now);
            slot.seat = Seat::Vacant { until };
            return;
        }
        let policy = slot.spec.policy.clone();
        if !policy.autorestart {
            return self.stay_down(cx, number, reason);
        }
        match slot.history.failed(&policy, served, &mut cx.shared.rng) {
            Verdict::GiveUp => self.give_up(cx, number, reason),
            Verdict::Restart { delay } => {
                let unstable = slot.history.unstable;
                slot.seat = Seat::Vacant {
                    until: cx.now + delay,
                };
                if !delay.is_zero() {
                    cx.notice(Notice::RestartScheduled {
                        slot: number,
                        delay,
                        unstable,
                    });
                }
            }
        }
    }

    /// A failure with no automatic restart: an end is an end, anything else is an error.
    fn stay_down(&mut self, cx: &mut Context, number: Slot, reason: FailReason) {
        if let FailReason::Crashed { status, .. } = reason {
            self.finish_slot(number);
            cx.notice(Notice::Finished {
                slot: number,
                status,
            });
        } else {
            self.give_up(cx, number, reason);
        }
    }

    fn give_up(&mut self, cx: &mut Context, number: Slot, reason: FailReason) {
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        slot.seat = Seat::Errored;
        let unstable = slot.history.unstable;
        cx.notice(Notice::Errored {
            slot: number,
            reason,
            unstable,
        });
    }

    /// The slot's work is done: it stays empty until an operator starts it again.
    pub(crate) fn finish_slot(&mut self, number: Slot) {
        if let Some(slot) = self.slots.get_mut(&number) {
            slot.wanted = false;
            slot.finished = true;
            slot.seat = Seat::Empty;
        }
        self.drop_from_rollout(number);
        if let Some(launch) = self.launch() {
            launch.slots.remove(&number);
        }
    }
}
