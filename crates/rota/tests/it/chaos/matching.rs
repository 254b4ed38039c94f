//! Whose failure each failed request is.

use std::collections::BTreeMap;

use rota_load::{Failure, Phase};

use super::book::{Book, Deed, Diary};

/// Clocks of two processes, and what happens between an event and its line.
const BLUR: f64 = 50.0;

/// A client may learn only so long after its connection was made that it was. Not longer: ports are used again.
const SLOW_CLIENT: f64 = 250.0;

/// How long after a supervisor's death, or a worker's, a client may hear of it.
const LATE: f64 = 1000.0;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It was on a connection of a worker that the test killed.
    InKilled,
    /// It was on a connection of a worker that the test hung.
    InHung,
    /// It was in a worker whose code is broken on purpose.
    InBroken,
    /// No worker ever had the connection, and a supervisor died.
    HeldByDeadSupervisor,
    /// No worker ever looked at the connection; the supervisor that had sent it to one died, and so did the worker,
    /// or it hung, before it had taken it.
    SentByDeadSupervisor,
    /// The worker was giving the connection away, and a supervisor died.
    HandedToDeadSupervisor,
    /// None of these.
    Unexplained,
}

impl Cause {
    /// Whether such failures may be. A connection that a worker is just giving away can be lost with the supervisor that
    /// has read the message and not answered yet: docs/survival.md says so.
    pub fn is_accepted(&self) -> bool {
        !matches!(
            self,
            Self::HeldByDeadSupervisor | Self::SentByDeadSupervisor | Self::Unexplained
        )
    }
}

/// Finds the cause of a failure; and in words, what is known.
pub fn cause(
    failure: &Failure,
    load_began: f64,
    book: &Book,
    diaries: &BTreeMap<u32, Diary>,
) -> (Cause, String) {
    let at = load_began + failure.at.as_secs_f64() * 1000.0;
    let made = at - failure.connection_age.as_secs_f64() * 1000.0;
    let owner = failure
        .client_port
        .and_then(|port| owner(port, made, at, diaries));
    let cause = match owner {
        Some(pid) => owned(book, pid, &diaries[&pid], at),
        None if failure.phase == Phase::Connect => Cause::Unexplained,
        None => untaken(book, made, at),
    };
    let state = owner.map_or_else(String::new, |pid| {
        let diary = &diaries[&pid];
        let running = failure
            .client_port
            .and_then(|port| diary.running.get(&port));
        format!(
            ", {:?}, requests begun and not finished {}",
            diary.events.keys(),
            running.unwrap_or(&0)
        )
    });
    let ago = |times: &mut dyn Iterator<Item = f64>| {
        let last = times.filter(|time| *time <= at + BLUR).fold(0.0, f64::max);
        (at - last).round()
    };
    let told = format!(
        "{cause:?}: {:?} {:?} in {:?} at {:.3} s on port {:?}, connection {:.0} ms old with {} answers, worker {owner:?}{state}; \
         a supervisor died {} ms before, a worker was ended {} ms before: {}",
        failure.client,
        failure.kind,
        failure.phase,
        failure.at.as_secs_f64(),
        failure.client_port,
        at - made,
        failure.answered_before,
        ago(&mut book.deaths.iter().copied()),
        ago(&mut book.deeds.values().map(|(_, when)| *when)),
        failure.detail,
    );
    (cause, told)
}

/// The worker that had the connection last. What is opened later is another one: a port may be used again at once.
fn owner(port: u16, made: f64, at: f64, diaries: &BTreeMap<u32, Diary>) -> Option<u32> {
    let opened = diaries.iter().filter_map(|(pid, diary)| {
        let times = diary.opened.get(&port)?;
        let own = times
            .iter()
            .filter(|time| (made - SLOW_CLIENT..=at).contains(*time));
        own.copied().reduce(f64::max).map(|time| (time, *pid))
    });
    opened
        .reduce(|one, other| if other.0 > one.0 { other } else { one })
        .map(|(_, pid)| pid)
}

/// The cause where that worker has had the connection last, as far as it is known.
fn owned(book: &Book, pid: u32, diary: &Diary, at: f64) -> Cause {
    match book.deeds.get(&pid) {
        Some((Deed::Killed, when)) if (when - BLUR..when + LATE).contains(&at) => Cause::InKilled,
        Some((Deed::Hung, when)) if *when <= at + BLUR => Cause::InHung,
        _ if diary.has("broken") => Cause::InBroken,
        _ => match diary
            .events
            .get("drain")
            .map(|&drain| untaken(book, drain, at))
        {
            Some(Cause::HeldByDeadSupervisor) => Cause::HandedToDeadSupervisor,
            Some(cause) => cause,
            None => Cause::Unexplained,
        },
    }
}

/// The cause where no worker has looked at the connection since it was made, or given away.
fn untaken(book: &Book, made: f64, at: f64) -> Cause {
    let since = |time: f64| (made - BLUR..at + BLUR).contains(&time);
    let first_death = book.deaths.iter().copied().find(|&death| since(death));
    let mut deeds = book.deeds.values();
    match first_death {
        // What the supervisor has kept for itself ends with it.
        Some(death) if at - death <= LATE => Cause::HeldByDeadSupervisor,
        Some(_) if deeds.any(|(_, when)| *when <= at) => Cause::SentByDeadSupervisor,
        Some(_) | None => Cause::Unexplained,
    }
}
