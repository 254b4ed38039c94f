//! A worker that starts beside serving ones gives way to them.
//!
//! The start of a Node process is a good part of a second of pure computing, and requests wait for it on processors that
//! have no time to spare. Each worker has its own session, and the kernel shares out processors by session first
//! (autogroup): a nice value for the session lets the whole process give way, needs no privilege, and can be taken back.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::supervisor::Supervisor;

/// A tenth of what a session gets that asks for as much. Where processors are idle it costs nothing.
const NICE: i32 = 10;

/// A start that takes longer than this goes on with the same right as others: on a machine that is busy all the time
/// it would not come to its end otherwise.
const AT_MOST: Duration = Duration::from_secs(3);

/// How long the kernel lets others than root wait between two such changes.
const PAUSE: Duration = Duration::from_millis(100);

impl Supervisor {
    /// A process has been started: while others of its app serve it gives way to them, until it has something to
    /// serve itself.
    pub(crate) fn give_way(self: &Rc<Self>, worker: u64, pid: u32) {
        if self.serves_beside(worker) && own_session(pid) && set(pid, NICE).is_ok() {
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// Goes on with what a dead supervisor has begun.
    pub(crate) fn give_way_again(self: &Rc<Self>, worker: u64, pid: u32) {
        if own_session(pid) && matches!(rota_sys::sched::session_nice(pid), Ok(Some(NICE))) {
            self.gives_way_for(worker, AT_MOST);
        }
    }

    /// It serves now, or may do so.
    pub(crate) fn give_way_no_more(self: &Rc<Self>, worker: u64) {
        let pid = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            std::mem::take(&mut entry.gives_way).then_some(entry.spawned_pid)?
        });
        let Some(pid) = pid else { return };
        match set(pid, 0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.gives_way_for(worker, PAUSE);
            }
            // Gone, and then there is nothing to set back.
            _ => {}
        }
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

/// Whether a change to its session changes nobody else.
fn own_session(pid: u32) -> bool {
    rota_sys::procfs::stat(pid).is_ok_and(|stat| stat.session == pid)
}

fn set(pid: u32, nice: i32) -> io::Result<()> {
    rota_sys::sched::set_session_nice(pid, nice)
}
