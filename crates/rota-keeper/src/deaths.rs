//! What happens when processes end.

use std::time::Instant;

use rota_sys::process::{kill, kill_group, peek_exited};
use rota_sys::signal::Signal;

use crate::children::{Dead, UNKNOWN_EXIT, reap};
use crate::keeper::{BATCH, Keeper};
use crate::log;
use crate::protocol::ExitInfo;

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
            self.supervisor.ended(reap(pid), self.is_leaving(), now);
            return;
        }
        match self.children.classify(pid) {
            Dead::Main(key) => {
                if let Some(child) = self.children.get(key) {
                    child.kill_groups();
                }
                self.child_ended(key, reap(pid), now);
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
            if let Some(child) = self.children.get(key).filter(|child| child.runs()) {
                child.kill_groups();
                self.child_ended(key, UNKNOWN_EXIT, Instant::now());
            }
        }
    }

    fn child_ended(&mut self, key: u64, exit: ExitInfo, now: Instant) {
        self.children.ended(key, exit);
        if let Some(child) = self.children.get(key) {
            self.orphans.hunt(key, child.leader, now);
        }
    }
}
