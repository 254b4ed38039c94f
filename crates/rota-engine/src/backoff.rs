//! When a slot whose worker failed is started again, and when it is given up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Policy;
use crate::saved::is_default;

/// A small generator for jitter (splitmix64): seeded, so that a run can be repeated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `span` more or less by up to a fifth: workers that died together do not return together.
    fn jitter(&mut self, span: Duration) -> Duration {
        let percent = 80 + u32::try_from(self.next() % 41).unwrap_or(20);
        span.saturating_mul(percent) / 100
    }
}

/// The shortest pause after a process could not be made: what everybody lacks is not there at once.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait after `tries` processes in a row that could not be made. No fault of the app's:
/// its history has nothing to do with it.
pub(crate) fn shortage_pause(policy: &Policy, tries: u32, rng: &mut Rng) -> Duration {
    let base = policy.backoff_base.max(SHORTAGE_PAUSE);
    let span = doubled(base, tries.saturating_sub(1));
    rng.jitter(span.min(policy.backoff_max.max(base)))
}

fn doubled(span: Duration, times: u32) -> Duration {
    span.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
}

/// What a slot remembers about its failures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    /// Unstable ends in a row; too many, and the slot is given up.
    pub(crate) unstable: u32,
    /// Doublings of the delay. Forgotten only after a long time of service, where `unstable` is
    /// forgotten after a short one: a worker that dies every few seconds is not given up, but
    /// does not get its restarts for nothing either if it also fails to start.
    level: u32,
    /// The last pause of [`Policy::backoff`], before jitter.
    #[serde(default, skip_serializing_if = "is_default")]
    pause: Duration,
}

/// What to do with a slot whose worker failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Restart { delay: Duration },
    GiveUp,
}

impl History {
    /// Takes note of a failure after `served` time of service.
    pub(crate) fn failed(&mut self, policy: &Policy, served: Duration, rng: &mut Rng) -> Verdict {
        if served >= policy.backoff_reset {
            *self = Self::default();
        }
        // The base delay is the floor of `min_uptime`: with a zero there, a worker that is ready
        // and dies at once would otherwise be restarted without any pause.
        if served >= policy.min_uptime.max(policy.backoff_base) {
            self.unstable = 0;
        } else {
            self.unstable = self.unstable.saturating_add(1);
            self.level = self.level.saturating_add(1);
        }
        if self.unstable > policy.max_restarts {
            return Verdict::GiveUp;
        }
        let delay = match policy.backoff {
            Some(first) => {
                self.lengthen(first, policy.backoff_max);
                rng.jitter(self.pause)
            }
            None => self.delay(policy, rng),
        };
        Verdict::Restart { delay }
    }

    /// The next pause of [`Policy::backoff`].
    fn lengthen(&mut self, first: Duration, longest: Duration) {
        let longer = self.pause.saturating_mul(3) / 2;
        self.pause = longer.min(longest).max(first);
    }

    fn delay(&self, policy: &Policy, rng: &mut Rng) -> Duration {
        if !policy.restart_delay.is_zero() {
            return policy.restart_delay;
        }
        let Some(doublings) = self.level.checked_sub(1) else {
            return Duration::ZERO;
        };
        let span = doubled(policy.backoff_base, doublings);
        rng.jitter(span.min(policy.backoff_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(31);

    fn delay_ms(verdict: Verdict) -> u128 {
        match verdict {
            Verdict::Restart { delay } => delay.as_millis(),
            Verdict::GiveUp => panic!("given up"),
        }
    }

    fn near(actual: u128, expected: u128) -> bool {
        (expected * 80 / 100..=expected * 120 / 100).contains(&actual)
    }

    #[test]
    fn a_worker_that_served_is_restarted_at_once() {
        let mut history = History::default();
        let verdict = history.failed(&Policy::default(), STABLE, &mut Rng::new(1));
        assert_eq!(delay_ms(verdict), 0);
        assert_eq!(history.unstable, 0);
    }

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            max_restarts: u32::MAX,
            ..Policy::default()
        };
        for expected in [100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000] {
            let delay = delay_ms(history.failed(&policy, Duration::ZERO, &mut rng));
            assert!(near(delay, expected), "{delay} is not about {expected}");
        }
        for _ in 0..100 {
            let delay = delay_ms(history.failed(&policy, Duration::ZERO, &mut rng));
            assert!(near(delay, 15000), "{delay} is beyond the bound");
        }
    }

    #[test]
    fn the_limit_counts_unstable_ends_in_a_row() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            max_restarts: 3,
            ..Policy::default()
        };
        for _ in 0..3 {
            delay_ms(history.failed(&policy, Duration::ZERO, &mut rng));
        }
        delay_ms(history.failed(&policy, STABLE, &mut rng));
        for _ in 0..3 {
            delay_ms(history.failed(&policy, Duration::ZERO, &mut rng));
        }
        let verdict = history.failed(&policy, Duration::ZERO, &mut rng);
        assert_eq!(verdict, Verdict::GiveUp);
    }

    #[test]
    fn short_service_keeps_the_delay_and_long_service_forgets_it() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy::default();
        for _ in 0..4 {
            history.failed(&policy, Duration::ZERO, &mut rng);
        }
        assert!(near(
            delay_ms(history.failed(&policy, STABLE, &mut rng)),
            800
        ));
        assert_eq!(delay_ms(history.failed(&policy, LONG, &mut rng)), 0);
        assert_eq!(history, History::default());
    }

    #[test]
    fn a_fixed_delay_replaces_the_back_off() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            restart_delay: Duration::from_secs(4),
            ..Policy::default()
        };
        for served in [Duration::ZERO, STABLE, LONG] {
            assert_eq!(delay_ms(history.failed(&policy, served, &mut rng)), 4000);
        }
    }

    #[test]
    fn a_back_off_that_is_set_grows_by_half_with_every_end() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            backoff: Some(Duration::from_millis(100)),
            restart_delay: Duration::from_secs(4),
            ..Policy::default()
        };
        for expected in [100, 150, 225, 337, 506, 759] {
            let delay = delay_ms(history.failed(&policy, STABLE, &mut rng));
            assert!(near(delay, expected), "{delay} is not about {expected}");
        }
        assert_eq!(history.unstable, 0, "it served long enough each time");
        for _ in 0..20 {
            history.failed(&policy, STABLE, &mut rng);
        }
        let bound = delay_ms(history.failed(&policy, STABLE, &mut rng));
        assert!(near(bound, 15_000), "{bound}");
        let fresh = delay_ms(history.failed(&policy, LONG, &mut rng));
        assert!(near(fresh, 100), "{fresh}");
    }

    #[test]
    fn a_first_pause_beyond_the_bound_is_kept() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            backoff: Some(Duration::from_secs(40)),
            ..Policy::default()
        };
        for _ in 0..3 {
            let delay = delay_ms(history.failed(&policy, Duration::ZERO, &mut rng));
            assert!(near(delay, 40_000), "{delay}");
        }
    }

    #[test]
    fn no_uptime_demanded_is_still_no_busy_loop() {
        let (mut history, mut rng) = (History::default(), Rng::new(7));
        let policy = Policy {
            min_uptime: Duration::ZERO,
            ..Policy::default()
        };
        assert!(near(
            delay_ms(history.failed(&policy, Duration::ZERO, &mut rng)),
            100
        ));
    }
}
