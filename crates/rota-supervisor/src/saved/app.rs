//! An app: its specifications, and what was recorded of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rota_engine::{AppId, AppView, Generation, Slot};
use serde::{Deserialize, Serialize};

use super::known_version;
use crate::apps::{App, Failure, Prepared};
use crate::limits::MemoryPace;
use crate::listen::SavedSockets;
use crate::renewal::Renewed;

/// The form that this program writes.
const VERSION: u32 = 2;

/// An app as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct AppRecord<'a> {
    version: u32,
    app: u32,
    created_at: u64,
    started_at: u64,
    newest: Generation,
    generations: BTreeMap<Generation, &'a Prepared>,
    failures: &'a [Failure],
    memory_paces: &'a HashMap<u32, MemoryPace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed: &'a Option<Renewed>,
    slots: Vec<SavedSlot>,
    generation: Generation,
    due: &'a BTreeSet<Slot>,
    transient: bool,
    sockets: SavedSockets,
}

/// A slot, for the case that the engine's own state cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedSlot {
    /// Its place.
    pub(crate) slot: Slot,
    /// The number that users know it by.
    pub(crate) id: Option<u32>,
    /// Whether it is to run.
    pub(crate) wanted: bool,
}

impl SavedSlot {
    /// A slot of which only a worker is known.
    pub(crate) fn unknown(slot: Slot) -> Self {
        Self {
            slot,
            id: None,
            wanted: true,
        }
    }
}

/// An app as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct SavedApp {
    version: u32,
    app: u32,
    created_at: u64,
    started_at: u64,
    newest: Generation,
    generations: BTreeMap<Generation, Prepared>,
    #[serde(default)]
    failures: Vec<Failure>,
    #[serde(default)]
    memory_paces: HashMap<u32, MemoryPace>,
    #[serde(default)]
    renewed: Option<Renewed>,
    /// Its slots, where the engine's own state cannot be read.
    #[serde(default)]
    pub(crate) slots: Vec<SavedSlot>,
    /// Its accepted generation, in the same case.
    #[serde(default)]
    pub(crate) generation: Generation,
    #[serde(default)]
    due: BTreeSet<Slot>,
    #[serde(default)]
    transient: bool,
    /// Which descriptor is which; an older rota did not say.
    #[serde(default)]
    sockets: Option<SavedSockets>,
}

impl<'a> AppRecord<'a> {
    /// What is to be written of an app; `view` is what the engine knows of it, `sockets` what the descriptors are.
    pub(crate) fn of(app: &'a App, view: Option<&AppView<'_>>, sockets: SavedSockets) -> Self {
        let prepared = |(number, prepared): (&Generation, &'a Rc<Prepared>)| (*number, &**prepared);
        Self {
            version: VERSION,
            app: app.id.0,
            created_at: app.created_at,
            started_at: app.started_at,
            newest: app.newest,
            generations: app.generations.iter().map(prepared).collect(),
            failures: &app.failures,
            memory_paces: &app.memory_paces,
            renewed: &app.renewed,
            slots: view.map_or_else(Vec::new, slots),
            generation: view.map_or(app.newest, |view| view.generation),
            due: &app.due,
            transient: app.transient,
            sockets,
        }
    }
}

impl SavedApp {
    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(crate) fn read(blob: &[u8]) -> Result<Self, String> {
        let saved: Self = super::read(blob)?;
        known_version(saved.version, VERSION)?;
        if saved.generations.is_empty() {
            return Err("it has no specification".to_owned());
        }
        Ok(saved)
    }

    /// Its number.
    pub(crate) fn id(&self) -> AppId {
        AppId(self.app)
    }

    /// Makes an app of it; `sockets` are those of `--listen`.
    pub(crate) fn restore(self, sockets: Vec<OwnedFd>) -> App {
        let newest = self.generations.values().next_back();
        let older = || newest.map(|prepared| SavedSockets::of_older(&prepared.spec));
        let saved = self.sockets.or_else(older).unwrap_or_default();
        let generations = self.generations.into_iter();
        App {
            id: AppId(self.app),
            created_at: self.created_at,
            started_at: self.started_at,
            generations: generations.map(|(n, p)| (n, Rc::new(p))).collect(),
            newest: self.newest,
            sockets: saved.restore(sockets),
            failures: self.failures,
            memory_paces: self.memory_paces,
            due: self.due,
            transient: self.transient,
            renewed: self.renewed,
        }
    }
}

fn slots(view: &AppView<'_>) -> Vec<SavedSlot> {
    let slots = view.slots.iter();
    slots
        .map(|slot| SavedSlot {
            slot: slot.slot,
            id: Some(slot.id),
            wanted: slot.wanted,
        })
        .collect()
}
