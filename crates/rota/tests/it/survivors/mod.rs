//! The keeper is killed after all: what the next daemon finds, and what it does with it.

mod files;
mod places;
mod rest;

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Home, Started, eventually, signal};

/// What is to serve on.
const SERVE: [&str; 2] = ["--guard-loss", "serve"];

/// Long enough for any machine.
const LIMIT: Duration = Duration::from_secs(60);

impl Home {
    /// Kills keeper and supervisor as nothing could that is planned; returns when only workers are left.
    fn lose_daemon(&self) {
        let (keeper, supervisor) = self.daemon_pids();
        // The keeper first: it would start the supervisor again.
        signal(keeper, Signal::KILL);
        signal(supervisor, Signal::KILL);
        eventually("rota is gone", || {
            let processes = self.processes();
            let rota = |line: &String| line.contains("__keeper") || line.contains("__supervisor");
            (!processes.iter().any(|(_, line)| rota(line))).then_some(())
        });
    }

    fn is_there(&self, pid: u32) -> bool {
        self.processes().iter().any(|(known, _)| *known == pid)
    }

    /// Waits until none of those that were started first is left.
    #[track_caller]
    fn until_replaced(&self, before: &Started) {
        eventually("the old workers have gone", || {
            (!before.pids.iter().any(|pid| self.is_there(*pid))).then_some(())
        });
        eventually("the daemon has seen it", || {
            let list = self.rota(&["list", "--json"]).ok().json();
            list.get("survivors").is_none().then_some(())
        });
    }
}
