//! Which connections workers have had since before this process.
//!
//! The kernel lists the connections of a port with the numbers of their sockets, and a worker's folder in `/proc`
//! the numbers of its sockets.

use std::collections::HashMap;
use std::net::SocketAddr;

use rota_node::primary::ListenerId;
use rota_sys::sock_diag::SockDiag;

use super::restore::Adopted;
use super::shell::Shell;

/// More connections are not looked up: that would take seconds, and even shares come by themselves in time.
const MOST: usize = 20_000;

/// A connection and who has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundOpen {
    app: u32,
    listener: ListenerId,
    peer: SocketAddr,
    worker: u64,
}

/// What is to be looked up.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// App, listener and port.
    listeners: Vec<(u32, ListenerId, u16)>,
    /// App, worker and process.
    workers: Vec<(u32, u64, u32)>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty() || self.workers.is_empty()
    }

    /// Asks the kernel; nothing where it does not tell.
    pub(super) fn ask(&self) -> Vec<FoundOpen> {
        let (Some(owners), Ok(mut diag)) = (self.owners(), SockDiag::open()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for &(app, listener, port) in &self.listeners {
            let mut connections = Vec::new();
            if diag.connections(port, &mut connections).is_err() {
                return Vec::new();
            }
            found.extend(connections.iter().filter_map(|connection| {
                let &(of, worker) = owners.get(&connection.inode)?;
                (of == app).then_some(FoundOpen {
                    app,
                    listener,
                    peer: connection.peer,
                    worker,
                })
            }));
        }
        found
    }

    /// The app and worker that have each socket; `None` when there are too many.
    fn owners(&self) -> Option<HashMap<u32, (u32, u64)>> {
        let mut owners = HashMap::new();
        for &(app, worker, process) in &self.workers {
            if rota_sys::procfs::fd_count(process).is_ok_and(|count| count > MOST) {
                return None;
            }
            // It may be gone, or somebody else's.
            for inode in rota_sys::procfs::sockets(process).into_iter().flatten() {
                owners.insert(inode, (app, worker));
                if owners.len() > MOST {
                    return None;
                }
            }
        }
        Some(owners)
    }
}

impl Shell {
    /// What is worth being looked up: connections that this process would have dealt itself.
    pub(super) fn questions(&self, adopted: &Adopted) -> Questions {
        let mut questions = Questions::default();
        for facts in &adopted.workers {
            let state = self.apps.get(&facts.app);
            let listeners = state.and_then(|state| state.primary.followed_by(facts.worker));
            let (Some(listeners), Some(pid)) = (listeners, facts.pid) else {
                continue;
            };
            questions.workers.push((facts.app, facts.worker, pid));
            for (listener, port) in listeners {
                let question = (facts.app, listener, port);
                if !questions.listeners.contains(&question) {
                    questions.listeners.push(question);
                }
            }
        }
        questions
    }

    /// Counts what was found.
    pub(super) fn count_found(&mut self, found: &[FoundOpen]) {
        for one in found {
            if let Some(state) = self.apps.get_mut(&one.app) {
                let primary = &mut state.primary;
                primary.found_open(one.listener, one.peer, one.worker);
            }
        }
    }
}
