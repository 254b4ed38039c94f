//! Sockets that the manager of the service has kept since the daemon before ended: systemd's file descriptor store. Clients
//! wait in their queues.
//!
//! The keeper hands them over as entries `stored/<number>`. Whose they were is not said, and need not be: one address has
//! one listener. The app that asks for the address of one gets it, a cluster worker from the dispatcher, `--listen`
//! here. When the apps that come back serve, or have failed, what is left is closed.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rota_config::{AppSpec, ListenTarget};
use rota_engine::{AppView, SlotStatus, SlotView, WorkerStatus};
use rota_sys::net::number;

use crate::dispatch::DispatchCommand;
use crate::saved::Left;
use crate::supervisor::{State, Supervisor};
use crate::survivors::{is_at, is_reachable};

/// So long sockets that nobody has asked for stay when all apps serve: one may listen on a second port a little later.
const LATER: Duration = Duration::from_secs(2);
/// So long they stay in any case: clients would wait there for nobody.
const LONGEST: Duration = Duration::from_secs(120);

/// What is left of them.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The keys of their entries with the keeper, and copies.
    list: Vec<(String, OwnedFd)>,
    /// Keys of those that apps have, and whose entries go as soon as the apps' own are written.
    claimed: Vec<String>,
    /// The apps that come back have been told to.
    begun: bool,
    /// They end in a moment.
    ending: bool,
}

impl Stored {
    /// Entries that are not needed any more.
    pub(crate) fn take_claimed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.claimed)
    }
}

/// The sockets that an earlier supervisor of the same keeper had given to apps.
pub(crate) fn in_use(left: &Left) -> BTreeSet<u64> {
    let listeners = left.listeners.iter().map(|(_, _, socket)| socket);
    let own = left.apps.iter().flat_map(|(_, sockets)| sockets);
    listeners.chain(own).filter_map(number).collect()
}

impl Supervisor {
    /// Keeps for apps what has come back. What is in use already, or is of no use, is given up at once.
    pub(crate) fn keep_stored(&self, stored: Vec<(String, OwnedFd)>, in_use: &BTreeSet<u64>) {
        let mut kept = 0;
        for (key, fd) in stored {
            let number = number(&fd);
            let known = number.is_none_or(|number| {
                in_use.contains(&number) || self.with(|state| state.survivors.have(number))
            });
            let copy = fd.try_clone().ok().filter(|_| !known && is_reachable(&fd));
            let Some(copy) = copy else {
                self.keeper.drop_entry(&key);
                continue;
            };
            kept += 1;
            self.dispatcher.send(DispatchCommand::Store {
                key: key.clone(),
                fd: copy,
            });
            self.with(|state| state.stored.list.push((key, fd)));
        }
        if kept > 0 {
            let noun = if kept == 1 { "socket" } else { "sockets" };
            self.say(&format!(
                "{kept} listening {noun} of the daemon before stayed open: who waits there is served by who listens there again"
            ));
        }
    }

    /// The apps that come back have been told to: from now on is looked whether they have what they need.
    pub(crate) fn begin_with_stored(self: &Rc<Self>) {
        if self.with(|state| state.stored.list.is_empty()) {
            return;
        }
        self.with(|state| state.stored.begun = true);
        self.end_stored_in(LONGEST);
        self.tend_stored();
    }

    /// Looks whether all apps have what they need. Part of every event, and nothing as long as there is nothing.
    pub(crate) fn tend_stored(self: &Rc<Self>) {
        let over = self.with(|state| {
            let stored = &state.stored;
            let over = stored.begun && !stored.ending && is_settled(state);
            state.stored.ending |= over;
            over
        });
        if over {
            self.end_stored_in(LATER);
        }
    }

    fn end_stored_in(self: &Rc<Self>, time: Duration) {
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            this.end_stored();
        });
    }

    /// Closes what nobody has asked for, here and with the manager.
    fn end_stored(&self) {
        let left = self.with(|state| {
            state.stored.begun = false;
            std::mem::take(&mut state.stored.list)
        });
        if left.is_empty() {
            return;
        }
        self.dispatcher.send(DispatchCommand::EndStored);
        self.say(&format!(
            "{} sockets of the daemon before are closed: no app listens there any more",
            left.len()
        ));
        for (key, _) in left {
            self.keeper.drop_entry(&key);
        }
    }

    /// A cluster worker listens there.
    pub(crate) fn stored_claimed(&self, key: &str) {
        self.with(|state| state.stored.list.retain(|(of, _)| of != key));
        self.keeper.drop_entry(key);
    }

    /// A socket of `--listen`, if one of a daemon before is there. The app's entry has to be written afterwards.
    pub(crate) fn claim_stored(&self, spec: &AppSpec, target: &ListenTarget) -> Option<OwnedFd> {
        let (key, socket) = self.with(|state| {
            let list = &mut state.stored.list;
            let mut fds = list.iter().map(|(_, fd)| fd);
            let at = fds.position(|fd| is_at(fd, target, spec))?;
            let (key, socket) = list.swap_remove(at);
            state.stored.claimed.push(key.clone());
            Some((key, socket))
        })?;
        self.dispatcher.send(DispatchCommand::TakeStored { key });
        Some(socket)
    }

    /// The daemon ends because it was told to by who may start it again at once (`systemctl restart`): what is open stays
    /// so until then, or until that one lets go of it.
    pub(crate) fn leave_sockets(&self) {
        if !self.keeps_sockets {
            return;
        }
        self.with(|state| state.leaves_sockets = true);
        self.dispatcher.send(DispatchCommand::LeaveSockets);
    }
}

/// Every app serves, or does not come up, or is not to run.
fn is_settled(state: &State) -> bool {
    let mut apps = state.engine.apps();
    apps.all(|app| has_come_up(&app))
}

fn has_come_up(app: &AppView<'_>) -> bool {
    let settled = |slot: &SlotView<'_>| {
        let mut workers = slot.workers.iter();
        !slot.wanted
            || slot.status == SlotStatus::Errored
            || workers.any(|worker| worker.status == WorkerStatus::Ready)
    };
    app.waits_for.is_empty() && app.slots.iter().all(settled)
}
