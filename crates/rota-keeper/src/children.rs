//! The table of children: who runs, who has ended and not been dealt with.
//!
//! A child has a *leader*, the process that was spawned, which leads its session or process group. Its
//! main process is the leader, until sd_notify's `MAINPID` names a descendant.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rota_sys::cgroup::Group;
use rota_sys::process::{self, kill, kill_group, pidfd_kill};
use rota_sys::procfs;
use rota_sys::signal::Signal;

use crate::protocol::{ExitInfo, ExitStatus, GroupExit};
use crate::state::SavedChild;

/// The most children, ended and not yet forgotten ones included.
pub(crate) const CHILDREN_MAX: usize = 65_536;

/// One child.
#[derive(Debug)]
pub(crate) struct Child {
    /// The process first spawned.
    pub leader: u32,
    leader_reaped: bool,
    /// The main process, when it is not the leader.
    moved: Option<Moved>,
    /// Set when the main process has ended.
    exit: Option<ExitInfo>,
    /// The exit has been announced: nothing is left of the child.
    announced: bool,
    /// Its control group, until then.
    pub group: Option<Group>,
}

#[derive(Debug)]
struct Moved {
    pid: u32,
    /// For the end of a process that is not the keeper's own child; kernels before 5.3 have none.
    pidfd: Option<OwnedFd>,
}

impl Child {
    fn new(leader: u32, group: Option<Group>) -> Self {
        Self {
            leader,
            leader_reaped: false,
            moved: None,
            exit: None,
            announced: false,
            group,
        }
    }

    /// The main process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.moved.as_ref().map_or(self.leader, |moved| moved.pid)
    }

    /// Whether the main process lives.
    pub(crate) fn runs(&self) -> bool {
        self.exit.is_none()
    }

    /// The exit, once nothing is left of the child.
    pub(crate) fn announced_exit(&self) -> Option<ExitInfo> {
        self.exit.filter(|_| self.announced)
    }

    /// The directory of its control group.
    pub(crate) fn group_path(&self) -> Option<String> {
        let group = self.group.as_ref()?;
        Some(group.path().display().to_string())
    }

    /// Sends a signal to the main process, or to its group. SIGKILL for the group is for all that it has started,
    /// wherever that has gone, if it has a control group.
    pub(crate) fn signal(&self, signal: Signal, group: bool) -> io::Result<()> {
        match &self.moved {
            _ if !self.runs() => Err(io::Error::from(rustix::io::Errno::SRCH)),
            _ if group && signal == Signal::KILL && self.kill_control_group() => Ok(()),
            None if group => kill_group(self.leader, signal),
            None => kill(self.leader, signal),
            Some(moved) if group => kill_group(group_of(moved.pid)?, signal),
            Some(Moved {
                pidfd: Some(pidfd), ..
            }) => pidfd_kill(pidfd, signal),
            Some(moved) => kill(moved.pid, signal),
        }
    }

    /// False if there is none, or not everybody in it was reached.
    fn kill_control_group(&self) -> bool {
        let Some(group) = &self.group else {
            return false;
        };
        group.has("cgroup.kill") && group.kill().is_ok()
    }

    /// Kills every process of the groups that the child still has. Called while their leaders are alive, or dead
    /// and not reaped, so that the numbers are theirs.
    pub(crate) fn kill_groups(&self) {
        if let Some(group) = &self.group {
            // What follows does for a part of them.
            let _ = group.kill();
        }
        if let Some(moved) = &self.moved
            && let Ok(group) = group_of(moved.pid)
        {
            let _ = kill_group(group, Signal::KILL);
        }
        if !self.leader_reaped {
            // No such group: everybody in it is dead already.
            let _ = kill_group(self.leader, Signal::KILL);
        }
    }
}

/// The group of a process; an error if it is the keeper's own, which a process without a session of its own
/// can join.
fn group_of(process: u32) -> io::Result<u32> {
    let group = procfs::stat(process)?.group;
    let own = rustix::process::getpgrp()
        .as_raw_nonzero()
        .get()
        .unsigned_abs();
    if group == own {
        Err(io::Error::from(rustix::io::Errno::PERM))
    } else {
        Ok(group)
    }
}

/// What a dead process of the keeper's own was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    /// The main process of this child.
    Main(u64),
    /// The leader of this child, whose main process is another, or has ended before.
    Leader(u64),
    /// Neither.
    Orphan,
}

/// All children by key.
#[derive(Debug, Default)]
pub(crate) struct Children {
    table: BTreeMap<u64, Child>,
}

impl Children {
    pub(crate) fn get(&self, key: u64) -> Option<&Child> {
        self.table.get(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Child)> {
        self.table.iter().map(|(key, child)| (*key, child))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.table.len() >= CHILDREN_MAX
    }

    pub(crate) fn any_running(&self) -> bool {
        self.table.values().any(Child::runs)
    }

    /// Adds a process that was just spawned.
    pub(crate) fn insert(&mut self, key: u64, leader: u32, group: Option<Group>) {
        self.table.insert(key, Child::new(leader, group));
    }

    /// Removes a child whose exit has been dealt with; false if it runs.
    pub(crate) fn forget(&mut self, key: u64) -> bool {
        if self
            .table
            .get(&key)
            .is_some_and(|child| child.announced_exit().is_none())
        {
            return false;
        }
        self.table.remove(&key);
        true
    }

    /// Makes another process the main one. The caller has verified that it is a descendant.
    pub(crate) fn set_main(&mut self, key: u64, pid: u32, pidfd: Option<OwnedFd>) {
        if let Some(child) = self.table.get_mut(&key) {
            child.moved = (pid != child.leader).then_some(Moved { pid, pidfd });
        }
    }

    /// Which child a dead, unreaped process of ours is.
    pub(crate) fn classify(&self, pid: u32) -> Dead {
        let main = self
            .table
            .iter()
            .find(|(_, child)| child.runs() && child.pid() == pid);
        let leader = || {
            self.table
                .iter()
                .find(|(_, child)| !child.leader_reaped && child.leader == pid)
        };
        match (main, leader) {
            (Some((key, _)), _) => Dead::Main(*key),
            (None, leader) => leader().map_or(Dead::Orphan, |(key, _)| Dead::Leader(*key)),
        }
    }

    /// The leader of a child has been reaped.
    pub(crate) fn leader_reaped(&mut self, key: u64) {
        if let Some(child) = self.table.get_mut(&key) {
            child.leader_reaped = true;
        }
    }

    /// The main process has ended.
    pub(crate) fn ended(&mut self, key: u64, exit: ExitInfo) {
        if let Some(child) = self.table.get_mut(&key) {
            child.leader_reaped |= child.moved.is_none();
            child.exit = Some(exit);
        }
    }

    /// Nothing is left of it; returns what is to be told.
    pub(crate) fn announce(
        &mut self,
        key: u64,
        group: Option<GroupExit>,
    ) -> Option<(u32, ExitInfo)> {
        let child = self.table.get_mut(&key)?;
        child.announced = true;
        if let Some(exit) = &mut child.exit {
            exit.group = group;
        }
        Some((child.pid(), child.exit?))
    }

    /// The control group of one that is about to be announced.
    pub(crate) fn take_group(&mut self, key: u64) -> Option<Group> {
        self.table.get_mut(&key)?.group.take()
    }

    /// Those that are left at the end.
    pub(crate) fn take_groups(&mut self) -> Vec<Group> {
        let children = self.table.values_mut();
        children.filter_map(|child| child.group.take()).collect()
    }

    /// Main processes that are not the leader, with a descriptor to wait on.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
        self.table
            .iter()
            .filter(|(_, child)| child.runs())
            .filter_map(|(key, child)| {
                let pidfd = child.moved.as_ref()?.pidfd.as_ref()?;
                Some((*key, pidfd.as_fd()))
            })
    }

    /// What is to be known after another image of this process has taken over.
    pub(crate) fn save(&self) -> Vec<SavedChild> {
        let saved = |(key, child): (&u64, &Child)| SavedChild {
            key: *key,
            leader: child.leader,
            leader_reaped: child.leader_reaped,
            main: child.moved.as_ref().map(|moved| moved.pid),
            pidfd: child
                .moved
                .as_ref()
                .and_then(|moved| Some(moved.pidfd.as_ref()?.as_raw_fd())),
            exit: child.exit,
            announced: child.announced,
            group: child.group_path(),
        };
        self.table.iter().map(saved).collect()
    }

    /// The descriptors that belong to it.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let moved = self.table.values().filter_map(|child| child.moved.as_ref());
        moved.filter_map(|moved| Some(moved.pidfd.as_ref()?.as_fd()))
    }

    /// A child of an earlier image, with its descriptor.
    pub(crate) fn restore(&mut self, saved: &SavedChild, pidfd: Option<OwnedFd>) {
        let child = Child {
            leader: saved.leader,
            leader_reaped: saved.leader_reaped,
            moved: saved.main.map(|pid| Moved { pid, pidfd }),
            exit: saved.exit,
            announced: saved.announced,
            group: saved.group.as_ref().map(Group::at),
        };
        self.table.insert(saved.key, child);
    }

    /// Whether a process is the leader or the main process of a child that runs.
    pub(crate) fn is_alive(&self, pid: u32) -> bool {
        self.table.values().any(|child| {
            child.runs() && (child.pid() == pid || (child.leader == pid && !child.leader_reaped))
        })
    }
}

/// Reaps a dead child of ours.
pub(crate) fn reap(pid: u32) -> ExitInfo {
    match process::reap(pid) {
        Ok(Some((status, usage))) => ExitInfo {
            status: match status {
                process::ExitStatus::Code(code) => ExitStatus::Code(code),
                process::ExitStatus::Signal { number, core } => ExitStatus::Signal { number, core },
            },
            max_rss_kib: usage.max_rss_kib,
            user_us: u64::try_from(usage.user.as_micros()).unwrap_or(u64::MAX),
            system_us: u64::try_from(usage.system.as_micros()).unwrap_or(u64::MAX),
            group: None,
        },
        // It was seen dead, so this cannot be; but then its status is lost, not the keeper.
        Ok(None) | Err(_) => UNKNOWN_EXIT,
    }
}

/// The exit of a process whose status went to somebody else.
pub(crate) const UNKNOWN_EXIT: ExitInfo = ExitInfo {
    status: ExitStatus::Unknown,
    max_rss_kib: 0,
    user_us: 0,
    system_us: 0,
    group: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: ExitInfo = ExitInfo {
        status: ExitStatus::Code(0),
        max_rss_kib: 1,
        user_us: 2,
        system_us: 3,
        group: None,
    };

    #[test]
    fn the_main_process_decides() {
        let mut children = Children::default();
        children.insert(7, 100, None);
        assert_eq!(children.classify(100), Dead::Main(7));
        children.set_main(7, 200, None);
        assert_eq!(children.classify(100), Dead::Leader(7));
        children.leader_reaped(7);
        assert_eq!(
            children.classify(100),
            Dead::Orphan,
            "the number may be another's now"
        );
        assert!(children.get(7).unwrap().runs());
        assert_eq!(children.classify(200), Dead::Main(7));
        children.ended(7, EXIT);
        assert_eq!(children.classify(200), Dead::Orphan);
        assert_eq!(children.get(7).unwrap().announced_exit(), None);
        assert!(!children.forget(7), "not yet told");
        assert_eq!(children.announce(7, None), Some((200, EXIT)));
        assert!(children.forget(7));
        assert!(children.get(7).is_none());
    }

    #[test]
    fn a_leader_that_outlives_its_main_process_is_still_the_childs() {
        let mut children = Children::default();
        children.insert(7, 100, None);
        children.set_main(7, 200, None);
        children.ended(7, EXIT);
        assert_eq!(children.classify(100), Dead::Leader(7));
        assert!(!children.is_alive(100), "it is to be hunted like the rest");
        children.set_main(8, 1, None);
        assert!(children.get(8).is_none());
    }
}
