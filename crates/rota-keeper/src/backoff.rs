//! When the next supervisor may start.

use std::time::Duration;

/// A supervisor that lived this long is no part of a series of deaths.
const SETTLED: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Counts deaths in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    series: u32,
}

impl Backoff {
    /// How long to wait after a supervisor that lived this long: not at all for the first two deaths in a
    /// row, then longer each time.
    pub(crate) fn after(&mut self, lived: Duration) -> Duration {
        self.series = if lived >= SETTLED {
            1
        } else {
            self.series.saturating_add(1)
        };
        match self.series.checked_sub(3) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1 << doublings.min(10)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_twice_then_longer_and_again_at_once_after_a_long_life() {
        let mut backoff = Backoff::default();
        let short = Duration::from_millis(3);
        let waits: Vec<_> = (0..10).map(|_| backoff.after(short).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.after(SETTLED), Duration::ZERO);
        assert_eq!(backoff.after(short), Duration::ZERO);
        assert_eq!(backoff.after(short), FIRST);
    }
}
