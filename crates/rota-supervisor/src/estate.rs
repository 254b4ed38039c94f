//! What there is to take over from a supervisor that died, sorted for those who take it.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;

use rota_engine::{AppId, Engine, Generation, SlotFacts, WorkerFacts};

use crate::apps::App;
use crate::dispatch::{Restored, RestoredWorker};
use crate::launch::channel_kind;
use crate::listen::OwnSocket;
use crate::saved::{Child, Left, SavedApp, SavedDaemon, SavedSlot, SavedWorker};

/// So many supervisors in a row that could not live with what they found: the next one does without the operations
/// under way.
const POISONED: u32 = 3;

/// What there is to take over, sorted for those who take it.
pub(crate) struct Estate {
    /// The engine as it was; apps of which it knows nothing are in `facts`.
    pub(crate) engine: Option<Engine>,
    /// Whether the state of the engine was set aside.
    pub(crate) poisoned: bool,
    /// The apps.
    pub(crate) apps: HashMap<AppId, App>,
    /// Apps of which the engine knows nothing.
    pub(crate) facts: Vec<Facts>,
    /// Workers whose processes the keeper has.
    pub(crate) workers: Vec<Remains>,
    /// Workers whose processes are gone: their output has not been read to its end.
    pub(crate) ended: Vec<Remains>,
    /// Processes.
    pub(crate) children: Vec<Child>,
    /// Counters.
    pub(crate) daemon: SavedDaemon,
    /// How many entries the keeper had.
    pub(crate) entries: usize,
    /// The bytes of their blobs.
    pub(crate) bytes: usize,
    /// What was not understood.
    pub(crate) complaints: Vec<String>,
}

/// What is left of a worker.
pub(crate) struct Remains {
    /// Which.
    pub(crate) worker: u64,
    /// What was known of it.
    pub(crate) saved: SavedWorker,
    /// Its descriptors: both outputs, then the notify socket, then the writing end of its standard input.
    pub(crate) fds: Vec<OwnedFd>,
    /// The dispatcher has its channel.
    pub(crate) has_channel: bool,
}

/// An app whose state in the engine is to be made from what is the case.
pub(crate) struct Facts {
    /// Which.
    pub(crate) app: AppId,
    /// Its slots as they were when it was last written.
    pub(crate) slots: Vec<SavedSlot>,
    /// Its accepted generation.
    pub(crate) generation: Generation,
}

impl Estate {
    /// Sorts what is left; the dispatcher's part is the second.
    pub(crate) fn of(left: &mut Left) -> (Self, Restored) {
        let series = left.hello.as_ref().map_or(0, |hello| hello.series);
        let mut estate = Self {
            engine: None,
            poisoned: series >= POISONED,
            apps: HashMap::new(),
            facts: Vec::new(),
            workers: Vec::new(),
            ended: Vec::new(),
            children: std::mem::take(&mut left.children),
            daemon: std::mem::take(&mut left.daemon),
            entries: left.entries,
            bytes: left.bytes,
            complaints: std::mem::take(&mut left.complaints),
        };
        let known = estate.take_engine(left);
        for (saved, sockets) in std::mem::take(&mut left.apps) {
            estate.take_app(saved, sockets, &known);
        }
        let channels = estate.take_workers(left);
        let restored = Restored {
            inherited: estate.inherited(),
            apps: std::mem::take(&mut left.primaries),
            listeners: std::mem::take(&mut left.listeners),
            workers: channels,
            leaves_sockets: estate.daemon.leaves_sockets,
            ..Restored::default()
        };
        (estate, restored)
    }

    /// Restores the engine; returns the apps that it knows.
    fn take_engine(&mut self, left: &mut Left) -> BTreeSet<AppId> {
        let states = std::mem::take(&mut left.engine);
        let shared = left.shared.take();
        if states.is_empty() && shared.is_none() {
            return BTreeSet::new();
        }
        let specified: BTreeSet<AppId> = left.apps.iter().map(|(saved, _)| saved.id()).collect();
        let usable = states
            .into_iter()
            .filter(|state| !self.poisoned && specified.contains(&state.app()));
        let (engine, refused) = Engine::restore(shared, usable);
        for (app, why) in refused {
            self.complaints.push(format!(
                "the state of app {} cannot be taken over: {why}; it is made anew from what runs",
                app.0
            ));
        }
        let known = engine.apps().map(|view| view.app).collect();
        self.engine = Some(engine);
        known
    }

    fn take_app(&mut self, saved: SavedApp, sockets: Vec<OwnedFd>, known: &BTreeSet<AppId>) {
        let id = saved.id();
        if !known.contains(&id) {
            self.facts.push(Facts {
                app: id,
                slots: saved.slots.clone(),
                generation: saved.generation,
            });
        }
        self.apps.insert(id, saved.restore(sockets));
    }

    /// What cluster workers may name in `listen({fd})`. Without a copy (no descriptors left) that fails.
    fn inherited(&self) -> Vec<(u32, i32, OwnedFd)> {
        let sockets = self.apps.values().flat_map(|app| {
            let own = app.sockets.iter();
            own.map(|socket| (app.id.0, socket))
        });
        let copy = |(app, socket): (u32, &OwnSocket)| {
            Some((app, socket.number, socket.fd.try_clone().ok()?))
        };
        sockets.filter_map(copy).collect()
    }

    /// Sorts the workers by whether the keeper has their processes; returns what the dispatcher needs of those.
    fn take_workers(&mut self, left: &mut Left) -> Vec<RestoredWorker> {
        let mut channels = Vec::new();
        for (worker, (saved, fds)) in std::mem::take(&mut left.workers) {
            let app = self.apps.get(&AppId(saved.app));
            let prepared = app.and_then(|app| app.prepared(saved.generation));
            let sockets = app.zip(prepared);
            let inherits = sockets.map(|(app, prepared)| app.sockets.numbers(&prepared.spec));
            let inherits = inherits.unwrap_or_default();
            let channel = left.channels.remove(&worker);
            let mut remains = Remains {
                worker,
                has_channel: false,
                saved,
                fds,
            };
            let child = self.children.iter().find(|c| c.worker == worker);
            match prepared.zip(child) {
                Some((prepared, child)) => {
                    remains.has_channel = channel.is_some();
                    channels.extend(channel.map(|channel| RestoredWorker {
                        worker,
                        app: remains.saved.app,
                        slot: remains.saved.slot,
                        kind: channel_kind(prepared),
                        inherits,
                        channel,
                        pid: Some(child.pid),
                    }));
                    self.workers.push(remains);
                }
                None => self.ended.push(remains),
            }
        }
        channels
    }
}

impl Facts {
    /// The slots that the app is known to have, and those that workers are in.
    pub(crate) fn slots(&self, mut workers: Vec<(u32, WorkerFacts)>) -> Vec<SlotFacts> {
        let mut slots = self.slots.clone();
        for (slot, _) in &workers {
            if !slots.iter().any(|known| known.slot == *slot) {
                slots.push(SavedSlot::unknown(*slot));
            }
        }
        let take = |known: SavedSlot| SlotFacts {
            slot: known.slot,
            id: known.id,
            wanted: known.wanted,
            workers: workers
                .extract_if(.., |(slot, _)| *slot == known.slot)
                .map(|(_, worker)| worker)
                .collect(),
        };
        slots.into_iter().map(take).collect()
    }
}
