//! Planned replacements: workers with nothing wrong but their memory, age or number of requests.
//!
//! One at a time per app, when nothing else goes on, and as a rollout of one slot: the new worker
//! first, no observation. One that fails leaves the old worker where it is and is tried again
//! later, and later still the next time: code that does not start any more must not be started in
//! a loop because a worker that serves has grown.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::Kind;
use super::state::{App, Life};
use crate::context::Context;
use crate::saved::is_default;
use crate::slot::Seat;
use crate::{Notice, Slot, Time, WorkerId};

/// The pause after the first failure; doubles with each further one.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(16 * 60);

/// Workers to be replaced when nothing else goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recycling {
    #[serde(default, skip_serializing_if = "is_default")]
    queue: VecDeque<(WorkerId, String)>,
    /// Replacements in a row that failed.
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    /// None begins before this.
    #[serde(default, skip_serializing_if = "is_default")]
    not_before: Time,
}

impl Recycling {
    fn has(&self, worker: WorkerId) -> bool {
        self.queue.iter().any(|(queued, _)| *queued == worker)
    }

    /// Takes a worker in again that has to wait.
    pub(crate) fn put_back(&mut self, worker: WorkerId, why: String) {
        if !self.has(worker) {
            self.queue.push_front((worker, why));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Workers start: nothing speaks against a replacement any more.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Time::default();
    }

    /// A replacement failed: none is tried for a while, which is returned.
    pub(crate) fn failed(&mut self, now: Time) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = PAUSE.saturating_mul(factor).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + pause;
        pause
    }
}

impl App {
    /// Planned replacements wait their turn. One that is under way is not asked for again.
    pub(crate) fn on_recycle(&mut self, id: WorkerId, why: String) {
        let under_way = self.rollout_ref().is_some_and(
            |rollout| matches!(&rollout.kind, Kind::Recycle { worker, .. } if *worker == id),
        );
        if self.life != Life::Alive || under_way || self.recycling.has(id) {
            return;
        }
        // While replacements fail the queue waits, and workers come and go meanwhile.
        let live = &self.workers;
        self.recycling
            .queue
            .retain(|(worker, _)| live.contains_key(worker));
        self.recycling.queue.push_back((id, why));
    }

    /// Begins the next planned replacement whose worker still holds its seat.
    pub(crate) fn next_recycling(&mut self, cx: &mut Context) -> bool {
        if self.recycling.not_before > cx.now {
            return false;
        }
        while let Some((worker, reason)) = self.recycling.queue.pop_front() {
            let Some(slot) = self.seat_of(worker) else {
                continue;
            };
            let Some(spec) = self.slots.get(&slot).map(|state| state.spec.clone()) else {
                continue;
            };
            cx.notice(Notice::Recycling {
                slot,
                worker,
                reason: reason.clone(),
            });
            let kind = Kind::Recycle {
                worker,
                why: reason,
            };
            self.begin_rollout(cx, kind, Vec::new(), vec![slot], spec);
            return true;
        }
        false
    }

    /// A planned replacement failed. Where the old worker is left, it is tried again: says when.
    pub(crate) fn recycle_failed(
        &mut self,
        now: Time,
        worker: WorkerId,
        why: String,
    ) -> Option<Duration> {
        let pause = self.recycling.failed(now);
        self.seat_of(worker)?;
        self.recycling.put_back(worker, why);
        Some(pause)
    }

    /// When the next planned replacement is due, if it has to wait for nothing but the time.
    pub(crate) fn recycling_deadline(&self) -> Option<Time> {
        let waits = self.life == Life::Alive
            && self.operation.is_none()
            && !self.recycling.queue.is_empty();
        waits.then_some(self.recycling.not_before)
    }

    /// The slot whose seat the worker holds.
    fn seat_of(&self, worker: WorkerId) -> Option<Slot> {
        let slot = self.workers.get(&worker)?.slot;
        let seat = self.slots.get(&slot)?.seat;
        (seat == Seat::Filled(worker)).then_some(slot)
    }

    /// Gives way to a command; see [`App::next_recycling`] for the next try.
    pub(crate) fn postpone_recycling(&mut self, cx: &mut Context) {
        let rollout = self.rollout_ref().filter(|it| it.kind != Kind::Reload);
        let slots = rollout.map(|rollout| rollout.before.keys());
        // With nobody in the slot but the new worker to come, the command waits for that one.
        if !slots.is_some_and(|mut slots| slots.all(|slot| self.serves(*slot))) {
            return;
        }
        let kind = self.abandon_rollout(cx).map(|rollout| rollout.kind);
        if let Some(Kind::Recycle { worker, why }) = kind {
            self.recycling.put_back(worker, why);
        }
    }

    /// A launch or reload went well.
    pub(crate) fn workers_start(&mut self) {
        self.recycling.succeeded();
    }
}
