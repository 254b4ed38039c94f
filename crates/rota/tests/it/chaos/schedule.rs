//! What happens when, by the seed alone.

use std::time::Duration;

/// Something that may go wrong, or that somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// SIGKILL to the supervisor.
    KillSupervisor,
    /// SIGSEGV to the supervisor.
    CrashSupervisor,
    /// SIGSTOP to the supervisor for one to three seconds.
    StopSupervisor,
    /// SIGKILL to the supervisor when nothing else is under way: nothing at all may change.
    KillSupervisorInPeace,
    /// SIGKILL to a worker, whatever it is doing.
    KillWorker,
    /// A worker's event loop never comes back.
    HangWorker,
    /// A reload.
    Reload,
    /// A reload to code that does not work.
    ReloadBroken,
    /// Another number of workers.
    Scale,
    /// Somebody follows the logs and does not read.
    StallReader,
    /// The disk of the log files is full for a while.
    FillDisk,
    /// The log files are moved away.
    RotateLogs,
    /// The supervisor gets no descriptor any more for a while.
    ExhaustDescriptors,
    /// An upgrade to the same program.
    Upgrade,
}

/// How often each of them comes, relative to the others.
const WEIGHTS: [(Action, u32); 14] = [
    (Action::KillSupervisor, 16),
    (Action::CrashSupervisor, 5),
    (Action::StopSupervisor, 5),
    (Action::KillSupervisorInPeace, 4),
    (Action::KillWorker, 12),
    (Action::HangWorker, 8),
    (Action::Reload, 10),
    (Action::ReloadBroken, 8),
    (Action::Scale, 10),
    (Action::StallReader, 5),
    (Action::FillDisk, 4),
    (Action::RotateLogs, 3),
    (Action::ExhaustDescriptors, 6),
    (Action::Upgrade, 4),
];

/// One step of the schedule.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// How long nothing happens before.
    pub pause: Duration,
    /// What happens.
    pub action: Action,
    /// Which worker, how many, for how long: as the action understands it.
    pub detail: u32,
}

/// The steps of one seed, without an end: the same everywhere, whatever of them can be done.
pub struct Schedule {
    random: fastrand::Rng,
}

impl Schedule {
    /// The schedule of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next step.
    pub fn next(&mut self) -> Step {
        let pause = Duration::from_millis(self.random.u64(200..2000));
        let all = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut lot = self.random.u32(0..all);
        let mut chosen = Action::KillSupervisor;
        for (action, weight) in &WEIGHTS {
            chosen = *action;
            match lot.checked_sub(*weight) {
                Some(rest) => lot = rest,
                None => break,
            }
        }
        Step {
            pause,
            action: chosen,
            detail: self.random.u32(..),
        }
    }
}
