//! What goes into the engine: observations of workers, commands of operators, the passing of time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Policy;

/// An app, by a number that the supervisor chooses and does not use for another app.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AppId(pub u32);

/// One incarnation of a worker; chosen by the engine, from 1, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct WorkerId(pub u64);

/// One command of an operator, by a number that the supervisor chooses and never repeats.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CommandId(pub u64);

/// A worker's place in its app: 0..n, kept across generations.
pub type Slot = u32;

/// One version of an app's specification, numbered by the supervisor, which keeps the
/// specification until [`Effect::GenerationRetired`](crate::Effect::GenerationRetired).
pub type Generation = u32;

/// Something that happened.
///
/// Events about workers that the engine does not know (any more) are ignored.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one event at a time: a box would only be in the way"
)]
pub enum Event {
    /// An operator wants something; answered by exactly one [`Effect::Reply`](crate::Effect::Reply).
    Command {
        /// What the answer will carry.
        id: CommandId,
        /// What is wanted.
        command: Command,
    },
    /// The process exists.
    Spawned {
        /// Whose.
        worker: WorkerId,
        /// Its process id.
        pid: u32,
    },
    /// There is no process and there will be none.
    SpawnFailed {
        /// Whose.
        worker: WorkerId,
        /// Why, for people.
        reason: String,
    },
    /// There is no process, for lack of something that everybody shares (descriptors, processes,
    /// memory). It says nothing of the app, and counts for nothing: it is tried again.
    SpawnDeferred {
        /// Whose.
        worker: WorkerId,
        /// What is lacking, for people.
        reason: String,
    },
    /// The worker serves (listening, or said so, or answers its probe).
    Ready {
        /// Which.
        worker: WorkerId,
    },
    /// The worker has no connections left, or left its cluster politely.
    Drained {
        /// Which.
        worker: WorkerId,
    },
    /// The worker leaves by its own wish (`worker.disconnect()`, `STOPPING=1`): not a crash.
    Leaving {
        /// Which.
        worker: WorkerId,
    },
    /// The process ended.
    Exited {
        /// Whose.
        worker: WorkerId,
        /// How.
        status: ExitStatus,
    },
    /// The worker does not react any more: stop it without drain, then replace it.
    Hung {
        /// Which.
        worker: WorkerId,
        /// How that was noticed, for people.
        reason: String,
    },
    /// Replace the worker when convenient: the new one first, one at a time per app.
    Recycle {
        /// Which.
        worker: WorkerId,
        /// Why (memory, age, schedule), for people.
        reason: String,
    },
    /// Time has passed: at the latest when [`Engine::next_deadline`](crate::Engine::next_deadline)
    /// is reached.
    Tick,
}

impl Event {
    /// The worker that it is about.
    #[must_use]
    pub const fn worker(&self) -> Option<WorkerId> {
        match self {
            Self::Spawned { worker, .. }
            | Self::SpawnFailed { worker, .. }
            | Self::SpawnDeferred { worker, .. }
            | Self::Ready { worker }
            | Self::Drained { worker }
            | Self::Leaving { worker }
            | Self::Exited { worker, .. }
            | Self::Hung { worker, .. }
            | Self::Recycle { worker, .. } => Some(*worker),
            Self::Command { .. } | Self::Tick => None,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What an operator can ask for.
///
/// `slots: None` means all slots of the app. `update: None` means the app's current generation
/// again (the code on disk may have changed all the same).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Start a new app, or the stopped and errored slots of a known one. Done when all are ready
    /// and the first was observed; failed at the first that is not (restarts go on by policy).
    Start {
        /// Which app.
        app: AppId,
        /// Its settings from now on.
        policy: Policy,
        /// The generation that these belong to.
        generation: Generation,
    },
    /// Give an app other settings without touching a process: its workers have them from now on, and a
    /// new app is at rest with them. For settings that a running process need not know. Done at once.
    Define {
        /// Which app.
        app: AppId,
        /// Its settings from now on. The number of instances counts only while nothing is to run.
        policy: Policy,
        /// The generation that these belong to.
        generation: Generation,
    },
    /// Stop slots and keep them stopped. Done when their processes are gone.
    Stop {
        /// Which app.
        app: AppId,
        /// Which slots.
        slots: Option<Vec<Slot>>,
    },
    /// Stop the chosen slots at once, then start them. Done like `Start`.
    Restart {
        /// Which app.
        app: AppId,
        /// Which slots.
        slots: Option<Vec<Slot>>,
        /// A new generation to start them with.
        update: Option<(Policy, Generation)>,
    },
    /// Replace the chosen slots' workers step by step; rolled back when a new one fails.
    Reload {
        /// Which app.
        app: AppId,
        /// Which slots.
        slots: Option<Vec<Slot>>,
        /// A new generation to replace them with.
        update: Option<(Policy, Generation)>,
    },
    /// Change the number of slots. Done when new ones are ready, or surplus ones are gone.
    Scale {
        /// Which app.
        app: AppId,
        /// How many slots it is to have, at least one.
        instances: u32,
    },
    /// Begin to count anew: restarts, unstable restarts in a row, the last failure. What goes on is not touched.
    /// Done at once.
    Reset {
        /// Which app.
        app: AppId,
        /// Which slots.
        slots: Option<Vec<Slot>>,
    },
    /// Stop the app and forget it. Done when its processes are gone.
    Delete {
        /// Which app.
        app: AppId,
    },
    /// Stop every worker of every app. What the apps' slots are meant to do stays as it is.
    Shutdown {
        /// Skip drain and stop signal: kill at once. Also hastens a shutdown already going on.
        now: bool,
    },
}

impl Command {
    /// The app that it is about; a shutdown is about all.
    #[must_use]
    pub const fn app(&self) -> Option<AppId> {
        match self {
            Self::Start { app, .. }
            | Self::Define { app, .. }
            | Self::Stop { app, .. }
            | Self::Restart { app, .. }
            | Self::Reload { app, .. }
            | Self::Scale { app, .. }
            | Self::Reset { app, .. }
            | Self::Delete { app } => Some(*app),
            Self::Shutdown { .. } => None,
        }
    }

    /// The generation that it brings along.
    #[must_use]
    pub const fn generation(&self) -> Option<Generation> {
        match self {
            Self::Start { generation, .. }
            | Self::Define { generation, .. }
            | Self::Restart {
                update: Some((_, generation)),
                ..
            }
            | Self::Reload {
                update: Some((_, generation)),
                ..
            } => Some(*generation),
            Self::Restart { update: None, .. }
            | Self::Reload { update: None, .. }
            | Self::Stop { .. }
            | Self::Scale { .. }
            | Self::Reset { .. }
            | Self::Delete { .. }
            | Self::Shutdown { .. } => None,
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn verb(&self) -> crate::Verb {
        match self {
            Self::Start { .. } => crate::Verb::Start,
            Self::Define { .. } => crate::Verb::Define,
            Self::Stop { .. } => crate::Verb::Stop,
            Self::Restart { .. } => crate::Verb::Restart,
            Self::Reload { .. } => crate::Verb::Reload,
            Self::Scale { .. } => crate::Verb::Scale,
            Self::Reset { .. } => crate::Verb::Reset,
            Self::Delete { .. } => crate::Verb::Delete,
            Self::Shutdown { .. } => crate::Verb::Shutdown,
        }
    }
}
