//! Workers that are to finish what they have before they are stopped.
//!
//! Node's own polite end (`disconnect`) makes a worker close its servers and its channel; one with
//! nothing else to do then exits before any signal can reach it, so that its signal handlers never
//! run. So a worker is first only left alone: when the kernel says that it has no connection any more,
//! it is drained, and everything in it still works. Only one that has connections for longer than
//! [`PATIENCE`] is told to disconnect, which closes its idle kept connections.
//!
//! A worker with an agent needs none of that: the agent finishes, hands over and closes what there is, and
//! says when it is done and what became of everything. One whose agent does not say so hangs; the time
//! limit of whoever gave the order ends that.
//!
//! A worker that is not ready yet may listen, and have been dealt connections: then it is drained like any
//! other. Only here is it known, and it is found out when the worker is out of the rotation: one that has never
//! had anything is done at once, for its event loop may still be blocked by its start.

use rota_node::agent::DrainOrder;
use rota_node::primary::Millis;

use super::shell::Shell;
use super::types::{DispatchEvent, Lost};

/// How long a worker's connections may end by themselves.
const PATIENCE: Millis = 1_000;
/// The first pause between two looks; each later one is longer.
const FIRST_PAUSE: Millis = 10;

/// A worker that gets no more connections and still has some.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) worker: u64,
    since: Millis,
    /// When to look next.
    pub(super) next: Millis,
}

impl Shell {
    /// Lets a worker finish: see the module. `starting`: it has not become ready.
    pub(super) fn drain(&mut self, worker: u64, order: DrainOrder, starting: bool) {
        let now = self.io.now;
        if self.io.told_to_drain.contains(&worker) {
            return;
        }
        if starting && self.has_nothing_to_finish(worker) {
            (self.io.events)(DispatchEvent::Drained {
                worker,
                report: None,
            });
            return;
        }
        let mut told = false;
        self.with_primary_of(worker, |primary, host, now| {
            told = primary.drain(worker, order, now, host);
            if !told {
                primary.stop_dealing(worker, now, host);
            }
        });
        if told {
            self.io.told_to_drain.insert(worker);
            return;
        }
        self.draining.push(Draining {
            worker,
            since: now,
            next: now,
        });
        self.look_at_draining();
    }

    /// Takes a worker out of the rotation, if nothing can have come to it.
    fn has_nothing_to_finish(&mut self, worker: u64) -> bool {
        let mut unused = false;
        self.with_primary_of(worker, |primary, host, now| {
            unused = primary.leave_unused(worker, now, host);
        });
        unused
    }

    /// Says so when the channel of a worker ends whose agent still drains it.
    pub(super) fn tell_undrained(&mut self, worker: u64) {
        if !self.io.told_to_drain.remove(&worker) {
            return;
        }
        let Some(app) = self.io.links.get(&worker).map(|link| link.app) else {
            return;
        };
        let Some(primary) = self.apps.get(&app).map(|state| &state.primary) else {
            return;
        };
        if let Some(view) = primary.workers().find(|view| view.worker == worker) {
            let lost = Lost {
                app,
                slot: view.slot,
                open: primary.followed_by(worker).map(|_| view.open),
            };
            (self.io.events)(DispatchEvent::Undrained { worker, lost });
        }
    }

    /// Looks at those whose turn it is.
    pub(super) fn look_at_draining(&mut self) {
        let now = self.io.now;
        for mut entry in std::mem::take(&mut self.draining) {
            if entry.next > now {
                self.draining.push(entry);
                continue;
            }
            let worker = entry.worker;
            let waited = now.saturating_sub(entry.since);
            match self.has_connections(worker) {
                Some(false) => (self.io.events)(DispatchEvent::Drained {
                    worker,
                    report: None,
                }),
                Some(true) if waited < PATIENCE => {
                    entry.next = now + FIRST_PAUSE.max(waited / 2);
                    self.draining.push(entry);
                }
                Some(true) | None => self.with_primary_of(worker, |primary, host, now| {
                    primary.disconnect(worker, now, host);
                }),
            }
        }
    }

    /// Whether a worker has connections now; `None` when that cannot be known.
    fn has_connections(&mut self, worker: u64) -> Option<bool> {
        let now = self.io.now;
        let app = self.io.links.get(&worker).map(|link| link.app)?;
        let state = self.apps.get_mut(&app)?;
        for (listener, port) in state.primary.followed_by(worker)? {
            match self.live.of_port(port) {
                Ok(peers) => state.primary.reconcile(listener, now, peers),
                Err(_) => {
                    state.primary.unfollow(listener, now);
                    return None;
                }
            }
        }
        state.primary.has_connections(worker)
    }
}
