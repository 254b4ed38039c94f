//! Response times of the last minute.

use std::time::{Duration, Instant};

use rota_node::agent::Figures;

const BUCKETS: usize = Figures::BUCKETS as usize;
/// A minute, in parts that are forgotten one by one.
const PARTS: usize = 6;
const PART: Duration = Duration::from_secs(10);

/// A histogram of the last minute, more or less a part of it.
#[derive(Debug)]
pub(super) struct LatencyWindow {
    parts: [Part; PARTS],
    /// The one that is being filled.
    current: usize,
    /// When that one was begun.
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    counts: [u32; BUCKETS],
}

/// What the window says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Default for LatencyWindow {
    fn default() -> Self {
        Self {
            parts: [Part {
                counts: [0; BUCKETS],
            }; PARTS],
            current: 0,
            since: None,
        }
    }
}

impl LatencyWindow {
    /// How far it reaches.
    pub(super) const SPAN: Duration = Duration::from_secs(PART.as_secs() * PARTS as u64);

    /// Takes responses: pairs of bucket and count. Those without sense are left out.
    pub(super) fn add(&mut self, now: Instant, pairs: &[(u32, u64)]) {
        self.forget(now);
        let part = &mut self.parts[self.current];
        for (bucket, count) in pairs.iter().take(BUCKETS) {
            let bucket = usize::try_from(*bucket).unwrap_or(usize::MAX);
            if let Some(slot) = part.counts.get_mut(bucket) {
                *slot = slot.saturating_add(u32::try_from(*count).unwrap_or(u32::MAX));
            }
        }
    }

    /// Begins a new part when the present one has had its time, and forgets the oldest.
    fn forget(&mut self, now: Instant) {
        let Some(since) = self.since else {
            self.since = Some(now);
            return;
        };
        let passed = now.duration_since(since).as_secs() / PART.as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        for _ in 0..passed.min(PARTS as u32) {
            self.current = (self.current + 1) % PARTS;
            self.parts[self.current].counts = [0; BUCKETS];
        }
        if passed > 0 {
            self.since = Some(
                since
                    .checked_add(PART.saturating_mul(passed))
                    .unwrap_or(now),
            );
        }
    }

    /// Percentiles; none without responses.
    pub(super) fn latency(&self, now: Instant) -> Option<Latency> {
        let merged = self.merged(now);
        let count: u64 = merged.iter().sum();
        let last = merged.iter().rposition(|count| *count > 0)?;
        let at = |share| percentile(&merged, count, share);
        Some(Latency {
            count,
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: upper_ms(last),
        })
    }

    /// The sums of the parts that are younger than the window.
    fn merged(&self, now: Instant) -> [u64; BUCKETS] {
        let mut sums = [0_u64; BUCKETS];
        let idle = self.since.map_or(0, |since| {
            now.duration_since(since).as_secs() / PART.as_secs()
        });
        let young = PARTS.saturating_sub(usize::try_from(idle).unwrap_or(PARTS));
        for back in 0..young {
            let part = &self.parts[(self.current + PARTS - back) % PARTS];
            for (sum, count) in sums.iter_mut().zip(part.counts) {
                *sum += u64::from(count);
            }
        }
        sums
    }
}

/// The time that this share of the responses did not exceed, as if they were spread evenly over their bucket.
fn percentile(counts: &[u64; BUCKETS], total: u64, share: f64) -> f64 {
    let wanted = (total as f64 * share).max(1.0);
    let mut seen = 0.0;
    for (bucket, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && seen + count >= wanted {
            let within = ((wanted - seen) / count).clamp(0.0, 1.0);
            let (low, high) = (lower_ms(bucket), upper_ms(bucket));
            return low + (high - low) * within;
        }
        seen += count;
    }
    0.0
}

fn lower_ms(bucket: usize) -> f64 {
    let bucket = u32::try_from(bucket).unwrap_or(u32::MAX);
    Figures::bucket_bound(bucket) as f64 / 1000.0
}

/// The last bucket has no upper bound: its lower one has to do.
fn upper_ms(bucket: usize) -> f64 {
    lower_ms((bucket + 1).min(BUCKETS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket_of(us: u64) -> u32 {
        (0..Figures::BUCKETS)
            .rev()
            .find(|bucket| Figures::bucket_bound(*bucket) <= us)
            .unwrap()
    }

    #[test]
    fn percentiles_are_within_a_bucket_of_the_truth() {
        let mut window = LatencyWindow::default();
        let now = Instant::now();
        for us in 1..=10_000 {
            window.add(now, &[(bucket_of(us), 1)]);
        }
        let latency = window.latency(now).unwrap();
        assert_eq!(latency.count, 10_000);
        for (found, truth) in [
            (latency.p50_ms, 5.0),
            (latency.p95_ms, 9.5),
            (latency.p99_ms, 9.9),
            (latency.max_ms, 10.0),
        ] {
            assert!((found / truth - 1.0).abs() < 0.13, "{found} for {truth}");
        }
        assert!(latency.p99_ms <= latency.max_ms);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = LatencyWindow::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        window.add(at(0), &[(bucket_of(500_000), 10)]);
        window.add(at(15), &[(bucket_of(1000), 90)]);
        assert_eq!(window.latency(at(16)).unwrap().count, 100);
        assert!(window.latency(at(16)).unwrap().p99_ms > 400.0);
        window.add(at(61), &[(bucket_of(1000), 10)]);
        let latency = window.latency(at(61)).unwrap();
        assert_eq!(latency.count, 100);
        assert!(latency.max_ms < 2.0, "{latency:?}");
        // Without new responses the old ones still grow old.
        assert_eq!(window.latency(at(200)), None);
        window.add(at(500), &[(4, 1)]);
        assert_eq!(window.latency(at(500)).unwrap().count, 1);
    }

    #[test]
    fn nonsense_does_not_hurt() {
        let mut window = LatencyWindow::default();
        let now = Instant::now();
        let wild: Vec<(u32, u64)> = (0..100_000)
            .map(|n| (u32::MAX - n * 40_000, u64::MAX))
            .collect();
        window.add(now, &wild);
        window.add(now, &[(0, u64::MAX), (127, u64::MAX), (0, 7)]);
        let latency = window.latency(now).unwrap();
        assert_eq!(latency.count, 2 * u64::from(u32::MAX));
        assert!(latency.max_ms.is_finite() && latency.p99_ms <= latency.max_ms);
    }
}
