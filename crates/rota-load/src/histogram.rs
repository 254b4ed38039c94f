//! Latencies in buckets: constant memory, about 3 % exact.

use std::time::Duration;

use serde::Serialize;

/// Buckets per doubling, as a power of two.
const SUB_BITS: u32 = 5;
const SUBS: u64 = 1 << SUB_BITS;

/// Median, tail and worst latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of the requests took at most this long.
    pub p50: Duration,
    /// 99 of 100 requests took at most this long.
    pub p99: Duration,
    /// The slowest request.
    pub max: Duration,
}

/// Counts of durations in buckets that grow with the duration.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(into = "Latency")]
pub struct Histogram {
    /// Count per bucket; grows up to the largest bucket in use.
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl From<Histogram> for Latency {
    fn from(histogram: Histogram) -> Self {
        histogram.summary()
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket_of(micros);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max = self.max.max(time);
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration that `per_mille` of a thousand stay within, up to the width of a bucket.
    #[must_use]
    pub fn percentile(&self, per_mille: u64) -> Duration {
        let wanted = self.total.saturating_mul(per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(upper_bound(bucket)).min(self.max);
            }
        }
        self.max
    }

    /// Median, 99th percentile and maximum.
    #[must_use]
    pub fn summary(&self) -> Latency {
        Latency {
            p50: self.percentile(500),
            p99: self.percentile(990),
            max: self.max,
        }
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < SUBS {
        return usize::try_from(micros).unwrap_or(0);
    }
    let shift = micros.ilog2() - SUB_BITS;
    let bucket = u64::from(shift) * SUBS + (micros >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The largest number of microseconds that falls into the bucket.
fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUBS {
        return bucket;
    }
    let shift = (bucket / SUBS).saturating_sub(1);
    let low = SUBS + bucket % SUBS;
    (((u128::from(low) + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_at_most_three_percent_below_its_bound() {
        for exponent in 0..40 {
            for offset in [0u64, 1, 3, 7, 11] {
                let micros = (1u64 << exponent) + offset;
                let bound = upper_bound(bucket_of(micros));
                assert!(bound >= micros, "{micros} in {bound}");
                assert!(bound - micros <= micros / 32, "{micros} in {bound}");
            }
        }
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let mut histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let summary = histogram.summary();
        assert!((500..=520).contains(&summary.p50.as_millis()));
        assert!((990..=1000).contains(&summary.p99.as_millis()));
        assert_eq!(summary.max, Duration::from_millis(1000));
        assert_eq!(histogram.count(), 1000);
    }

    #[test]
    fn empty_is_zero_and_merging_adds() {
        let mut first = Histogram::default();
        assert_eq!(first.summary(), Latency::default());
        let mut second = Histogram::default();
        second.record(Duration::from_micros(70));
        first.merge(&second);
        first.merge(&second);
        assert_eq!(first.count(), 2);
        assert_eq!(first.percentile(500), Duration::from_micros(70));
    }
}
