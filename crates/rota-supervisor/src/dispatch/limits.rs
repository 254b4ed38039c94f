//! Limits on what one worker can make the rest of the supervisor do.

use rota_node::primary::Millis;

/// So much per second, and so much at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    per_second: u64,
    burst: u64,
    /// What is left, in thousandths.
    left: u64,
    filled_at: Millis,
}

impl Allowance {
    pub(super) fn new(per_second: u64, burst: u64) -> Self {
        Self {
            per_second,
            burst,
            left: burst * 1000,
            filled_at: 0,
        }
    }

    /// Takes `amount` if there is so much.
    pub(super) fn take(&mut self, amount: u64, now: Millis) -> bool {
        let passed = now.saturating_sub(self.filled_at);
        self.filled_at = now;
        let gained = passed.saturating_mul(self.per_second);
        self.left = self.left.saturating_add(gained).min(self.burst * 1000);
        let Some(left) = self.left.checked_sub(amount.saturating_mul(1000)) else {
            return false;
        };
        self.left = left;
        true
    }
}

/// The limits of one worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    messages: Allowance,
    bytes: Allowance,
    internal: Allowance,
    violations: Allowance,
    unreported: u64,
    said_ready: bool,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            messages: Allowance::new(1_000, 2_000),
            bytes: Allowance::new(4 << 20, 8 << 20),
            internal: Allowance::new(1_000, 2_000),
            violations: Allowance::new(1, 3),
            unreported: 0,
            said_ready: false,
        }
    }

    /// Whether a message of the app's own is passed on. The first `"ready"` always is.
    pub(super) fn user_message(&mut self, json: &str, now: Millis) -> bool {
        if !self.said_ready && json == "\"ready\"" {
            self.said_ready = true;
            return true;
        }
        self.messages.take(1, now) && self.bytes.take(json.len() as u64, now)
    }

    /// Whether a message of the agent's is passed on.
    pub(super) fn internal_message(&mut self, now: Millis) -> bool {
        self.internal.take(1, now)
    }

    /// Whether a violation is reported, and how many before it were not.
    pub(super) fn violation(&mut self, now: Millis) -> Option<u64> {
        if self.violations.take(1, now) {
            Some(std::mem::take(&mut self.unreported))
        } else {
            self.unreported += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_fills_up_again_but_not_over_its_burst() {
        let mut allowance = Allowance::new(10, 3);
        assert_eq!((0..5).filter(|_| allowance.take(1, 0)).count(), 3);
        assert!(!allowance.take(1, 99));
        assert!(allowance.take(1, 100));
        assert!(!allowance.take(1, 100));
        assert_eq!((0..50).filter(|_| allowance.take(1, 60_000)).count(), 3);
    }

    #[test]
    fn ready_is_heard_behind_a_flood() {
        let mut limits = Limits::new();
        while limits.user_message("1", 0) {}
        assert!(limits.user_message("\"ready\"", 0));
        assert!(!limits.user_message("\"ready\"", 0));
    }

    #[test]
    fn violations_are_counted_while_they_are_not_reported() {
        let mut limits = Limits::new();
        while limits.violation(0).is_some() {}
        assert_eq!(limits.violation(0), None);
        assert_eq!(limits.violation(1000), Some(2));
        assert_eq!(limits.violation(2000), Some(0));
    }
}
