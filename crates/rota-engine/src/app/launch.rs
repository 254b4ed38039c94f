//! Start, restart and growth: all chosen slots start at once, and the first is watched.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{Answer, App, Operation, count};
use crate::context::Context;
use crate::saved::is_default;
use crate::worker::Worker;
use crate::{CommandId, FailReason, Failure, Notice, Outcome, Slot, Time, WorkerId};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) commands: Vec<CommandId>,
    /// Slots whose workers have to become ready.
    pub(crate) slots: BTreeSet<Slot>,
    /// For how long the first ready worker is watched.
    pub(crate) observe: Duration,
    pub(crate) watch: Watch,
    /// How many workers were stopped for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) stopped: u32,
}

/// The observation of the first worker that is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Watch {
    /// None is ready yet.
    Ahead,
    Until(Time),
    Over,
}

impl Launch {
    pub(crate) fn new(
        commands: Vec<CommandId>,
        slots: impl IntoIterator<Item = Slot>,
        observe: Duration,
    ) -> Self {
        Self {
            commands,
            slots: slots.into_iter().collect(),
            observe,
            watch: Watch::Ahead,
            stopped: 0,
        }
    }

    /// The end of the observation.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.watch {
            Watch::Until(until) => Some(until),
            Watch::Ahead | Watch::Over => None,
        }
    }
}

impl App {
    pub(crate) fn launch_saw_ready(&mut self, cx: &mut Context, slot: Slot, worker: WorkerId) {
        let now = cx.now;
        let Some(launch) = self.launch() else {
            return;
        };
        if launch.watch != Watch::Ahead || !launch.slots.contains(&slot) {
            return;
        }
        let span = launch.observe;
        launch.watch = Watch::Until(now + span);
        if !span.is_zero() {
            cx.notice(Notice::Observing { slot, worker, span });
        }
    }

    pub(crate) fn advance_launch(&mut self, cx: &mut Context) {
        let now = cx.now;
        let Some(Operation::Launch(launch)) = &mut self.operation else {
            return;
        };
        if launch.deadline().is_some_and(|until| until <= now) {
            launch.watch = Watch::Over;
        }
        let watched = match launch.watch {
            Watch::Over => true,
            Watch::Until(_) => false,
            // Nothing to watch: no slot was chosen, or all finished as they were meant to.
            Watch::Ahead => launch.slots.is_empty(),
        };
        let Some(Operation::Launch(launch)) = &self.operation else {
            return;
        };
        if !watched || !launch.slots.iter().all(|slot| self.serves(*slot)) {
            return;
        }
        if let Some(Operation::Launch(launch)) = self.operation.take() {
            self.workers_start();
            let answer = Answer::Done {
                started: count(launch.slots.len()),
                stopped: launch.stopped,
            };
            cx.reply_all(&launch.commands, &self.outcome(answer));
        }
    }

    /// Whether the slot's holder is ready.
    pub(crate) fn serves(&self, slot: Slot) -> bool {
        let holder = self.slots.get(&slot).and_then(|slot| slot.holder());
        holder
            .and_then(|worker| self.workers.get(&worker))
            .is_some_and(Worker::is_ready)
    }

    /// A worker of the slot failed: if that slot is being launched, the launch has failed. The
    /// slots go on by the restart policy.
    pub(crate) fn fail_launch(&mut self, cx: &mut Context, slot: Slot, reason: &FailReason) {
        if !self
            .launch()
            .is_some_and(|launch| launch.slots.contains(&slot))
        {
            return;
        }
        if let Some(Operation::Launch(launch)) = self.operation.take() {
            let failure = Failure {
                reason: reason.clone(),
                rolled_back: false,
            };
            cx.reply_all(&launch.commands, &Outcome::Failed(failure));
        }
    }
}
