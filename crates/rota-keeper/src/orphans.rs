//! What a worker leaves behind, and getting rid of it.
//!
//! When a worker's main process ends, its process group is killed first (see `deaths`). Descendants that have
//! left the group become the keeper's own children, for it is the subreaper, as soon as everybody between them
//! and the keeper is dead. They are known by [`crate::tag`] in their environment; by their session or group,
//! which is the worker's own, or that of a descendant seen before it was killed. Each death may bring
//! new ones to light, so the hunt goes on, one sweep per batch of deaths, until a sweep finds nobody. Only then is
//! the worker's exit announced: its ports and files are free.
//!
//! A worker with a control group is known by that, whatever it did: everybody in it is killed at once, and the
//! exit waits until it is empty. The rest is for those without, and for who has left it, which takes privileges.
//!
//! Other orphans (a daemon that some program started on purpose in a container) are reaped and otherwise left
//! alone.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rota_sys::cgroup::{Events, Group};
use rota_sys::process::{kill, peek_exited};
use rota_sys::procfs;
use rota_sys::signal::Signal;

use crate::children::{Child, Children};
use crate::state::SavedHunt;
use crate::tag::Tag;

/// The exit is announced after this time even if something does not die (a process in a system call that does not
/// end, on a dead network file system for instance).
const PATIENCE: Duration = Duration::from_secs(2);

/// The most descendants of one process that are looked at.
const DESCENDANTS_MAX: usize = 1024;

#[derive(Debug)]
struct Hunt {
    child: u64,
    /// Sessions and process groups of the worker and its descendants.
    families: BTreeSet<u32>,
    until: Instant,
    /// The worker's control group, with what tells whether somebody lives in it.
    group: Option<(Group, Events)>,
}

impl Hunt {
    fn new(child: u64, families: BTreeSet<u32>, group: Option<&Group>, now: Instant) -> Self {
        let group = group.and_then(|group| Some((group.clone(), group.events().ok()?)));
        Self {
            child,
            families,
            until: now + PATIENCE,
            group,
        }
    }

    /// Kills those in the control group that are left, if any. The kernel kills all at once, where it can; nobody is
    /// left then, but the dead are not gone at once.
    fn is_inhabited(&self) -> bool {
        let Some((group, events)) = &self.group else {
            return false;
        };
        let inhabited = events.is_populated();
        if inhabited {
            // As good as before: `until` ends it.
            let _ = group.kill();
        }
        inhabited
    }

    fn knows(&self, pid: u32) -> bool {
        procfs::stat(pid).is_ok_and(|stat| {
            self.families.contains(&stat.session) || self.families.contains(&stat.group)
        })
    }

    /// Remembers the families of a process and of everybody below it, but not the keeper's own.
    fn learn(&mut self, pid: u32) {
        let Ok(own) = procfs::stat(std::process::id()) else {
            return;
        };
        let mut left = vec![pid];
        for _ in 0..DESCENDANTS_MAX {
            let Some(pid) = left.pop() else { return };
            if let Ok(stat) = procfs::stat(pid) {
                let families = [stat.session, stat.group];
                let strange = |family: &u32| ![0, own.session, own.group].contains(family);
                self.families.extend(families.into_iter().filter(strange));
            }
            left.extend(procfs::children(pid).unwrap_or_default());
        }
    }
}

/// The hunts that go on.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    hunts: Vec<Hunt>,
}

impl Orphans {
    /// A worker has ended. Called before its group is killed, to see who is there.
    pub(crate) fn begin(
        &mut self,
        child: u64,
        leader: u32,
        group: Option<&Group>,
        tag: &Tag,
        now: Instant,
    ) {
        let mut hunt = Hunt::new(child, BTreeSet::from([leader]), group, now);
        for pid in procfs::children(std::process::id()).unwrap_or_default() {
            if pid != leader && (tag.read(pid) == Some(child) || hunt.knows(pid)) {
                hunt.learn(pid);
            }
        }
        self.hunts.push(hunt);
    }

    /// The hunts, for another image of this process.
    pub(crate) fn save(&self) -> Vec<SavedHunt> {
        let saved = |hunt: &Hunt| SavedHunt {
            child: hunt.child,
            families: hunt.families.iter().copied().collect(),
        };
        self.hunts.iter().map(saved).collect()
    }

    /// Goes on with an earlier image's hunt, with fresh patience.
    pub(crate) fn restore(&mut self, saved: &SavedHunt, group: Option<&Group>, now: Instant) {
        let families = saved.families.iter().copied().collect();
        self.hunts
            .push(Hunt::new(saved.child, families, group, now));
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.hunts.is_empty()
    }

    /// What tells (by `POLLPRI`) that nobody is left in the control group of a hunted worker.
    pub(crate) fn inhabited(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let groups = self.hunts.iter().filter_map(|hunt| hunt.group.as_ref());
        groups.map(|(_, events)| events.as_fd())
    }

    /// When the most impatient hunt gives up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.hunts.iter().map(|hunt| hunt.until).min()
    }

    /// Kills what is left of ended workers among this process's children. Returns the workers of which nothing is.
    pub(crate) fn sweep(
        &mut self,
        tag: &Tag,
        children: &Children,
        supervisor: Option<u32>,
        now: Instant,
    ) -> Vec<u64> {
        if self.hunts.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        // Without the list nobody can be found, and no exit may wait for it.
        for pid in procfs::children(std::process::id()).unwrap_or_default() {
            if Some(pid) == supervisor || children.is_alive(pid) {
                continue;
            }
            if let Some(child) = self.ended_owner(pid, tag, children) {
                if let Some(hunt) = self.hunts.iter_mut().find(|hunt| hunt.child == child) {
                    hunt.learn(pid);
                }
                // Our own child, unreaped: the number cannot have become another's.
                let _ = kill(pid, Signal::KILL);
                found.push(child);
            }
        }
        // The kernel may leave somebody out of the list when a sibling exits meanwhile. That one is a dead
        // child now, and its signal brings the next sweep.
        let complete = !matches!(peek_exited(), Ok(Some(_)));
        let ends = |hunt: &Hunt| {
            let inhabited = hunt.is_inhabited();
            now >= hunt.until || (complete && !found.contains(&hunt.child) && !inhabited)
        };
        let (done, rest): (Vec<_>, Vec<_>) = self.hunts.drain(..).partition(ends);
        self.hunts = rest;
        done.into_iter().map(|hunt| hunt.child).collect()
    }

    /// The ended worker that a process belongs to.
    fn ended_owner(&self, pid: u32, tag: &Tag, children: &Children) -> Option<u64> {
        match tag.read(pid) {
            Some(child) => {
                Some(child).filter(|child| !children.get(*child).is_some_and(Child::runs))
            }
            // Not readable, or overwritten; the dead have none.
            None => Some(self.hunts.iter().find(|hunt| hunt.knows(pid))?.child),
        }
    }
}
