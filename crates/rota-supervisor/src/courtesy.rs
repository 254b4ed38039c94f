//! A worker that starts beside serving ones gives way to them.
//!
//! The start of a Node process is a good part of a second of pure computing, and requests wait for it on processors that
//! have no time to spare. In a control group with the cpu controller it gets a small weight meanwhile. Elsewhere each
//! worker has its own session, and the kernel shares out processors by session first (autogroup): a nice value for the
//! session lets the whole process give way. Neither needs a privilege, and both can be taken back.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use rota_config::AppSpec;
use rota_sys::cgroup::Group;

use crate::supervisor::Supervisor;
use crate::worker::Worker;

/// A tenth of what a session gets that asks for as much. Where processors are idle it costs nothing.
const NICE: i32 = 10;

/// The same as a part of a weight.
const TENTH: u32 = 10;

/// The weight of a group of which nothing else is said (Documentation/admin-guide/cgroup-v2.rst).
const USUAL_WEIGHT: u32 = 100;

/// A start that takes longer than this goes on with the same right as others: on a machine that is busy all the time
/// it would not come to its end otherwise. So much longer takes each step of a reload there.
const AT_MOST: Duration = Duration::from_secs(1);

/// How long the kernel lets others than root wait between two changes to sessions.
const PAUSE: Duration = Duration::from_millis(100);

impl Supervisor {
    /// A process has been started: while others of its app serve it gives way to them, until it has something to
    /// serve itself.
    pub(crate) fn give_way(self: &Rc<Self>, worker: u64) {
        if self.serves_beside(worker)
            && let Some(way) = self.way_of(worker)
            && way.give().is_ok()
        {
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// Goes on with what a dead supervisor has begun.
    pub(crate) fn give_way_again(self: &Rc<Self>, worker: u64) {
        if self.way_of(worker).is_some_and(|way| way.is_given()) {
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// It serves now, or may do so.
    pub(crate) fn give_way_no_more(self: &Rc<Self>, worker: u64) {
        let way = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            let gave = std::mem::take(&mut entry.gives_way);
            Way::of(entry).filter(|_| gave)
        });
        let Some(way) = way else { return };
        match way.take_back() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.gives_way_for(worker, PAUSE);
            }
            // Gone, and then there is nothing to set back.
            _ => {}
        }
    }

    fn way_of(&self, worker: u64) -> Option<Way> {
        self.with(|state| state.workers.get(&worker).and_then(Way::of))
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
        self.update(worker, |entry| {
            entry.gives_way = true;
            entry.tasks.push(task);
        });
    }
}

/// How a worker can give way.
#[derive(Debug, PartialEq)]
enum Way {
    /// By the weight of its control group.
    Group(Group, Share),
    /// By the nice value of its session.
    Session(u32),
}

/// What a group gets usually: as the keeper has set it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Share {
    Weight(u32),
    Nice(i32),
}

impl Way {
    fn of(worker: &Worker) -> Option<Self> {
        let group = worker.group.as_ref();
        if let Some(group) = group.filter(|group| group.has("cpu.weight")) {
            return Some(Self::Group(group.clone(), Share::of(&worker.prepared.spec)));
        }
        // A change to somebody else's session would change others.
        worker
            .spawned_pid
            .filter(|pid| rota_sys::procfs::stat(*pid).is_ok_and(|stat| stat.session == *pid))
            .map(Self::Session)
    }

    fn give(&self) -> io::Result<()> {
        match self {
            Self::Group(group, share) => share.small().set(group),
            Self::Session(pid) => rota_sys::sched::set_session_nice(*pid, NICE),
        }
    }

    fn is_given(&self) -> bool {
        match self {
            Self::Group(group, share) => share.small().is_set(group),
            Self::Session(pid) => {
                matches!(rota_sys::sched::session_nice(*pid), Ok(Some(NICE)))
            }
        }
    }

    fn take_back(&self) -> io::Result<()> {
        match self {
            Self::Group(group, share) => share.set(group),
            Self::Session(pid) => rota_sys::sched::set_session_nice(*pid, 0),
        }
    }
}

impl Share {
    fn of(spec: &AppSpec) -> Self {
        match (spec.resources.cpu_weight, spec.process.nice) {
            (Some(weight), _) => Self::Weight(weight),
            (None, Some(nice)) => Self::Nice(nice),
            (None, None) => Self::Weight(USUAL_WEIGHT),
        }
    }

    fn small(self) -> Self {
        match self {
            Self::Weight(weight) => Self::Weight((weight / TENTH).max(1)),
            Self::Nice(nice) => Self::Nice((nice + NICE).min(19)),
        }
    }

    fn file(self) -> (&'static str, String) {
        match self {
            Self::Weight(weight) => ("cpu.weight", weight.to_string()),
            Self::Nice(nice) => ("cpu.weight.nice", nice.to_string()),
        }
    }

    fn set(self, group: &Group) -> io::Result<()> {
        let (file, value) = self.file();
        group.set(file, &value)
    }

    fn is_set(self, group: &Group) -> bool {
        let (file, value) = self.file();
        group.get(file).is_ok_and(|found| found == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_gets_a_tenth_and_all_of_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let group = Group::at(folder.path());
        for (share, file, usual, small) in [
            (Share::Weight(100), "cpu.weight", "100", "10"),
            (Share::Weight(5), "cpu.weight", "5", "1"),
            (Share::Nice(3), "cpu.weight.nice", "3", "13"),
            (Share::Nice(15), "cpu.weight.nice", "15", "19"),
        ] {
            let way = Way::Group(group.clone(), share);
            way.give().unwrap();
            assert_eq!(group.get(file).unwrap(), small);
            assert!(way.is_given());
            way.take_back().unwrap();
            assert_eq!(group.get(file).unwrap(), usual);
            assert!(!way.is_given());
        }
    }
}
