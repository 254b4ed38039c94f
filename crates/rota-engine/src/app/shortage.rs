//! Processes that cannot be made because everybody lacks what they need: descriptors, a free process
//! number, memory.
//!
//! Nothing was tried, so nothing is known of the app: it is neither unstable nor broken. The slot, or
//! the step of a rollout, waits and tries again, later each time. Only who waits for an answer does
//! not wait for ever: when it has gone on for as long as a worker may take to become ready, a launch
//! fails (the slots go on trying) and a rollout turns back.

use std::time::Duration;

use super::plan::Stage;
use super::state::App;
use crate::backoff::shortage_pause;
use crate::context::Context;
use crate::slot::{Role, Seat, Shortage};
use crate::{FailReason, Notice, Slot, Time, WorkerId};

impl App {
    pub(crate) fn on_spawn_deferred(&mut self, cx: &mut Context, id: WorkerId, words: String) {
        let role = self.role(id);
        let Some(worker) = self.workers.remove(&id) else {
            return;
        };
        let number = worker.slot;
        let Some(slot) = self.slots.get_mut(&number) else {
            return;
        };
        slot.remove(id, cx.now);
        if role == Some(Role::Outgoing) {
            return;
        }
        let shortage = slot.shortage.get_or_insert_with(|| Shortage {
            since: cx.now,
            tries: 0,
            until: None,
            reason: String::new(),
        });
        shortage.tries = shortage.tries.saturating_add(1);
        let policy = &worker.spec.policy;
        let delay = shortage_pause(policy, shortage.tries, &mut cx.shared.rng);
        shortage.until = Some(cx.now + delay);
        shortage.reason.clone_from(&words);
        let lasts = cx.now.since(shortage.since) >= policy.ready_timeout;
        if role == Some(Role::Holder) {
            slot.discount_start();
        }
        cx.notice(Notice::SpawnDeferred {
            slot: number,
            worker: id,
            reason: words.clone(),
            delay,
        });
        let reason = FailReason::NoResources {
            slot: number,
            worker: id,
            reason: words,
        };
        match role {
            Some(Role::Incoming) => self.put_off_step(cx, number, id, lasts.then_some(reason)),
            _ => self.put_off_seat(cx, number, delay, lasts.then_some(reason)),
        }
    }

    /// The worker that was to take the seat is tried again later; the old one stays meanwhile.
    fn put_off_step(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        id: WorkerId,
        failure: Option<FailReason>,
    ) {
        self.set_stage(slot, Stage::Waiting);
        if let Some(reason) = failure {
            self.incoming_failed(cx, slot, id, Duration::ZERO, reason);
        }
    }

    fn put_off_seat(
        &mut self,
        cx: &mut Context,
        slot: Slot,
        delay: Duration,
        failure: Option<FailReason>,
    ) {
        let on_the_way = self.steps_on(slot);
        if let Some(state) = self.slots.get_mut(&slot).filter(|_| !on_the_way) {
            state.seat = Seat::Vacant {
                until: cx.now + delay,
            };
        }
        if let Some(reason) = failure {
            self.fail_launch(cx, slot, &reason);
        }
    }

    /// When steps of a rollout that were put off are tried again.
    pub(crate) fn put_off_steps(&self) -> Option<Time> {
        let steps = self.rollout_ref().map(|rollout| &rollout.steps);
        let waiting = steps.into_iter().flatten();
        let waiting = waiting.filter(|step| step.stage == Stage::Waiting);
        let slots = waiting.filter_map(|step| self.slots.get(&step.slot));
        slots.filter_map(|slot| slot.shortage.as_ref()?.until).min()
    }
}
