//! What can be seen of the engine's state: snapshots for list and describe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::saved::is_default;
use crate::{AppId, ExitStatus, FailReason, Generation, Policy, Slot, StopReason, Time, WorkerId};

/// One word about an app.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AppStatus {
    /// At least one worker serves and no command is being carried out.
    Online,
    /// Workers are starting and none serves yet, or a start or restart is being carried out.
    Launching,
    /// A rollout is going on.
    Reloading,
    /// Everything is being stopped.
    Stopping,
    /// Stopped on purpose, or ended as it was meant to.
    Stopped,
    /// Given up: no worker runs and none will be started.
    Errored,
    /// No worker runs; the next start is scheduled.
    WaitingRestart,
}

/// An app.
#[derive(Clone, PartialEq, Debug)]
pub struct AppView<'a> {
    /// Which.
    pub app: AppId,
    /// One word about it.
    pub status: AppStatus,
    /// Number of slots that it is to have.
    pub instances: u32,
    /// The generation that new slots get: the last accepted one.
    pub generation: Generation,
    /// The settings of that generation.
    pub policy: &'a Policy,
    /// Its slots in order.
    pub slots: Vec<SlotView<'a>>,
    /// The rollout that is going on.
    pub rollout: Option<RolloutView>,
    /// Why slots were given up: the last reason, if any slot is errored now.
    pub errored: Option<&'a FailReason>,
    /// Apps that have to serve before anything of it is started.
    pub waits_for: Vec<AppId>,
    /// Commands that wait for their turn.
    pub queued: usize,
}

/// A running rollout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RolloutView {
    /// From this generation.
    pub from: Generation,
    /// To this one.
    pub to: Generation,
    /// Steps begun so far.
    pub step: u32,
    /// Steps in all.
    pub steps: u32,
    /// What it waits for.
    pub phase: RolloutPhase,
}

/// What a rollout waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RolloutPhase {
    /// For room beside (or in place of) an old worker.
    Waiting,
    /// For a new worker to become ready.
    Starting,
    /// For the end of the first new worker's time of observation.
    Observing,
    /// For workers of the old generation that take back their slots.
    RollingBack,
}

/// A slot's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SlotStatus {
    /// Meant to be stopped; its last process may still be on its way out.
    Stopped,
    /// Has its worker.
    Running,
    /// Waits for its next start.
    Waiting,
    /// Given up.
    Errored,
}

/// A slot of an app.
#[derive(Clone, PartialEq, Debug)]
pub struct SlotView<'a> {
    /// Which.
    pub slot: Slot,
    /// The number that users see and type, unique in the daemon.
    pub id: u32,
    /// Its state.
    pub status: SlotStatus,
    /// What the operator wants: true = running.
    pub wanted: bool,
    /// Not wanted because its worker has ended by itself, as it was meant to: a job that is done.
    pub finished: bool,
    /// The generation of its next worker.
    pub generation: Generation,
    /// Starts after the first one, for whatever reason but a plain stop and start.
    pub restarts: u32,
    /// Unstable restarts in a row.
    pub unstable: u32,
    /// When the next start is due.
    pub next_start: Option<Time>,
    /// How its last process ended.
    pub last_exit: Option<ExitRecord>,
    /// The last failure since it was started by an operator.
    pub last_failure: Option<&'a FailReason>,
    /// Why no process could be made for it at the last try, for lack of something that everybody
    /// shares; `None` as soon as one could.
    pub shortage: Option<&'a str>,
    /// Its live workers: the one that holds the slot first (if any), then a new one that is to
    /// take it over, then old ones on their way out.
    pub workers: Vec<WorkerView>,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Which worker.
    pub worker: WorkerId,
    /// How.
    pub status: ExitStatus,
    /// When.
    pub at: Time,
    /// How long after its start.
    pub after: Duration,
    /// Why it was being stopped; `None`: it ended by itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stopped: Option<StopReason>,
}

/// A worker's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WorkerStatus {
    /// Not ready yet.
    Starting,
    /// Serves.
    Ready,
    /// Finishes what it has.
    Draining,
    /// Has its stop signal.
    Stopping,
    /// Has been killed and is not gone yet.
    Killing,
}

/// One live worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkerView {
    /// Which.
    pub worker: WorkerId,
    /// Its app.
    pub app: AppId,
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: Generation,
    /// Its state.
    pub status: WorkerStatus,
    /// Its process, once that exists.
    pub pid: Option<u32>,
    /// When its start was ordered.
    pub started: Time,
    /// When it became ready.
    pub ready: Option<Time>,
    /// Why it is being stopped, if it is.
    pub stopping: Option<StopReason>,
}
