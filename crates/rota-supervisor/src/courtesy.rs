//! A worker that starts beside serving ones gives way to them.
//!
//! The start of a Node process is a good part of a second of pure computing, and requests wait for it on processors that
//! have no time to spare. In a control group with the cpu controller it gets a small weight meanwhile. Elsewhere each
//! worker has its own session, and the kernel shares out processors by session first (autogroup): a nice value for the
//! session lets the whole process give way. Neither needs a privilege, and both can be taken back.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use rota_sys::cgroup::Group;
use rota_sys::sched::set_session_nice;
use serde::{Deserialize, Serialize};

use crate::supervisor::Supervisor;

/// A tenth of what a session gets that asks for as much. Where processors are idle it costs nothing.
const NICE: i32 = 10;

/// The same as a part of a weight.
const TENTH: u64 = 10;

pub(crate) const WEIGHT: &str = "cpu.weight";

/// A start that takes longer than this goes on with the same right as others: on a machine that is busy all the time
/// it would not come to its end otherwise. So much longer takes each step of a reload there.
const AT_MOST: Duration = Duration::from_secs(1);

/// How long the kernel lets others than root wait between two changes to sessions.
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Given {
    /// The weight that its control group had.
    Weight(u64),
    /// The nice value of its session, which was 0.
    Session,
}

impl Supervisor {
    /// A process has been started: while others of its app serve it gives way to them, until it has something to
    /// serve itself.
    pub(crate) fn give_way(self: &Rc<Self>, worker: u64) {
        if !self.serves_beside(worker) {
            return;
        }
        self.update(worker, |entry| {
            let pid = entry.spawned_pid;
            entry.gives_way = pid.and_then(|pid| Given::by(entry.group.as_ref(), pid));
        });
        if self.of_given(worker, |_, _, _| ()).is_some() {
            // Before it is done: whoever comes after us takes back what may have been done.
            self.save_worker(worker);
            self.of_given(worker, Given::give);
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// Goes on with what a dead supervisor has begun.
    pub(crate) fn give_way_again(self: &Rc<Self>, worker: u64) {
        if self.of_given(worker, |_, _, _| ()).is_some() {
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// It serves now, or may do so.
    pub(crate) fn give_way_no_more(self: &Rc<Self>, worker: u64) {
        match self.of_given(worker, Given::take_back) {
            None => {}
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.gives_way_for(worker, PAUSE);
            }
            // Or it has gone, and then there is nothing to take back.
            Some(_) => {
                self.update(worker, |entry| entry.gives_way = None);
                self.save_worker(worker);
            }
        }
    }

    /// Does something with what a worker has given, if it has; by its group and its process.
    fn of_given<T>(
        &self,
        worker: u64,
        work: impl FnOnce(Given, Option<&Group>, u32) -> T,
    ) -> Option<T> {
        self.with(|state| {
            let entry = state.workers.get(&worker)?;
            Some(work(
                entry.gives_way?,
                entry.group.as_ref(),
                entry.spawned_pid?,
            ))
        })
    }

    /// Whether another worker of its app serves.
    fn serves_beside(&self, worker: u64) -> bool {
        self.with(|state| {
            let Some(app) = state.workers.get(&worker).map(|entry| entry.app) else {
                return false;
            };
            let mut others = state.workers.iter().filter(|(id, _)| **id != worker);
            others.any(|(_, other)| other.app == app && other.told_ready)
        })
    }

    fn gives_way_for(self: &Rc<Self>, worker: u64, span: Duration) {
        let this = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            tokio::time::sleep(span).await;
            this.give_way_no_more(worker);
        });
        self.update(worker, |entry| entry.tasks.push(task));
    }
}

impl Given {
    /// What a process can give.
    fn by(group: Option<&Group>, pid: u32) -> Option<Self> {
        if let Some(weight) = group.and_then(|group| group.number(WEIGHT)) {
            return Some(Self::Weight(weight));
        }
        // A change to somebody else's session would change others.
        let own = rota_sys::procfs::stat(pid).is_ok_and(|stat| stat.session == pid);
        own.then_some(Self::Session)
    }

    fn give(self, group: Option<&Group>, pid: u32) -> io::Result<()> {
        match self {
            Self::Weight(weight) => weigh(group, (weight / TENTH).max(1)),
            Self::Session => set_session_nice(pid, NICE),
        }
    }

    fn take_back(self, group: Option<&Group>, pid: u32) -> io::Result<()> {
        match self {
            Self::Weight(weight) => weigh(group, weight),
            Self::Session => set_session_nice(pid, 0),
        }
    }
}

/// Gives a group, if there is one, so much weight.
pub(crate) fn weigh(group: Option<&Group>, weight: u64) -> io::Result<()> {
    let group = group.ok_or(io::ErrorKind::NotFound)?;
    group.set(WEIGHT, &weight.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_gives_all_but_a_tenth_and_gets_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let group = Group::at(folder.path());
        let pid = std::process::id();
        assert_eq!(Given::by(Some(&group), u32::MAX), None);
        for (usual, small) in [(100, 10), (5, 1), (1, 1)] {
            weigh(Some(&group), usual).unwrap();
            let given = Given::by(Some(&group), pid).unwrap();
            given.give(Some(&group), pid).unwrap();
            assert_eq!(group.number(WEIGHT), Some(small));
            given.take_back(Some(&group), pid).unwrap();
            assert_eq!(group.number(WEIGHT), Some(usual));
        }
        assert!(Given::Weight(3).give(None, pid).is_err());
    }
}
