//! What is done to rota and its workers.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::book::{Deed, now, serves};
use super::disk;
use super::run::Chaos;
use super::schedule::{Action, Step};
use crate::support::{Expected, Measures, another_supervisor, living, signal};

/// How code can be broken: at once, without ever listening, and only when it has been taken for good.
const BROKEN: [&str; 3] = ["throws", "mute", "late"];

impl Chaos {
    pub(super) fn act(&mut self, step: Step) {
        let detail = step.detail;
        let span = Duration::from_millis(1000 + u64::from(detail) % 2000);
        match step.action {
            Action::KillSupervisor => self.end_supervisor(Signal::KILL),
            Action::CrashSupervisor => self.end_supervisor(Signal::SEGV),
            Action::StopSupervisor => self.stop_supervisor(span),
            Action::KillSupervisorInPeace => self.kill_supervisor_in_peace(),
            Action::KillWorker => self.end_worker(Deed::Killed, detail),
            Action::HangWorker => self.end_worker(Deed::Hung, detail),
            Action::Reload => self.command(&["reload", "app"], Expected::Success),
            Action::ReloadBroken => {
                let how = BROKEN[detail as usize % BROKEN.len()];
                let env = format!("CHAOS_BROKEN={how}");
                self.command(&["reload", "app", "--env", &env], Expected::Failure);
            }
            Action::Scale => {
                let wanted = 2 + detail as usize % 4;
                self.asked.push(wanted);
                let wanted = wanted.to_string();
                self.command(&["scale", "app", &wanted], Expected::Success);
            }
            Action::StallReader => self.stall_reader(span * 2),
            Action::FillDisk => self.fill_disk(span),
            Action::RotateLogs => {
                disk::take_logs(&self.home.rota_home().join("logs"));
                signal(self.keeper, Signal::USR1);
            }
            Action::ExhaustDescriptors => self.exhaust_descriptors(span / 2),
            Action::Upgrade => self.command(&["upgrade"], Expected::Success),
        }
    }

    fn command(&mut self, args: &[&str], expected: Expected) {
        self.commands.begin(&self.home, args, expected);
    }

    /// Does something after a while, whatever happens meanwhile.
    fn after(&mut self, span: Duration, end: impl FnOnce() + Send + 'static) {
        self.ends.push(std::thread::spawn(move || {
            std::thread::sleep(span);
            end();
        }));
    }

    fn end_supervisor(&mut self, by: Signal) {
        for supervisor in living(&self.home).supervisors {
            self.book.deaths.push(now());
            signal(supervisor, by);
            // One that is stopped would not die of SIGSEGV.
            signal(supervisor, Signal::CONT);
        }
    }

    fn stop_supervisor(&mut self, span: Duration) {
        for supervisor in living(&self.home).supervisors {
            signal(supervisor, Signal::STOP);
            self.after(span, move || signal(supervisor, Signal::CONT));
        }
    }

    /// Nobody notices but who asks for the supervisor.
    pub(super) fn kill_supervisor_in_peace(&mut self) {
        let before = self.peace();
        let (_, supervisor) = self.home.daemon_pids();
        self.book.deaths.push(now());
        signal(supervisor, Signal::KILL);
        another_supervisor(&self.home, supervisor);
        let after = self.peace();
        if (before.pids(), before.restarts()) != (after.pids(), after.restarts()) {
            self.complaints.push(format!(
                "a supervisor's death changed workers: {:#}\n{:#}",
                before.0, after.0
            ));
        }
        let measures = Measures::of(&self.home);
        println!("          {} workers, {measures}", after.online());
        self.measured.push(measures);
    }

    fn end_worker(&mut self, deed: Deed, detail: u32) {
        let mut workers = living(&self.home).workers;
        workers.retain(|pid| !self.book.deeds.contains_key(pid));
        if deed == Deed::Hung {
            workers.retain(|pid| serves(&self.diaries, *pid));
        }
        if workers.is_empty() {
            return;
        }
        let pid = workers[detail as usize % workers.len()];
        println!("          worker {pid}");
        self.book.deeds.insert(pid, (deed, now()));
        signal(
            pid,
            match deed {
                Deed::Killed => Signal::KILL,
                Deed::Hung => Signal::USR2,
            },
        );
    }

    fn stall_reader(&mut self, span: Duration) {
        let mut command = self.home.command(&["logs", "-f", "app"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut reader = command.spawn().unwrap();
        self.after(span, move || {
            reader.kill().unwrap();
            reader.wait().unwrap();
        });
    }

    fn fill_disk(&mut self, span: Duration) {
        let Some(disk) = &self.disk else { return };
        let folder = disk.folder().to_owned();
        disk::fill(&folder);
        self.after(span, move || disk::relieve(&folder));
    }

    fn exhaust_descriptors(&mut self, span: Duration) {
        for supervisor in living(&self.home).supervisors {
            // It may be dying at this moment, or short of them already.
            let before = limit_descriptors(supervisor, FEW);
            let Some(before) = before.ok().and_then(|limit| limit.current) else {
                continue;
            };
            if before != FEW {
                self.after(span, move || {
                    limit_descriptors(supervisor, before).ok();
                });
            }
        }
    }
}

/// Fewer descriptors than any supervisor has open.
const FEW: u64 = 8;

/// Sets the number of descriptors that a process may have; gives what it was.
fn limit_descriptors(pid: u32, most: u64) -> rustix::io::Result<Rlimit> {
    let pid = Pid::from_raw(pid.cast_signed());
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(most),
        maximum,
    };
    prlimit(pid, Resource::Nofile, limit)
}
