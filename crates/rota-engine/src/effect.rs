//! What comes out of the engine: things for the supervisor to do, answers, and news.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppId, CommandId, ExitStatus, FailReason, Generation, Outcome, Slot, Verb, WorkerId};

/// Something that the supervisor is to do, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Create the process; answer with `Spawned` or `SpawnFailed`.
    Spawn {
        /// Its identity from now on.
        worker: WorkerId,
        /// Its app.
        app: AppId,
        /// Its slot.
        slot: Slot,
        /// Whose specification to use.
        generation: Generation,
    },
    /// Give it no new connections and ask it to leave politely; answer with `Drained`.
    Drain {
        /// Which.
        worker: WorkerId,
    },
    /// Ask it by a message to stop. Never sent before `Spawned` was told.
    StopMessage {
        /// Which.
        worker: WorkerId,
    },
    /// Send its stop signal to its process group. Never sent before `Spawned` was told.
    StopSignal {
        /// Which.
        worker: WorkerId,
    },
    /// Send SIGKILL to its process group; repeated until it is gone.
    Kill {
        /// Which.
        worker: WorkerId,
    },
    /// Answer an operator.
    Reply {
        /// Which command.
        command: CommandId,
        /// What became of it.
        outcome: Outcome,
    },
    /// News about an app, for the journal and for those who watch a command's progress.
    Notice {
        /// Which app.
        app: AppId,
        /// The news.
        notice: Notice,
    },
    /// No worker has this generation, and none will: its specification may be forgotten. Comes
    /// once for every generation that a command has brought along, also when it was refused.
    GenerationRetired {
        /// Whose.
        app: AppId,
        /// Which.
        generation: Generation,
    },
    /// The app was deleted and nothing of it is left.
    AppRemoved {
        /// Which.
        app: AppId,
    },
    /// All workers are gone and nothing will be started any more.
    ShutdownComplete,
}

/// Why a worker is being stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum StopReason {
    /// A command: stop, delete, shutdown or restart.
    Command(Verb),
    /// A newer worker has taken its slot.
    Replaced,
    /// It belongs to a rollout that failed.
    RolledBack,
    /// It was not ready in time.
    NotReady,
    /// It hung.
    Hung,
    /// It leaves by its own wish.
    Left,
}

/// Progress and history of one app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A process is being created.
    Starting {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// Its generation.
        generation: Generation,
    },
    /// A worker serves.
    Ready {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// Time from its start until now.
        after: Duration,
        /// Nobody said so: accepted because of `Policy::lenient_first_ready`.
        assumed: bool,
    },
    /// A worker gets no new work and finishes what it has.
    Draining {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// Why.
        reason: StopReason,
    },
    /// A worker gets its stop signal.
    Stopping {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// Why.
        reason: StopReason,
    },
    /// A worker is killed (said once, however often the kill is repeated).
    Killing {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// Why it was being stopped.
        reason: StopReason,
    },
    /// A process is gone.
    Exited {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// How it ended.
        status: ExitStatus,
        /// How long after its start.
        after: Duration,
        /// Why it was being stopped; `None`: it ended by itself.
        stopped: Option<StopReason>,
    },
    /// A worker failed: crash, not ready in time, not spawned, hung, left at once.
    Failed {
        /// What happened.
        reason: FailReason,
    },
    /// A process could not be made for lack of something that everybody shares; that counts for
    /// nothing, and is tried again.
    SpawnDeferred {
        /// Whose it would have been.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// The supervisor's words.
        reason: String,
        /// How long until the next try.
        delay: Duration,
    },
    /// A slot's next worker will be started after a delay.
    RestartScheduled {
        /// Which slot.
        slot: Slot,
        /// The delay.
        delay: Duration,
        /// Unstable restarts in a row so far.
        unstable: u32,
    },
    /// A slot was given up: too many unstable restarts in a row.
    Errored {
        /// Which slot.
        slot: Slot,
        /// The last failure.
        reason: FailReason,
        /// How many unstable restarts in a row it had.
        unstable: u32,
    },
    /// A slot ended by itself as it was meant to (stop exit code, or no automatic restart).
    Finished {
        /// Which slot.
        slot: Slot,
        /// How its worker ended.
        status: ExitStatus,
    },
    /// The app has other settings from now on, and so have its workers of the generation before. No
    /// process was touched.
    Defined {
        /// The app's generation from now on; that of those workers as well.
        generation: Generation,
    },
    /// A start waits until other apps serve.
    WaitsFor {
        /// Which apps.
        apps: Vec<AppId>,
    },
    /// A rollout begins.
    RolloutStarted {
        /// From this generation.
        from: Generation,
        /// To this one (the same when only the code on disk changed).
        to: Generation,
        /// Number of slots to do.
        steps: u32,
    },
    /// A step of the rollout begins.
    RolloutStep {
        /// Which step, from 1.
        step: u32,
        /// Of how many.
        steps: u32,
        /// The slot to be replaced.
        slot: Slot,
    },
    /// The first new worker is ready and being watched.
    Observing {
        /// Its slot.
        slot: Slot,
        /// Which.
        worker: WorkerId,
        /// For how long.
        span: Duration,
    },
    /// All slots of the rollout have new workers.
    RolloutDone {
        /// The app's generation from now on.
        generation: Generation,
    },
    /// The rollout failed; what it changed is being undone.
    RollbackStarted {
        /// What failed.
        reason: FailReason,
        /// How many slots need a worker of the old generation again.
        steps: u32,
    },
    /// The roll-back has ended.
    RollbackDone {
        /// Everything is as it was. False: some slot could not be brought back.
        complete: bool,
    },
    /// A planned replacement begins.
    Recycling {
        /// Its slot.
        slot: Slot,
        /// The worker to be replaced.
        worker: WorkerId,
        /// The supervisor's words.
        reason: String,
    },
    /// A planned replacement failed; the old worker stays, if it is still there.
    RecycleFailed {
        /// Its slot.
        slot: Slot,
        /// What failed.
        reason: FailReason,
        /// How long until the next try; `None`: the old worker is gone.
        again: Option<Duration>,
    },
    /// A command waits for the one that is being carried out.
    Queued {
        /// Which command.
        command: CommandId,
        /// Its kind.
        verb: Verb,
    },
    /// A reload was joined with one that is waiting already.
    Merged {
        /// Which command.
        command: CommandId,
        /// The command that it goes with.
        into: CommandId,
    },
}
