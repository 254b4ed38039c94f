//! A supervisor that hangs is noticed: it is asked for a sign of life now and then, and one that does not answer, or does
//! not get as far as that, is killed and replaced like one that has died, which costs no worker.
//!
//! Where the keeper's manager has a watchdog (`WatchdogSec=`), it hears `WATCHDOG=1` at the same beat, in half of the time
//! that it grants, as long as the keeper's loop turns. The manager would end everything.

use std::time::{Duration, Instant};

use crate::keeper::Keeper;
use crate::log;
use crate::notify::SOCKET;
use crate::protocol::FromKeeper;

/// How long the manager waits for a sign, in microseconds. Without a manager: how long the keeper waits. 0: for ever.
const TIME: &str = "WATCHDOG_USEC";
/// Whose signs it waits for; without it, those of whoever was started.
const WHOSE: &str = "WATCHDOG_PID";
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(3600);
/// Half of the time that a supervisor has where nobody says: it answers within milliseconds, and what is only slow,
/// because the machine is, must not be killed for it.
const USUAL: Duration = Duration::from_secs(30);

/// What is due.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Half of the time that is granted.
    interval: Duration,
    /// The manager is to hear a sign of the keeper itself.
    tells: bool,
    next: Instant,
    /// What is expected of the supervisor, and since when.
    awaited: Option<(Awaited, Instant)>,
    last: u64,
    /// The supervisor has answered once.
    well: bool,
}

/// The supervisor's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none of which anything can be expected.
    Gone,
    /// It has not taken over yet.
    Begins,
    Up,
}

/// What is expected of a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// To take over.
    Up,
    /// The answer to this question.
    Answer(u64),
}

/// What a beat has brought.
#[derive(Debug, PartialEq, Eq)]
enum Beat {
    Nothing,
    /// The supervisor is to be asked this.
    Ask(u64),
    /// It owes us that for so long.
    Hangs(Duration),
}

impl Watchdog {
    /// As the environment says; `None`: the supervisor may take as long as it likes.
    pub(crate) fn from_env() -> Option<Self> {
        let managed = std::env::var_os(SOCKET).is_some_and(|place| !place.is_empty());
        let whose = std::env::var(WHOSE).ok();
        let time = std::env::var(TIME).ok();
        let now = Instant::now();
        let told = interval(std::process::id(), whose.as_deref(), time.as_deref());
        match told {
            Some(interval) if managed => Some(Self::new(interval, true, now)),
            Some(interval) => Some(Self::new(interval, false, now + interval)),
            None if time.as_deref() == Some("0") => None,
            None => Some(Self::new(USUAL, false, now + USUAL)),
        }
    }

    /// `next`: when the first sign is due.
    fn new(interval: Duration, tells: bool, next: Instant) -> Self {
        Self {
            interval,
            tells,
            next,
            awaited: None,
            last: 0,
            well: false,
        }
    }

    /// When the next sign is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// The supervisor has answered.
    pub(crate) fn answered(&mut self, number: u64) {
        if matches!(self.awaited, Some((Awaited::Answer(asked), _)) if asked == number) {
            self.awaited = None;
            self.well = true;
        }
    }

    /// The supervisor has gone.
    pub(crate) fn forget(&mut self) {
        self.awaited = None;
        self.well = false;
    }

    fn beat(&mut self, now: Instant, stage: Stage) -> Beat {
        // Who is late, for the machine stood still, is no judge of others.
        let late = now.saturating_duration_since(self.next) > self.interval / 2;
        self.next = now + self.interval;
        if late {
            self.awaited = None;
        }
        match (stage, self.awaited) {
            (Stage::Gone, _) => {
                self.forget();
                Beat::Nothing
            }
            (Stage::Begins, Some((Awaited::Up, since)))
            | (Stage::Up, Some((Awaited::Answer(_), since))) => {
                let silent = now.saturating_duration_since(since);
                if silent < self.interval * 2 {
                    return Beat::Nothing;
                }
                self.awaited = None;
                Beat::Hangs(silent)
            }
            (Stage::Begins, _) => {
                self.awaited = Some((Awaited::Up, now));
                Beat::Nothing
            }
            (Stage::Up, _) => {
                self.last = self.last.wrapping_add(1);
                self.awaited = Some((Awaited::Answer(self.last), now));
                Beat::Ask(self.last)
            }
        }
    }
}

/// Half of the time that is granted to this process; `None`: none, or what is said makes no sense.
fn interval(own: u32, whose: Option<&str>, time: Option<&str>) -> Option<Duration> {
    if whose.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let time: u64 = time?.parse().ok().filter(|time| *time > 0)?;
    Some((Duration::from_micros(time) / 2).clamp(SHORTEST, LONGEST))
}

impl Keeper {
    /// Gives the sign that is due.
    pub(crate) fn give_sign(&mut self, now: Instant) {
        let stage = match self.is_leaving() || self.upgrade.is_switching() {
            false if self.supervisor.is_up() => Stage::Up,
            false if self.supervisor.link.is_some() => Stage::Begins,
            _ => Stage::Gone,
        };
        let Some(watchdog) = self.watchdog.as_mut().filter(|dog| now >= dog.next) else {
            return;
        };
        let beat = watchdog.beat(now, stage);
        let well = watchdog.well;
        if watchdog.tells {
            self.manager.tell("WATCHDOG=1".to_owned());
        }
        match beat {
            Beat::Nothing => {}
            // Somebody looks into it.
            Beat::Hangs(_) if self.supervisor.is_traced() => {}
            Beat::Ask(number) => self.outbox.push(&FromKeeper::Ping { number }),
            Beat::Hangs(silent) => {
                log(format_args!(
                    "the supervisor has {} for {} s: it is killed",
                    match stage {
                        Stage::Begins => "not taken over",
                        _ => "not answered",
                    },
                    silent.as_secs()
                ));
                self.supervisor.kill_hung(well);
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
        let of = |whose, time| interval(7, whose, Some(time));
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
        assert_eq!(interval(7, None, None), None);
    }

    #[test]
    fn one_that_does_not_answer_hangs_and_one_that_does_is_asked_again() {
        use Stage::{Gone, Up};
        let start = Instant::now();
        let mut dog = Watchdog::new(SECOND, true, start);
        assert_eq!(dog.beat(start, Gone), Beat::Nothing, "there is none");
        assert_eq!(dog.beat(start + SECOND, Up), Beat::Ask(1));
        assert!(!dog.well);
        dog.answered(1);
        assert!(dog.well);
        assert_eq!(dog.beat(start + 2 * SECOND, Up), Beat::Ask(2));
        dog.answered(1);
        assert_eq!(dog.beat(start + 3 * SECOND, Up), Beat::Nothing);
        assert_eq!(dog.beat(start + 4 * SECOND, Up), Beat::Hangs(2 * SECOND));
        // The next one is asked anew.
        assert_eq!(dog.beat(start + 5 * SECOND, Up), Beat::Ask(3));
        dog.forget();
        assert!(!dog.well);
        assert_eq!(dog.beat(start + 6 * SECOND, Up), Beat::Ask(4));
        assert_eq!(dog.deadline(), start + 7 * SECOND);
    }

    #[test]
    fn one_that_does_not_take_over_hangs() {
        use Stage::{Begins, Gone, Up};
        let start = Instant::now();
        let mut dog = Watchdog::new(SECOND, true, start);
        assert_eq!(dog.beat(start, Begins), Beat::Nothing);
        assert_eq!(dog.beat(start + SECOND, Begins), Beat::Nothing);
        assert_eq!(
            dog.beat(start + 2 * SECOND, Begins),
            Beat::Hangs(2 * SECOND)
        );
        // The next one takes over in time, and is asked from then on.
        assert_eq!(dog.beat(start + 3 * SECOND, Gone), Beat::Nothing);
        assert_eq!(dog.beat(start + 4 * SECOND, Begins), Beat::Nothing);
        assert_eq!(dog.beat(start + 5 * SECOND, Up), Beat::Ask(1));
        assert_eq!(dog.beat(start + 6 * SECOND, Up), Beat::Nothing);
        assert_eq!(dog.beat(start + 7 * SECOND, Up), Beat::Hangs(2 * SECOND));
    }

    #[test]
    fn a_machine_that_stood_still_is_nobodys_fault() {
        use Stage::Up;
        let start = Instant::now();
        let mut dog = Watchdog::new(SECOND, true, start);
        assert_eq!(dog.beat(start, Up), Beat::Ask(1));
        assert_eq!(dog.beat(start + 60 * SECOND, Up), Beat::Ask(2));
        assert_eq!(dog.beat(start + 61 * SECOND, Up), Beat::Nothing);
        assert_eq!(dog.beat(start + 62 * SECOND, Up), Beat::Hangs(2 * SECOND));
    }
}
