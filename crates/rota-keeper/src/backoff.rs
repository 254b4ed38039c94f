//! When the next supervisor may start.

use std::time::Duration;

/// A supervisor that was up for this long is a good one: whatever ends it then, the next one starts at once.
const PROVEN: Duration = Duration::from_secs(1);
/// After a life of this length there is no need to wait, though it was never up.
const LONG: Duration = Duration::from_secs(10);
/// Supervisors killed before they were up, in a row, that are replaced at once. More of them are more likely a
/// limit of memory than somebody's hand.
const KILLS: u32 = 10;
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// A supervisor's life, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub lived: Duration,
    /// How long it was up; `None` if it never was.
    pub up: Option<Duration>,
    /// It was ended by SIGKILL, so it is not to blame.
    pub killed: bool,
}

/// Counts in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Supervisors that ended by themselves before they were proven.
    series: u32,
    /// Those that were killed before they were up.
    kills: u32,
    /// Attempts that made no process.
    attempts: u32,
}

impl Backoff {
    /// How many supervisors in a row have failed.
    pub(crate) fn series(&self) -> u32 {
        self.series
    }

    /// How long to wait after a supervisor's end: not at all for one that was proven or killed, nor for the first two
    /// failures in a row, then longer each time.
    pub(crate) fn after(&mut self, life: Life) -> Duration {
        self.attempts = 0;
        if life.up.is_some_and(|up| up >= PROVEN) {
            *self = Self::default();
            return Duration::ZERO;
        }
        if life.killed {
            self.kills = match life.up {
                Some(_) => 0,
                None => self.kills.saturating_add(1),
            };
            return if self.kills > KILLS {
                FIRST
            } else {
                Duration::ZERO
            };
        }
        self.kills = 0;
        self.series = self.series.saturating_add(1);
        if life.lived >= LONG {
            Duration::ZERO
        } else {
            pause(self.series)
        }
    }

    /// How long to wait after an attempt that made no process.
    pub(crate) fn not_started(&mut self) -> Duration {
        self.attempts = self.attempts.saturating_add(1);
        pause(self.attempts)
    }
}

fn pause(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(3) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(1 << doublings.min(10)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(3);
    const CRASH: Life = Life {
        lived: SHORT,
        up: None,
        killed: false,
    };
    const KILL: Life = Life {
        killed: true,
        ..CRASH
    };

    #[test]
    fn at_once_twice_then_longer_and_again_at_once_after_a_proven_one() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10).map(|_| backoff.after(CRASH).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.series(), 10);
        let proven = Life {
            up: Some(PROVEN),
            ..CRASH
        };
        assert_eq!(backoff.after(proven), Duration::ZERO);
        assert_eq!(backoff.series(), 0);
        assert_eq!(backoff.after(CRASH), Duration::ZERO);
        let hardly_up = Life {
            up: Some(SHORT),
            ..CRASH
        };
        assert_eq!(backoff.after(hardly_up), Duration::ZERO);
        assert_eq!(backoff.after(CRASH), FIRST);
        let slow = Life {
            lived: LONG,
            ..CRASH
        };
        assert_eq!(backoff.after(slow), Duration::ZERO);
        assert_eq!(backoff.series(), 4);
    }

    #[test]
    fn the_killed_are_not_to_blame() {
        let mut backoff = Backoff::default();
        backoff.after(CRASH);
        backoff.after(CRASH);
        let up = Life {
            up: Some(SHORT),
            ..KILL
        };
        for _ in 0..1000 {
            assert_eq!(backoff.after(up), Duration::ZERO);
        }
        assert_eq!(backoff.series(), 2);
        for _ in 0..KILLS {
            assert_eq!(backoff.after(KILL), Duration::ZERO);
        }
        assert_eq!(backoff.after(KILL), FIRST);
        assert_eq!(backoff.after(up), Duration::ZERO);
        assert_eq!(backoff.after(CRASH), FIRST);
    }

    #[test]
    fn attempts_that_make_no_process_are_no_series() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..4).map(|_| backoff.not_started().as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200]);
        assert_eq!(backoff.series(), 0);
        assert_eq!(backoff.after(CRASH), Duration::ZERO);
    }
}
