//! Keeping the files true.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use rota_config::GuardLoss;
use tokio::sync::{Mutex, Notify};

use super::files;
use super::form::{AppsFile, DesiredApp, Identity, Trace, WorkersFile};
use crate::apps::{App, Prepared};
use crate::checkpoint::json;
use crate::saved::SavedSlot;
use crate::supervisor::{State, Supervisor};
use crate::worker::Worker;

/// Who keeps the files true.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// What the marks of the keeper's children begin with; without it nothing is written.
    mark: Option<String>,
    /// The supervisor and its shadow.
    helpers: Vec<Identity>,
    changed: Notify,
    /// Held while files are written; false: they are not any more.
    open: Mutex<bool>,
    /// It has been told that they cannot be written.
    failing: Cell<bool>,
}

/// What stands in the files, as a hash.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Written {
    apps: u64,
    workers: u64,
}

/// A file with new content.
struct Draft {
    path: PathBuf,
    bytes: Vec<u8>,
    durable: bool,
}

impl Recorder {
    /// For the keeper with that mark; `shadow` is the shadow's process.
    pub(crate) fn new(mark: Option<String>, shadow: Option<u32>) -> Self {
        let helpers = [Some(std::process::id()), shadow];
        Self {
            mark,
            helpers: helpers
                .into_iter()
                .flatten()
                .filter_map(Identity::of)
                .collect(),
            changed: Notify::new(),
            open: Mutex::new(true),
            failing: Cell::new(false),
        }
    }

    /// The mark of the keeper.
    pub(crate) fn mark(&self) -> Option<&str> {
        self.mark.as_deref()
    }

    /// Something that stands in the files may have changed.
    pub(crate) fn touch(&self) {
        self.changed.notify_one();
    }
}

impl Supervisor {
    /// Writes what has changed, for as long as the supervisor runs.
    pub(crate) async fn keep_record(self: Rc<Self>) {
        let mut written = Written::default();
        loop {
            self.record.changed.notified().await;
            let open = self.record.open.lock().await;
            if !*open {
                return;
            }
            let Some(drafts) = self.drafts(&mut written) else {
                return;
            };
            if drafts.is_empty() {
                continue;
            }
            let done = tokio::task::spawn_blocking(move || write_all(&drafts)).await;
            drop(open);
            self.tell_written(done.unwrap_or_else(|error| Err(io::Error::other(error))));
        }
    }

    /// Nothing is written any more. In an orderly end no process is left to be told of, and what ran is written for the
    /// last time: the next daemon is to know it, however soon after a change this one ends.
    pub(crate) async fn end_record(&self, orderly: bool) {
        let mut open = self.record.open.lock().await;
        *open = false;
        if !orderly {
            return;
        }
        // It may never have been written.
        let _ = std::fs::remove_file(self.home.workers_file());
        if let Some(mark) = &self.record.mark {
            self.tell_written(self.write_last(mark));
        }
    }

    fn write_last(&self, mark: &str) -> io::Result<()> {
        let path = self.home.apps_file();
        let bytes = self.with(|state| {
            let mut apps = desired(state);
            apps.retain(|app| !app.transient);
            let file = AppsFile::new(self.home.root(), mark, apps);
            (!file.apps.is_empty()).then(|| json(&file)).flatten()
        });
        match bytes {
            Some(bytes) => files::replace(&path, &bytes, true),
            None => match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    fn tell_written(&self, done: io::Result<()>) {
        let failed = done.is_err();
        if self.record.failing.replace(failed) == failed {
            return;
        }
        match done {
            Ok(()) => self.say("what runs can be written down again"),
            Err(error) => self.say(&format!(
                "what runs cannot be written to {}: {error}; the next daemon would not know of it",
                self.home.root().display()
            )),
        }
    }

    /// The files whose content has changed; `None`: there is no use in any.
    fn drafts(&self, written: &mut Written) -> Option<Vec<Draft>> {
        let mark = self.record.mark.clone()?;
        let keeper = Identity::of(self.keeper_pid)?;
        let mut workers = WorkersFile::new(self.home.root(), keeper, mark);
        workers.helpers.clone_from(&self.record.helpers);
        let apps = self.with(|state| {
            workers.workers = traces(state, &workers.mark);
            workers.survivors = state.survivors.traces();
            json(&AppsFile::new(
                self.home.root(),
                &workers.mark,
                desired(state),
            ))
        });
        let mut drafts = Vec::new();
        let mut add = |path, bytes: Option<Vec<u8>>, known: &mut u64, durable| {
            if let Some(bytes) = bytes.filter(|bytes| changed(known, bytes)) {
                drafts.push(Draft {
                    path,
                    bytes,
                    durable,
                });
            }
        };
        add(self.home.apps_file(), apps, &mut written.apps, true);
        let workers = json(&workers);
        add(
            self.home.workers_file(),
            workers,
            &mut written.workers,
            false,
        );
        Some(drafts)
    }
}

fn changed(known: &mut u64, bytes: &[u8]) -> bool {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let hash = hasher.finish();
    std::mem::replace(known, hash) != hash
}

fn write_all(drafts: &[Draft]) -> io::Result<()> {
    let one = |draft: &Draft| files::replace(&draft.path, &draft.bytes, draft.durable);
    drafts.iter().try_for_each(one)
}

fn desired(state: &State) -> Vec<DesiredApp<&Prepared>> {
    let own = state.apps.values().filter_map(|app| {
        let view = state.engine.app(app.id)?;
        let slots = view.slots.iter().map(|slot| SavedSlot {
            slot: slot.slot,
            id: Some(slot.id),
            wanted: slot.wanted,
        });
        Some(DesiredApp {
            prepared: &**app.prepared(view.generation)?,
            created_at: app.created_at,
            slots: slots.collect(),
            pending: false,
            due: app.due.clone(),
            transient: app.transient,
        })
    });
    let mut all: Vec<_> = own.chain(state.survivors.pending()).collect();
    // The same state is the same file.
    all.sort_by(|a, b| a.prepared.spec.name.cmp(&b.prepared.spec.name));
    all
}

fn traces(state: &mut State, mark: &str) -> Vec<Trace> {
    let own = rustix::process::geteuid().as_raw();
    let apps = &state.apps;
    let workers = state.workers.iter_mut();
    let mut all: Vec<Trace> = workers
        .filter_map(|(id, worker)| {
            trace(worker, apps.get(&worker.app)?, format!("{mark}:{id}"), own)
        })
        .collect();
    all.sort_by(|a, b| a.mark.cmp(&b.mark));
    all
}

fn trace(worker: &mut Worker, app: &App, mark: String, own: u32) -> Option<Trace> {
    let pid = worker.pid?;
    if worker.identity.is_none_or(|known| known.pid != pid) {
        worker.identity = Identity::of(pid);
    }
    let prepared = &worker.prepared;
    let spec = &prepared.spec;
    let cluster = prepared.is_cluster();
    Some(Trace {
        process: worker.identity?,
        mark,
        uid: prepared.person.as_ref().map_or(own, |person| person.uid),
        app: app.name().to_owned(),
        slot: worker.slot,
        serves: spec.agent.guard_loss == GuardLoss::Serve && worker.told_ready,
        drains: cluster && prepared.is_node() && spec.agent.enabled,
        beside: cluster || !spec.listen.is_empty(),
        own_socket: cluster && spec.balance == rota_config::Balance::Reuseport,
        stop_signal: spec.stop.signal.number(),
        drain_ms: spec.stop.drain_timeout.millis(),
        kill_ms: spec.stop.kill_timeout.millis(),
    })
}
