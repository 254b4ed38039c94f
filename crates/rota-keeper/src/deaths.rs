//! What happens when processes end.

use std::time::Instant;

use rota_sys::process::{kill, kill_group, peek_exited};
use rota_sys::signal::Signal;

use crate::children::{Child, Dead, UNKNOWN_EXIT, reap};
use crate::keeper::{BATCH, Keeper};
use crate::log;

impl Keeper {
    /// Deals with a batch of dead child processes.
    pub(crate) fn reap_some(&mut self) {
        for _ in 0..BATCH {
            match peek_exited() {
                Ok(Some(pid)) => self.bury(pid),
                Ok(None) => return,
                Err(error) => return log(format_args!("cannot learn about exits: {error}")),
            }
        }
        // There may be more, and their signal may have been read: ask for another turn.
        let _ = kill(std::process::id(), Signal::CHLD);
    }

    /// Deals with a dead, unreaped child process. Its group is killed before it is reaped: until then the number
    /// belongs to it.
    fn bury(&mut self, pid: u32) {
        let now = Instant::now();
        if Some(pid) == self.supervisor.pid() {
            let _ = kill_group(pid, Signal::KILL);
            self.hear_last_words();
            let exit = reap(pid);
            let expected = self.is_leaving() || self.upgrade.is_switching();
            self.supervisor.ended(exit, expected, now);
            if !expected {
                self.upgrade.supervisor_ended(exit.status);
            }
            return;
        }
        if self.upgrade.is_trial(pid) {
            let _ = kill_group(pid, Signal::KILL);
            return self.trial_ended(reap(pid));
        }
        match self.children.classify(pid) {
            Dead::Main(key) => {
                self.kill_family(key, now);
                self.children.ended(key, reap(pid));
            }
            Dead::Leader(key) => {
                reap(pid);
                self.children.leader_reaped(key);
            }
            Dead::Orphan => {
                reap(pid);
            }
        }
    }

    /// Main processes that are not our own children, and have ended.
    pub(crate) fn end_moved(&mut self, keys: &[u64]) {
        for &key in keys {
            if self.children.get(key).is_some_and(Child::runs) {
                self.kill_family(key, Instant::now());
                self.children.ended(key, UNKNOWN_EXIT);
            }
        }
    }

    fn kill_family(&mut self, key: u64, now: Instant) {
        if let Some(child) = self.children.get(key) {
            self.orphans
                .begin(key, child.leader, child.group.as_ref(), &self.tag, now);
            child.kill_groups();
        }
    }
}
