//! What has changed since the keeper was told, and the telling.

use std::collections::BTreeSet;
use std::rc::Rc;

use rota_engine::{AppId, WorkerId};
use serde::Serialize;

use crate::saved::{
    AppRecord, DAEMON_KEY, OPERATIONS_KEY, SHARED_KEY, SavedDaemon, SavedWorker, app_key,
    engine_key, worker_key,
};
use crate::supervisor::{State, Supervisor, monotonic_millis};

/// Entries that are to be written anew. The engine and the operations keep count of their own changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    apps: BTreeSet<AppId>,
    workers: BTreeSet<u64>,
    /// The counters that the keeper knows.
    daemon: SavedDaemon,
}

impl Changes {
    /// The keeper knows these counters already.
    pub(crate) fn know(&mut self, daemon: SavedDaemon) {
        self.daemon = daemon;
    }
}

impl Supervisor {
    /// An app's specifications or records have changed.
    pub(crate) fn save_app(self: &Rc<Self>, app: AppId) {
        self.transact(|| self.with(|state| state.changes.apps.insert(app)));
    }

    /// What is known of a worker has changed.
    pub(crate) fn save_worker(self: &Rc<Self>, worker: u64) {
        self.transact(|| self.with(|state| state.changes.workers.insert(worker)));
    }

    /// Tells the keeper all that has changed. Part of every transaction.
    pub(crate) fn save_changes(&self) {
        let (apps, workers) = self.with(|state| {
            let changes = &mut state.changes;
            (
                std::mem::take(&mut changes.apps),
                std::mem::take(&mut changes.workers),
            )
        });
        if !(apps.is_empty() && workers.is_empty()) {
            self.record.touch();
        }
        for app in apps {
            self.write_app(app);
        }
        for key in self.with(|state| state.stored.take_claimed()) {
            self.keeper.drop_entry(&key);
        }
        for worker in workers {
            let unanswered = self.heart.unanswered(worker);
            let blob = self.with(|state| {
                let worker = state.workers.get(&worker)?;
                let mut saved = SavedWorker::of(worker, started(worker));
                saved.unanswered = unanswered;
                json(&saved)
            });
            if let Some(blob) = blob {
                self.keeper.put_blob(&worker_key(WorkerId(worker)), blob);
            }
        }
        self.write_engine();
        self.write_operations();
        self.write_daemon();
    }

    fn write_app(&self, app: AppId) {
        let record = self.with(|state| {
            let view = state.engine.app(app);
            let entry = state.apps.get(&app)?;
            let (saved, sockets) = entry.sockets.save();
            let blob = json(&AppRecord::of(entry, view.as_ref(), saved))?;
            Some((blob, sockets))
        });
        if let Some((blob, sockets)) = record {
            let shared = !sockets.is_empty();
            self.keeper.put(&app_key(app), blob, sockets);
            if shared {
                self.keeper.share(&app_key(app));
            }
        }
    }

    fn write_engine(&self) {
        let changed = self.with(|state| state.engine.take_changed());
        if changed.is_empty() {
            return;
        }
        self.record.touch();
        for app in changed {
            let blob = self.with(|state| state.engine.save_app(app).as_ref().and_then(json));
            match blob {
                Some(blob) => self.keeper.put(&engine_key(app), blob, Vec::new()),
                None => self.keeper.drop_entry(&engine_key(app)),
            }
        }
        if let Some(blob) = self.with(|state| json(&state.engine.save_shared())) {
            self.keeper.put(SHARED_KEY, blob, Vec::new());
        }
    }

    fn write_operations(&self) {
        let blob = self.with(|state| {
            let operations = &mut state.operations;
            operations.take_changed().then(|| json(&operations.save()))
        });
        if let Some(Some(blob)) = blob {
            self.keeper.put(OPERATIONS_KEY, blob, Vec::new());
        }
    }

    fn write_daemon(&self) {
        let changed = self.with(|state| {
            let now = counters(state);
            let changed = state.changes.daemon != now;
            state.changes.daemon = now.clone();
            changed.then_some(now)
        });
        if let Some(blob) = changed.as_ref().and_then(json) {
            self.keeper.put(DAEMON_KEY, blob, Vec::new());
        }
    }
}

fn counters(state: &State) -> SavedDaemon {
    SavedDaemon {
        last_app: state.last_app,
        stopping: state.stopping,
        stopping_since: state.stopping_since,
        exit_code: state.exit_code,
        leaves_sockets: state.leaves_sockets,
        something_failed: state.something_failed,
        upgrading: state.upgrading.map(|command| command.0),
        positions: state
            .positions
            .iter()
            .map(|(app, position)| (app.0, position.clone()))
            .collect(),
    }
}

/// When a worker was started, by the monotonic clock in milliseconds.
pub(crate) fn started(worker: &crate::worker::Worker) -> u64 {
    let age = u64::try_from(worker.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    monotonic_millis().saturating_sub(age)
}

/// Nothing that is saved has a form that JSON lacks.
pub(crate) fn json<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    serde_json::to_vec(value).ok()
}
