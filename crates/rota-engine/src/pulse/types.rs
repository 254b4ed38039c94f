//! What goes in and comes out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Time, WorkerId};

/// No shorter time makes sense: it would only keep the processor busy.
const LEAST: Duration = Duration::from_millis(10);
/// A longer one is as good as never.
const MOST: Duration = Duration::from_secs(365 * 24 * 3600);
/// After a takeover a worker has at least this long to answer before it is hung, or its timeout if
/// that is shorter: an answer may have died with the supervisor.
const BENEFIT: Duration = Duration::from_secs(1);
/// The longest time between suspicion and verdict.
const LONGEST_SUSPICION: Duration = Duration::from_secs(2);

/// How a worker is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PulseSettings {
    interval: Duration,
    timeout: Duration,
    misses: u32,
}

impl PulseSettings {
    /// Asked every `interval`; an answer after `timeout` is late; so many beats missed in a row
    /// mean that it hangs, 0 = never.
    #[must_use]
    pub fn new(interval: Duration, timeout: Duration, misses: u32) -> Self {
        Self {
            interval: interval.clamp(LEAST, MOST),
            timeout: timeout.clamp(LEAST, MOST),
            misses,
        }
    }

    /// The time between two questions.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long a question may be unanswered until its worker is hung; `None`: for ever.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        let further = self.misses.checked_sub(1)?;
        Some(
            self.timeout
                .saturating_add(self.interval.saturating_mul(further)),
        )
    }

    /// How long a question is unanswered before its worker is suspected.
    #[must_use]
    pub fn suspicion(&self) -> Option<Duration> {
        let limit = self.limit()?;
        Some(limit - (limit / 4).min(LONGEST_SUSPICION))
    }

    /// The longest silence that can be inherited: what is left must be time enough to answer.
    pub(super) fn inherited(&self, counted: Duration, grace: Duration) -> Duration {
        let most = self.limit().map(|limit| limit.saturating_add(grace));
        let most = most.map(|most| most.saturating_sub(self.timeout.min(BENEFIT)));
        counted.min(most.unwrap_or(Duration::MAX))
    }

    /// How many beats are missed after this time without an answer.
    pub(super) fn missed(&self, silent: Duration) -> u32 {
        let Some(beyond) = silent.checked_sub(self.timeout) else {
            return 0;
        };
        let further = beyond.as_nanos() / self.interval.as_nanos().max(1);
        u32::try_from(further).map_or(u32::MAX, |further| further.saturating_add(1))
    }

    /// The next of the times at which all workers of this interval are asked together.
    pub(super) fn next_question(&self, now: Time) -> Time {
        let interval = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let interval = interval.max(1);
        Time(
            (now.0 / interval)
                .saturating_add(1)
                .saturating_mul(interval),
        )
    }
}

/// What can be seen of a worker's process from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sight {
    /// Stopped by a signal or held by a debugger.
    pub halted: bool,
    /// Its main thread has something to do, whether or not it has a processor to do it with.
    pub runnable: bool,
    /// Processor time that its main thread has had.
    pub used: Duration,
    /// How long its main thread has waited for a processor although it had something to do, as far
    /// as these waits are over.
    pub starved: Duration,
}

/// What a supervisor leaves to the next one of a question that a worker owes an answer to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unanswered {
    /// Its number.
    pub n: u64,
    /// When it was asked, or the first of several that it owes.
    pub asked: Time,
    /// For how long it could have answered, as far as the machine goes, while somebody listened.
    pub silent: Duration,
    /// The same without the time for which it was held: what counts.
    pub counted: Duration,
    /// Since when it is late.
    #[serde(default)]
    pub missing: Option<Time>,
    /// It has been given its limit once more.
    #[serde(default)]
    pub postponed: bool,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PulseEffect {
    /// Ask the worker for a sign of life.
    Ask {
        /// Whom.
        worker: WorkerId,
        /// The number that its answer has to carry.
        n: u64,
    },
    /// What is known of the worker's silence is to outlive us ([`crate::Pulses::unanswered`]). Comes
    /// now and then while an answer is owed, and never of a worker that answers at once.
    Note {
        /// Which.
        worker: WorkerId,
    },
    /// The worker has missed a beat: it gets no more work until it answers. Said once.
    Missed {
        /// Which.
        worker: WorkerId,
        /// How long it has not answered.
        silent: Duration,
        /// It cannot answer: it is stopped, or held by a debugger.
        halted: bool,
    },
    /// It will soon be hung: look where it is. Said once.
    Suspect {
        /// Which.
        worker: WorkerId,
    },
    /// It hangs. Said once.
    Hung {
        /// Which.
        worker: WorkerId,
        /// How long it has not answered.
        silent: Duration,
        /// How many beats it has missed.
        misses: u32,
    },
    /// All workers became late together, which is more likely the machine's fault: each has its
    /// limit once more.
    Postponed {
        /// How many workers.
        workers: usize,
    },
}

/// An answer to the question that was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// After [`PulseEffect::Missed`]: the worker may get work again.
    pub missed: bool,
    /// After [`PulseEffect::Note`]: there is nothing to outlive us any more.
    pub noted: bool,
    /// How long it took.
    pub silent: Duration,
    /// For how much of that the worker could have answered.
    pub counted: Duration,
}
