//! When survivors go: as soon as an app of their name serves without them, or is not to run any more.

use std::collections::BTreeSet;
use std::rc::Rc;

use rota_engine::{AppView, WorkerStatus};

use super::{Survivor, leave};
use crate::dispatch::DispatchCommand;
use crate::supervisor::{State, Supervisor};

impl Supervisor {
    /// Looks whether any can go. Part of every event, and nothing as long as there are none.
    pub(crate) fn tend_survivors(self: &Rc<Self>) {
        let apps = self.with(|state| {
            let waiting = state.survivors.list.iter().filter(|one| !one.leaves);
            let apps: BTreeSet<String> = waiting.map(|one| one.trace.app.clone()).collect();
            let mut done = apps;
            done.retain(|app| may_go(state, app));
            done
        });
        for app in apps {
            self.dismiss(app);
        }
    }

    /// The daemon ends: so do they. False: there are none.
    pub(crate) fn await_survivors(self: &Rc<Self>, at_once: bool) -> bool {
        let any = self.with(|state| {
            let survivors = &mut state.survivors;
            survivors.awaited = true;
            survivors.at_once |= at_once;
            !survivors.list.is_empty()
        });
        self.tend_survivors();
        any
    }

    /// From now on they are killed.
    pub(crate) fn hurry_survivors(&self) {
        self.with(|state| state.survivors.at_once = true);
    }

    fn dismiss(self: &Rc<Self>, app: String) {
        let (id, leavers) = self.with(|state| {
            let apps = state.apps.values();
            let id = apps
                .filter(|one| one.name() == app)
                .map(|one| one.id)
                .next();
            let survivors = &mut state.survivors;
            survivors.sockets.remove(&app);
            let mut leavers = Vec::new();
            for one in survivors.list.iter_mut().filter(|one| one.trace.app == app) {
                one.leaves = true;
                leavers.push(one.clone());
            }
            (id, leavers)
        });
        if let Some(id) = id {
            // Copies that nobody has asked for: clients would wait there for ever.
            self.dispatcher
                .send(DispatchCommand::EndRecovery { app: id.0 });
        }
        self.say(&format!(
            "{app}: {} workers of the daemon before are asked to finish and leave",
            leavers.len()
        ));
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move { this.see_off(app, leavers).await });
    }

    async fn see_off(self: Rc<Self>, app: String, leavers: Vec<Survivor>) {
        let at_once = || self.with(|state| state.survivors.at_once);
        let killed = leave::see_off(leavers, at_once).await;
        self.say(&format!(
            "{app}: the workers of the daemon before have gone{killed}"
        ));
        let over = self.with(|state| {
            let survivors = &mut state.survivors;
            survivors.list.retain(|one| one.trace.app != app);
            survivors.awaited && survivors.list.is_empty()
        });
        self.record.touch();
        if over {
            self.end(0);
        }
    }
}

/// Whether survivors of that name are not needed any more.
fn may_go(state: &State, name: &str) -> bool {
    if state.survivors.awaited || state.stopping {
        return true;
    }
    let pending = state.survivors.pending.iter().any(|app| app.name() == name);
    let app = state.apps.values().find(|app| app.name() == name);
    match app.map(|app| state.engine.app(app.id)) {
        // Nobody knows how to start it: it serves until somebody does.
        None => !pending && state.survivors.dropped.contains(name),
        Some(None) => false,
        Some(Some(view)) => is_served(&view),
    }
}

/// Every slot that is to run has a worker that serves; or none is to run.
fn is_served(app: &AppView<'_>) -> bool {
    let mut wanted = app.slots.iter().filter(|slot| slot.wanted);
    wanted.all(|slot| {
        let mut workers = slot.workers.iter();
        workers.any(|worker| worker.status == WorkerStatus::Ready)
    })
}
