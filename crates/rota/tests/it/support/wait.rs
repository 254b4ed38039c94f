//! Waiting for a condition. The limit only catches a hang.

use std::time::{Duration, Instant};

/// Far more than anything here takes: reaching it is a bug.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Waits until `probe` gives a value.
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually_within(LIMIT, what, probe)
}

/// Waits until `probe` gives a value, for `limit` at most.
pub fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            begin.elapsed() < limit,
            "waited {limit:?} in vain for: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `probe` gives a value, and for some seconds at most: what comes later will not come.
pub fn eventually_maybe<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        let value = probe();
        if value.is_some() || begin.elapsed() > Duration::from_secs(10) {
            return value;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
