//! The end of processes that are not the keeper's children.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_sys::process::{has_exited, kill_group, pidfd_kill, pidfd_open};
use rota_sys::procfs;
use rota_sys::signal::Signal;

use super::Survivor;
use super::find::is_marked;

/// How often is looked who has gone. Nobody of them is waited for by anything that hurries.
const LOOK: Duration = Duration::from_millis(20);
/// How often one is asked to finish: its event loop may have been blocked, or not yet know that it is alone.
const ASK: Duration = Duration::from_secs(1);
/// What is asked by: ignored by everything that does not listen for it. The agent does (`agent/orphan.js`).
const FINISH: Signal = Signal::URG;
/// How long one may take that ends by itself when its daemon is gone: an agent looks every half second.
const BY_ITSELF: Duration = Duration::from_secs(1);
/// How long killed ones may take to die before nobody waits for them any more.
const DYING: Duration = Duration::from_secs(5);

/// How far one has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is about to end by itself.
    ByItself,
    /// It was asked to finish what it has; next time it is due then.
    Finish { ask: Instant },
    /// It has its stop signal.
    Stop,
    /// It was killed.
    Kill,
}

struct Leaver {
    survivor: Survivor,
    step: Step,
    until: Instant,
}

/// Ends survivors, each in its own steps, and everything that they have started. `at_once` is asked now and then: with
/// it they are killed. Returns what is to be said of those that had to be killed; nothing, if nobody had to.
pub(super) async fn see_off(survivors: Vec<Survivor>, at_once: impl Fn() -> bool) -> String {
    let marks: BTreeSet<Vec<u8>> = survivors
        .iter()
        .map(|survivor| survivor.trace.mark.clone().into_bytes())
        .collect();
    let now = Instant::now();
    let mut leavers: Vec<Leaver> = survivors
        .into_iter()
        .map(|survivor| Leaver::new(survivor, now))
        .collect();
    let mut killed = 0;
    loop {
        let now = Instant::now();
        leavers.retain(|leaver| leaver.survivor.lives());
        for leaver in &mut leavers {
            killed += usize::from(leaver.advance(now, at_once()));
        }
        leavers.retain(|leaver| leaver.step != Step::Kill || now < leaver.until);
        if leavers.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    sweep(|mark| marks.contains(mark));
    match killed {
        0 => String::new(),
        killed => format!(", {killed} of them killed"),
    }
}

impl Leaver {
    fn new(survivor: Survivor, now: Instant) -> Self {
        let (step, time) = if !survivor.trace.serves {
            (Step::ByItself, BY_ITSELF)
        } else if survivor.trace.drains {
            let time = Duration::from_millis(survivor.trace.drain_ms);
            (Step::Finish { ask: now }, time)
        } else {
            (Step::ByItself, Duration::ZERO)
        };
        Self {
            survivor,
            step,
            until: now + time,
        }
    }

    /// Does what is due; true if it was killed.
    fn advance(&mut self, now: Instant, at_once: bool) -> bool {
        if self.step == Step::Kill {
            return false;
        }
        let stopped = self.step == Step::Stop;
        if at_once || (stopped && now >= self.until) {
            self.signal_group(Signal::KILL);
            (self.step, self.until) = (Step::Kill, now + DYING);
            return true;
        }
        if now >= self.until {
            let trace = &self.survivor.trace;
            let time = Duration::from_millis(trace.kill_ms);
            self.signal_group(Signal::from_number(trace.stop_signal).unwrap_or(Signal::TERM));
            (self.step, self.until) = (Step::Stop, now + time);
        } else if let Step::Finish { ask } = &mut self.step
            && now >= *ask
        {
            *ask = now + ASK;
            // It has just ended.
            let _ = pidfd_kill(&self.survivor.process, FINISH);
        }
        false
    }

    /// To its whole group, as long as that is known to be its own.
    fn signal_group(&self, signal: Signal) {
        let pid = self.survivor.trace.process.pid;
        let group = procfs::stat(pid).map_or(0, |stat| stat.group);
        let own = rustix::process::getpgrp()
            .as_raw_nonzero()
            .get()
            .unsigned_abs();
        // The number is the process's for as long as that has not been reaped.
        let sent = self.survivor.lives() && group != own && kill_group(group, signal).is_ok();
        if !sent {
            let _ = pidfd_kill(&self.survivor.process, signal);
        }
    }
}

/// Kills every process with such a mark; returns how many there were.
pub(super) fn sweep(is: impl Fn(&[u8]) -> bool) -> usize {
    let mut found = 0;
    // Each may have started another one meanwhile.
    for _ in 0..3 {
        let before = found;
        for pid in procfs::processes().unwrap_or_default() {
            let Ok(process) = pidfd_open(pid) else {
                continue;
            };
            if is_marked(pid, &is) && pidfd_kill(&process, Signal::KILL).is_ok() {
                found += 1;
            }
        }
        if found == before {
            break;
        }
    }
    found
}

/// Waits until those have ended; kills them if they do not.
pub(super) async fn end(processes: &[Rc<OwnedFd>], patience: Duration) {
    let until = Instant::now() + patience;
    let lives = |process: &&Rc<OwnedFd>| !has_exited(process).unwrap_or(true);
    while processes.iter().any(|process| lives(&process)) {
        let now = Instant::now();
        if now >= until + patience {
            return;
        }
        if now >= until {
            for process in processes.iter().filter(lives) {
                let _ = pidfd_kill(process, Signal::KILL);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
