//! One question to one worker, and the time that counts against it.

use std::time::Duration;

use super::types::{PulseSettings, Sight, Unanswered};
use crate::Time;

/// How often a worker that owes an answer is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How much more that counts is worth another note.
const NOTE: Duration = Duration::from_millis(100);
/// A look that is later than this was late for a reason that is not the worker's.
const LATE: Duration = Duration::from_millis(100);

/// A question that is not answered yet.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Question {
    pub(super) n: u64,
    pub(super) asked: Time,
    looked: Time,
    /// When the next look is due.
    pub(super) next: Option<Time>,
    sight: Option<Sight>,
    /// How long it could have answered, as far as the machine goes.
    silent: Duration,
    /// The same without the time for which it was held: what counts.
    counted: Duration,
    /// Since when it is late.
    pub(super) missing: Option<Time>,
    /// What it has beyond its limit.
    grace: Duration,
    pub(super) postponed: bool,
    pub(super) suspected: bool,
    pub(super) condemned: bool,
    /// How much counted when that was noted for whoever comes after us.
    noted: Option<Duration>,
    /// The number of the question that another supervisor had no answer to.
    inherited: Option<u64>,
    /// No look before this.
    not_before: Time,
}

impl Question {
    pub(super) fn new(n: u64, now: Time, settings: &PulseSettings, sight: Option<Sight>) -> Self {
        let mut question = Self {
            n,
            asked: now,
            looked: now,
            next: None,
            sight,
            silent: Duration::ZERO,
            counted: Duration::ZERO,
            missing: None,
            grace: Duration::ZERO,
            postponed: false,
            suspected: false,
            condemned: false,
            noted: None,
            inherited: None,
            not_before: Time::default(),
        };
        question.plan(settings, false);
        question
    }

    /// Goes on where another supervisor was when it died: what it has counted counts. Nobody has
    /// listened since, and that time does not.
    pub(super) fn inherit(&mut self, left: &Unanswered, settings: &PulseSettings) {
        if left.postponed {
            self.postpone(settings);
        }
        self.asked = left.asked.min(self.asked);
        self.missing = left.missing.map(|missing| missing.min(self.looked));
        self.counted = settings.inherited(left.counted, self.grace);
        // Never less than what counts.
        self.silent = left.silent.max(self.counted);
        self.noted = Some(self.counted);
        self.inherited = Some(left.n);
        // Whatever has waited for a supervisor is heard first.
        self.not_before = self.looked + LOOK;
    }

    /// It has answered the question before this one: all that was counted until now is over.
    pub(super) fn begin_anew(&mut self, now: Time, settings: &PulseSettings) {
        *self = Self {
            missing: self.missing,
            noted: Some(Duration::ZERO),
            grace: self.grace,
            postponed: self.postponed,
            ..Self::new(self.n, now, settings, self.sight)
        };
    }

    /// Whether that is the number of the question that was inherited.
    pub(super) fn has_inherited(&self, n: u64) -> bool {
        self.inherited == Some(n)
    }

    /// What whoever comes after us should know.
    pub(super) fn left(&self) -> Unanswered {
        Unanswered {
            n: self.n,
            asked: self.asked,
            silent: self.silent,
            counted: self.counted,
            missing: self.missing,
            postponed: self.postponed,
        }
    }

    /// Whether so much more counts that whoever comes after us should know; or it is `late`.
    pub(super) fn is_worth_a_note(&mut self, settings: &PulseSettings, late: bool) -> bool {
        let grows = !self.condemned && settings.limit().is_some();
        let due = self
            .noted
            .is_none_or(|noted| grows && self.counted >= noted + NOTE);
        if due || late {
            self.noted = Some(self.counted);
        }
        due || late
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted.is_some()
    }

    /// Takes account of the time since the last look.
    pub(super) fn look(&mut self, now: Time, sight: Option<Sight>, shielded: bool) {
        let passed = now.since(self.looked);
        let late = self.lateness(now);
        let waited = sight.map_or(Duration::ZERO, |sight| self.waited(passed, sight));
        // A stall of the machine is seen twice, as our lateness and as its wait for a processor.
        let able = passed - passed.min(late.max(waited));
        self.silent += able;
        if !(shielded || sight.is_some_and(|sight| sight.halted)) {
            self.counted += able;
        }
        self.looked = now;
        self.sight = sight;
    }

    /// How late we are.
    fn lateness(&self, now: Time) -> Duration {
        let late = self.next.map_or(Duration::ZERO, |next| now.since(next));
        if late > LATE { late } else { Duration::ZERO }
    }

    /// What counts with the answer: it was not held since the last look, unless it was then.
    pub(super) fn counted_until(&self, now: Time) -> Duration {
        if self.is_halted() {
            self.counted
        } else {
            let passed = now.since(self.looked);
            self.counted + passed.saturating_sub(self.lateness(now))
        }
    }

    /// How long the worker wanted a processor and had none. The kernel counts a wait when it is
    /// over: one that goes on is everything that was not use.
    fn waited(&self, passed: Duration, sight: Sight) -> Duration {
        let Some(before) = self.sight else {
            return Duration::ZERO;
        };
        let starved = sight.starved.saturating_sub(before.starved);
        if sight.runnable && !sight.halted {
            let used = sight.used.saturating_sub(before.used);
            starved.max(passed.saturating_sub(used))
        } else {
            starved
        }
    }

    /// Sets the time of the next look: when something may follow from it, or a little later than
    /// the last one.
    pub(super) fn plan(&mut self, settings: &PulseSettings, shielded: bool) {
        let late = (self.missing.is_none()).then(|| settings.timeout().saturating_sub(self.silent));
        let limit = if self.condemned || shielded {
            None
        } else {
            self.threshold(settings)
                .map(|limit| limit.saturating_sub(self.counted))
        };
        let wait = late.into_iter().chain(limit).min();
        // At least a moment: what rounding leaves must not become a busy loop.
        let wait = wait.map(|wait| wait.clamp(Duration::from_millis(1), LOOK));
        self.next = wait.map(|wait| (self.looked + wait).max(self.not_before));
    }

    /// What has to be counted for the next thing to happen.
    fn threshold(&self, settings: &PulseSettings) -> Option<Duration> {
        let span = if self.suspected {
            settings.limit()
        } else {
            settings.suspicion()
        };
        Some(span?.saturating_add(self.grace))
    }

    /// The count has reached what makes it suspected, or hung.
    pub(super) fn has_reached_threshold(&self, settings: &PulseSettings) -> bool {
        self.threshold(settings)
            .is_some_and(|span| self.counted >= span)
    }

    pub(super) fn is_late(&self, settings: &PulseSettings) -> bool {
        self.silent >= settings.timeout()
    }

    pub(super) fn is_halted(&self) -> bool {
        self.sight.is_some_and(|sight| sight.halted)
    }

    pub(super) fn misses(&self, settings: &PulseSettings) -> u32 {
        settings.missed(self.silent)
    }

    /// Gives it its limit once more.
    pub(super) fn postpone(&mut self, settings: &PulseSettings) {
        if !self.postponed {
            self.postponed = true;
            self.grace = settings.limit().unwrap_or_default();
        }
    }

    /// Time from here on counts as usual, and what was before does not.
    pub(super) fn count_from(&mut self, now: Time) {
        self.looked = self.looked.max(now);
    }
}
