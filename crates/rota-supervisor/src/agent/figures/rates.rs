//! How much per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Rates are those of the last so much time.
const SPAN: Duration = Duration::from_secs(10);
/// Figures that come sooner than this after the last ones are not worth a sample of their own.
const STEP: Duration = Duration::from_millis(500);

/// Counters at a few moments of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Rates {
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    requests: u64,
    bytes: u64,
}

/// Per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PerSecond {
    pub(super) requests: f64,
    pub(super) bytes: f64,
}

impl Rates {
    /// Takes counters. When one goes backwards they are a new worker's, or nonsense: all begins anew.
    pub(super) fn add(&mut self, at: Instant, requests: u64, bytes: u64) {
        let sample = Sample {
            at,
            requests,
            bytes,
        };
        if let Some(last) = self.samples.back() {
            if requests < last.requests || bytes < last.bytes {
                self.samples.clear();
            } else if at.duration_since(last.at) < STEP {
                return;
            }
        }
        self.samples.push_back(sample);
        // One that is older than the span stays: the rate shall cover the span, not less.
        while let Some(second) = self.samples.get(1)
            && at.duration_since(second.at) >= SPAN
        {
            self.samples.pop_front();
        }
    }

    /// The rates between the oldest and the newest; none without two.
    pub(super) fn per_second(&self) -> Option<PerSecond> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let span = last.at.duration_since(first.at).as_secs_f64();
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / span;
        (span > 0.0).then(|| PerSecond {
            requests: rate(first.requests, last.requests),
            bytes: rate(first.bytes, last.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut rates = Rates::default();
        let start = Instant::now();
        let mut add = |second, requests, bytes| {
            rates.add(start + Duration::from_secs(second), requests, bytes);
            rates.per_second().map(|rate| (rate.requests, rate.bytes))
        };
        assert_eq!(add(0, 100, 0), None);
        assert_eq!(add(2, 300, 2000), Some((100.0, 1000.0)));
        for second in 2..15 {
            add(second * 2, 300, 2000);
        }
        assert_eq!(add(30, 300, 2000), Some((0.0, 0.0)));
        // Backwards.
        assert_eq!(add(32, 200, 3000), None);
        assert_eq!(add(34, 220, 3000), Some((10.0, 0.0)));
    }

    #[test]
    fn a_flood_of_figures_is_not_kept() {
        let mut rates = Rates::default();
        let start = Instant::now();
        for millis in 0..60_000 {
            rates.add(start + Duration::from_millis(millis), millis, 0);
        }
        assert!(rates.samples.len() <= 22, "{}", rates.samples.len());
        let rate = rates.per_second().unwrap();
        assert!((rate.requests - 1000.0).abs() < 1.0, "{rate:?}");
    }
}
