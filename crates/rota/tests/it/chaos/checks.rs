//! What must hold at the end.

use std::collections::BTreeMap;

use rota_load::Report;

use super::book::{Deed, diaries, trail};
use super::matching::{Cause, cause};
use super::run::{Chaos, WORKERS};
use crate::support::{Measures, files};

/// A keeper that has grown by more since the first quarter has a leak.
const KEEPER_GROWTH: u64 = 1 << 20;

/// As [`KEEPER_GROWTH`], for a supervisor that has just taken over: it remembers failures and operations, in limits.
const SUPERVISOR_GROWTH: u64 = 8 << 20;

impl Chaos {
    /// Waits until it is calm; checks everything, prints the figures and fails if anything is wrong.
    pub fn finish(mut self) {
        let app = self.peace();
        if !self.asked.contains(&app.online()) {
            self.complain(format!(
                "{} workers; nobody asked for so many",
                app.online()
            ));
        }
        self.home.rota(&["scale", "app", "4"]).ok();
        let before = self.peace();
        if before.online() != WORKERS {
            self.complain(format!("{} workers after scaling", before.online()));
        }
        self.kill_supervisor_in_peace();
        let report = self.load.take().unwrap().stop_blocking();
        self.kill_supervisor_in_peace();
        self.check_requests(&report);
        self.check_ends();
        self.check_deaths();
        self.check_what_is_held();
        self.check_answers();
        println!("done: {:?}", self.done);
        assert!(
            self.complaints.is_empty(),
            "{} things are wrong:\n{}",
            self.complaints.len(),
            self.complaints.join("\n")
        );
    }

    fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }

    /// Each failed request belongs to a worker that the test has ended.
    fn check_requests(&mut self, report: &Report) {
        println!("{report}");
        let diaries = diaries(&self.diaries);
        let mut counts: BTreeMap<Cause, usize> = BTreeMap::new();
        for failure in &report.failures {
            let (cause, told) = cause(failure, self.load_began, &self.book, &diaries);
            if !cause.is_accepted() {
                let end = self.load_began + failure.at.as_secs_f64() * 1000.0;
                let begin = end - failure.connection_age.as_secs_f64() * 1000.0;
                let port = failure.client_port.unwrap_or(0);
                let trail = trail(&self.diaries, port, begin - 1000.0, end + 1000.0);
                self.complaints.push(format!(
                    "{told}
  the second before and since: {trail}"
                ));
            } else if cause == Cause::HandedToDeadSupervisor {
                println!("tolerated: {told}");
            }
            *counts.entry(cause).or_default() += 1;
        }
        println!(
            "{} requests, {} failed: {counts:?}",
            report.requests(),
            report.failed()
        );
        if report.failed() != report.failures.len() as u64 {
            self.complain(format!("{} failures, more than are kept", report.failed()));
        }
    }

    /// Each worker that is gone was ended by the test, or told to leave, or is broken, or had never served.
    fn check_ends(&mut self) {
        let living = self.home.app("app").pids();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (pid, diary) in diaries(&self.diaries) {
            let end = match self.book.deeds.get(&pid) {
                _ if living.contains(&pid) => "lives",
                Some((Deed::Killed, _)) => "killed",
                Some((Deed::Hung, _)) => "hung",
                None if diary.has("broken") => "broken",
                None if diary.has("drain") => "drained",
                None if !diary.has("listen") => "ended before it served",
                None => "ended without a reason",
            };
            *counts.entry(end).or_default() += 1;
            if end == "ended without a reason" {
                self.complaints.push(format!(
                    "worker {pid} has ended: {:?}\n{}",
                    diary.events,
                    self.log_of(pid)
                ));
            }
        }
        println!("workers: {counts:?}");
        self.check_kills_told();
        let restarts = self.home.app("app").restarts();
        let ended = counts.values().sum::<usize>() as u64;
        if restarts > ended {
            self.complain(format!("{restarts} restarts of {ended} workers"));
        }
    }

    /// Each kill is told by the supervisor of the time, or by the next one; what one was about to tell ends with it.
    fn check_kills_told(&mut self) {
        let log = self.home.daemon_log();
        let by_kill = |line: &&str| line.contains("app: ") && line.contains("signal 9 (SIGKILL)");
        let ends = |line: &&str| line.contains(" ended with ") || line.contains(" is gone (");
        let steps = |line: &&str| line.contains("going back") || line.contains("failed:");
        let told = log.lines().filter(by_kill).filter(ends);
        let told = told.filter(|line| !steps(line)).count();
        let deeds = self.book.deeds.values();
        let killed = deeds.filter(|(deed, _)| *deed == Deed::Killed).count();
        println!("{killed} workers killed, {told} ends by SIGKILL told");
        if told + self.book.deaths.len() < killed {
            self.complain(format!("{killed} workers were killed, {told} told"));
        }
    }

    fn log_of(&self, pid: u32) -> String {
        let log = self.home.daemon_log();
        let pid = format!("pid {pid})");
        let lines = log.lines().filter(|line| line.contains(&pid));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// No supervisor died but those that were killed.
    fn check_deaths(&mut self) {
        let log = self.home.daemon_log();
        let told: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("the supervisor has died"))
            .collect();
        println!(
            "{} supervisors killed, {} deaths told",
            self.book.deaths.len(),
            told.len()
        );
        let own = |line: &&&str| !line.contains("SIGKILL") && !line.contains("SIGSEGV");
        let foreign = told.iter().find(own).map(|line| (*line).to_owned());
        if let Some(line) = foreign {
            self.complain(format!("a supervisor died by itself: {line}"));
        }
        if told.len() > self.book.deaths.len() {
            self.complain("more supervisors died than were killed".to_owned());
        }
        for line in log.lines() {
            if line.contains("belongs to no app") || line.contains("again and again") {
                println!("told: {line}");
            }
            if line.contains("panicked") || line.contains("taken over from what runs") {
                self.complaints.push(line.to_owned());
            }
        }
    }

    /// No process, descriptor, file or memory is left of what happened.
    fn check_what_is_held(&mut self) {
        // `peace` has seen that there is no process but the daemon's two and the workers.
        let end = Measures::settled(&self.home, self.fresh);
        println!("fresh: {}\nend:   {end}", self.fresh);
        if !end.within(&self.fresh) {
            self.complain(format!(
                "descriptors were left behind: {end} instead of {}",
                self.fresh
            ));
        }
        let quarter = &self.measured[..self.measured.len().div_ceil(4)];
        let most = |of: fn(&Measures) -> u64| quarter.iter().map(of).max().unwrap_or(u64::MAX);
        let (keeper, supervisor) = (
            most(|measures| measures.keeper.resident),
            most(|measures| measures.supervisor.resident),
        );
        if end.keeper.resident > keeper.saturating_add(KEEPER_GROWTH)
            || end.supervisor.resident > supervisor.saturating_add(SUPERVISOR_GROWTH)
        {
            self.complain(format!(
                "memory has grown: {end}; in the first quarter {keeper} and {supervisor} bytes"
            ));
        }
        let left: Vec<String> = files(&self.home)
            .difference(&self.fresh_files)
            .cloned()
            .collect();
        if !left.is_empty() {
            self.complain(format!("files were left behind: {left:?}"));
        }
    }

    fn check_answers(&mut self) {
        let mut counts: BTreeMap<(&str, Option<i32>), usize> = BTreeMap::new();
        for answer in &self.commands.answered {
            let verb = answer.what.split(' ').next().unwrap_or_default();
            *counts.entry((verb, answer.code)).or_default() += 1;
        }
        println!("answers: {counts:?}");
        self.complaints.append(&mut self.commands.complaints);
    }
}
