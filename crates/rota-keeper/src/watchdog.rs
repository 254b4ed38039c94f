//! The manager's watchdog (`WatchdogSec=`): as long as the keeper's loop turns it hears `WATCHDOG=1`, in half of the time
//! that it grants. At the same beat the supervisor is asked for a sign of life: one that hangs is killed like one that has
//! died, which costs no worker, where the manager would end everything.

use std::time::{Duration, Instant};

use crate::keeper::Keeper;
use crate::log;
use crate::notify::SOCKET;
use crate::protocol::FromKeeper;

/// How long the manager waits for a sign, in microseconds.
const TIME: &str = "WATCHDOG_USEC";
/// Whose signs it waits for; without it, those of whoever was started.
const WHOSE: &str = "WATCHDOG_PID";
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(3600);

/// What is due.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Half of the time that the manager grants.
    interval: Duration,
    next: Instant,
    /// What the supervisor was asked, and when.
    asked: Option<(u64, Instant)>,
    last: u64,
}

/// What a beat has brought.
#[derive(Debug, PartialEq, Eq)]
enum Beat {
    Nothing,
    /// The supervisor is to be asked this.
    Ask(u64),
    /// It has not answered for so long.
    Hangs(Duration),
}

impl Watchdog {
    /// As the environment says; `None`: nobody waits for signs.
    pub(crate) fn from_env() -> Option<Self> {
        std::env::var_os(SOCKET).filter(|place| !place.is_empty())?;
        let whose = std::env::var(WHOSE).ok();
        let interval = interval(
            std::process::id(),
            whose.as_deref(),
            &std::env::var(TIME).ok()?,
        )?;
        Some(Self::new(interval, Instant::now()))
    }

    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            next: now,
            asked: None,
            last: 0,
        }
    }

    /// When the next sign is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// The supervisor has answered.
    pub(crate) fn answered(&mut self, number: u64) {
        if self.asked.is_some_and(|(asked, _)| asked == number) {
            self.asked = None;
        }
    }

    /// The supervisor that was asked has gone.
    pub(crate) fn forget(&mut self) {
        self.asked = None;
    }

    /// `up`: there is a supervisor that can be expected to answer.
    fn beat(&mut self, now: Instant, up: bool) -> Beat {
        // Who is late, for the machine stood still, is no judge of others.
        let late = now.saturating_duration_since(self.next) > self.interval / 2;
        self.next = now + self.interval;
        if !up || late {
            self.asked = None;
        }
        match self.asked {
            _ if !up => Beat::Nothing,
            None => {
                self.last = self.last.wrapping_add(1);
                self.asked = Some((self.last, now));
                Beat::Ask(self.last)
            }
            Some((_, at)) => {
                let silent = now.saturating_duration_since(at);
                if silent < self.interval * 2 {
                    return Beat::Nothing;
                }
                self.asked = None;
                Beat::Hangs(silent)
            }
        }
    }
}

fn interval(own: u32, whose: Option<&str>, time: &str) -> Option<Duration> {
    if whose.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let time: u64 = time.parse().ok().filter(|time| *time > 0)?;
    Some((Duration::from_micros(time) / 2).clamp(SHORTEST, LONGEST))
}

impl Keeper {
    /// Gives the sign that is due.
    pub(crate) fn give_sign(&mut self, now: Instant) {
        let up = self.supervisor.is_up() && !self.is_leaving() && !self.upgrade.is_switching();
        let Some(watchdog) = self.watchdog.as_mut().filter(|dog| now >= dog.next) else {
            return;
        };
        let beat = watchdog.beat(now, up);
        self.manager.tell("WATCHDOG=1".to_owned());
        match beat {
            Beat::Nothing => {}
            Beat::Ask(number) => self.outbox.push(&FromKeeper::Ping { number }),
            Beat::Hangs(silent) => {
                log(format_args!(
                    "the supervisor has not answered for {} s: it is killed",
                    silent.as_secs()
                ));
                self.supervisor.kill();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn half_of_what_is_granted_and_only_if_it_is_meant() {
        let of = |whose, time| interval(7, whose, time);
        assert_eq!(of(Some("7"), "30000000"), Some(15 * SECOND));
        assert_eq!(of(None, "2000000"), Some(SECOND));
        assert_eq!(of(None, "1"), Some(SHORTEST));
        assert_eq!(of(None, "18446744073709551615"), Some(LONGEST));
        for (whose, time) in [
            (Some("8"), "2000000"),
            (Some(""), "2000000"),
            (None, "0"),
            (None, ""),
            (None, "-1"),
            (None, "18446744073709551616"),
            (None, "x"),
        ] {
            assert_eq!(of(whose, time), None, "{whose:?} {time}");
        }
    }

    #[test]
    fn one_that_does_not_answer_hangs_and_one_that_does_is_asked_again() {
        let start = Instant::now();
        let mut dog = Watchdog::new(SECOND, start);
        assert_eq!(dog.beat(start, false), Beat::Nothing, "there is none");
        assert_eq!(dog.beat(start + SECOND, true), Beat::Ask(1));
        dog.answered(1);
        assert_eq!(dog.beat(start + 2 * SECOND, true), Beat::Ask(2));
        dog.answered(1);
        assert_eq!(dog.beat(start + 3 * SECOND, true), Beat::Nothing);
        assert_eq!(dog.beat(start + 4 * SECOND, true), Beat::Hangs(2 * SECOND));
        // The next one is asked anew.
        assert_eq!(dog.beat(start + 5 * SECOND, true), Beat::Ask(3));
        dog.forget();
        assert_eq!(dog.beat(start + 6 * SECOND, true), Beat::Ask(4));
        assert_eq!(dog.deadline(), start + 7 * SECOND);
    }

    #[test]
    fn a_machine_that_stood_still_is_nobodys_fault() {
        let start = Instant::now();
        let mut dog = Watchdog::new(SECOND, start);
        assert_eq!(dog.beat(start, true), Beat::Ask(1));
        assert_eq!(dog.beat(start + 60 * SECOND, true), Beat::Ask(2));
        assert_eq!(dog.beat(start + 61 * SECOND, true), Beat::Nothing);
        assert_eq!(dog.beat(start + 62 * SECOND, true), Beat::Hangs(2 * SECOND));
    }
}
