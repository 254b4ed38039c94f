//! What a rollout has before it, under way and behind it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::saved::is_default;
use crate::spec::Spec;
use crate::{CommandId, FailReason, Slot, StopReason, Time, WorkerId};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Rollout {
    pub(crate) kind: Kind,
    pub(crate) commands: Vec<CommandId>,
    pub(crate) from: Spec,
    pub(crate) to: Spec,
    pub(crate) course: Course,
    /// Slots whose step has not begun.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) plan: VecDeque<Slot>,
    /// Steps that have begun.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) steps: Vec<Step>,
    /// Slots that have their new worker.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) done: BTreeSet<Slot>,
    /// What each slot of the rollout was before.
    pub(crate) before: BTreeMap<Slot, Before>,
    /// The canary has passed: steps go side by side, as far as the surge allows.
    pub(crate) proven: bool,
    pub(crate) width: usize,
    pub(crate) begun: u32,
    pub(crate) total: u32,
    /// Workers that the answer has to wait for: replaced ones, or new ones that were removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) leaving: BTreeSet<WorkerId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Reload,
    /// The planned replacement of one worker.
    Recycle {
        worker: WorkerId,
        why: String,
    },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Course {
    Forward,
    Back {
        reason: FailReason,
        /// Everything can be (so far: has been) brought back.
        complete: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Before {
    pub(crate) spec: Spec,
    pub(crate) state: Rest,
}

/// What a slot is to return to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Rest {
    Running,
    Errored,
    Stopped,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) slot: Slot,
    pub(crate) stage: Stage,
    /// Takes one of the places that the width has.
    pub(crate) counts: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// For room in the slot.
    Waiting,
    Starting,
    Observing {
        until: Time,
    },
}

impl Rollout {
    /// The end of an observation.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let ends = self.steps.iter().filter_map(|step| match step.stage {
            Stage::Observing { until } => Some(until),
            Stage::Waiting | Stage::Starting => None,
        });
        ends.min()
    }

    /// Whether the slot's empty seat is the rollout's to fill.
    pub(crate) fn holds(&self, slot: Slot) -> bool {
        let in_plan = self.goes_back() && self.plan.contains(&slot);
        in_plan || self.steps.iter().any(|step| step.slot == slot)
    }

    pub(crate) fn goes_back(&self) -> bool {
        matches!(self.course, Course::Back { .. })
    }

    /// How many steps may be under way at a time.
    pub(super) fn width(&self) -> usize {
        if self.proven { self.width } else { 1 }
    }

    pub(super) fn target(&self, slot: Slot) -> Spec {
        match (&self.course, self.before.get(&slot)) {
            (Course::Back { .. }, Some(before)) => before.spec.clone(),
            _ => self.to.clone(),
        }
    }

    /// Why workers that a step replaces are stopped.
    pub(super) fn why_old_goes(&self) -> StopReason {
        if self.goes_back() {
            StopReason::RolledBack
        } else {
            StopReason::Replaced
        }
    }
}
