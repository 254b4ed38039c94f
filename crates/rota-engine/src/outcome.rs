//! Answers to commands: what became of them, typed, for the caller to put into words.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppId, ExitStatus, Generation, Slot, WorkerId};

/// The one answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has happened.
    Done(Summary),
    /// It was tried and did not work out, or a later command took its place.
    Failed(Failure),
    /// It was not tried.
    Refused(Refusal),
}

/// What a command did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Workers that it brought to readiness.
    pub started: u32,
    /// Workers that it ended.
    pub stopped: u32,
    /// Slots of the app afterwards (0 after a delete or a shutdown).
    pub instances: u32,
    /// The app's generation afterwards (0 after a shutdown).
    pub generation: Generation,
}

/// A command that did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What stood in its way.
    pub reason: FailReason,
    /// After a failed rollout: everything runs (or rests) as it did before. False for a failure
    /// that leaves the app in another state than before, for instance a start whose workers are
    /// being restarted by policy.
    pub rolled_back: bool,
}

/// Why a worker, or the command that needed it, failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FailReason {
    /// A worker ended by itself.
    Crashed {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// How it ended.
        status: ExitStatus,
        /// How long after it was spawned.
        after: Duration,
        /// Whether it had been ready.
        was_ready: bool,
    },
    /// A worker was not ready in time.
    NotReady {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// How long it was given.
        after: Duration,
    },
    /// A process could not be created.
    SpawnFailed {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// The supervisor's words.
        reason: String,
    },
    /// No process could be made for as long as a worker may take to become ready, for lack of
    /// something that everybody shares. It is still being tried, unless for a rollout.
    NoResources {
        /// Its slot.
        slot: Slot,
        /// The last one that was tried.
        worker: WorkerId,
        /// The supervisor's words.
        reason: String,
    },
    /// A worker hung.
    Hung {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// The supervisor's words.
        reason: String,
    },
    /// A new worker left by its own wish as soon as it had started.
    Left {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
    },
    /// An app that this one depends on does not serve. If that is still meant to run, this one is started when it
    /// serves after all; otherwise it rests.
    Dependency {
        /// Which app.
        app: AppId,
        /// It is not even meant to run.
        resting: bool,
    },
    /// Another command took its place.
    Superseded {
        /// Which kind of command.
        by: Verb,
    },
}

impl FailReason {
    /// The slot in which it happened.
    #[must_use]
    pub const fn slot(&self) -> Option<Slot> {
        match self {
            Self::Crashed { slot, .. }
            | Self::NotReady { slot, .. }
            | Self::SpawnFailed { slot, .. }
            | Self::NoResources { slot, .. }
            | Self::Hung { slot, .. }
            | Self::Left { slot, .. } => Some(*slot),
            Self::Dependency { .. } | Self::Superseded { .. } => None,
        }
    }
}

/// The kind of a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Verb {
    /// `Start`
    Start,
    /// `Define`
    Define,
    /// `Stop`
    Stop,
    /// `Restart`
    Restart,
    /// `Reload`
    Reload,
    /// `Scale`
    Scale,
    /// `Reset`
    Reset,
    /// `Delete`
    Delete,
    /// `Shutdown`
    Shutdown,
}

/// Why a command was not even tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No such app.
    #[error("no such app")]
    UnknownApp,
    /// The app has no such slot.
    #[error("no such slot: {slot}")]
    UnknownSlot {
        /// The first of the slots asked for that does not exist.
        slot: Slot,
    },
    /// `Start` of an app all of whose slots are meant to run already.
    #[error("the app is already running")]
    AlreadyRunning,
    /// `Scale` of an app that is stopped as a whole.
    #[error("the app is stopped")]
    NotRunning,
    /// `Start` or `Scale` with no instances at all.
    #[error("at least one instance is needed; use stop to have none")]
    NoInstances,
    /// The app is being deleted.
    #[error("the app is being deleted")]
    Deleting,
    /// Everything is being shut down.
    #[error("everything is being shut down")]
    ShuttingDown,
}
