//! Saving the engine piece by piece, and putting it together again.

use std::collections::{BTreeMap, BTreeSet};

use super::check;
use super::form::{RestoredApp, SavedApp, SavedShared};
use crate::app::{App, Life};
use crate::context::Shared;
use crate::engine::Shutdown;
use crate::{AppId, Engine, Slot};

impl Engine {
    /// An app's state, to be stored by the supervisor; `None`: there is no such app (any more).
    #[must_use]
    pub fn save_app(&self, app: AppId) -> Option<SavedApp<'_>> {
        self.apps.get(&app).map(SavedApp::new)
    }

    /// What is not any one app's. It changes with every event; an app that is stored must not be
    /// ahead of it, so it is to be stored with each (in one transaction).
    #[must_use]
    pub fn save_shared(&self) -> SavedShared {
        SavedShared {
            now: self.now,
            rng: self.shared.rng.clone(),
            last_worker: self.shared.last_worker,
            shutdown: self.shutdown.clone(),
        }
    }

    /// The apps whose state may have changed since the last call, those that are gone now
    /// included: what to store (or drop) after an event.
    #[must_use]
    pub fn take_changed(&mut self) -> BTreeSet<AppId> {
        std::mem::take(&mut self.changed)
    }

    /// Puts an engine together from what another one saved. It goes on as that one would have;
    /// [`Engine::outstanding`] says what has to be done again first. The supervisor's time and
    /// its numbering of apps and commands have to go on as well.
    ///
    /// Apps that contradict themselves, each other or `shared` are left out and named with the
    /// reason, for people; their workers have to be adopted ([`Engine::adopt`]) or killed by the
    /// caller. Ids of slots that two apps claim are replaced.
    ///
    /// Without `shared` the time is the latest that an app speaks of, the jitter starts anew, and
    /// the ids of workers that nothing speaks of any more may be used again.
    #[must_use]
    pub fn restore(
        shared: Option<SavedShared>,
        apps: impl IntoIterator<Item = RestoredApp>,
    ) -> (Self, Vec<(AppId, String)>) {
        let mut engine = Self::from_shared(shared.as_ref());
        let mut left_out = Vec::new();
        for RestoredApp { app } in apps {
            let last = check::last_worker(&app);
            if last <= check::LAST_WORKER {
                engine.shared.last_worker = engine.shared.last_worker.max(last);
            }
            match engine.check_app(&app, shared.as_ref()) {
                Ok(()) => engine.take_in(app),
                Err(reason) => left_out.push((app.id, reason)),
            }
        }
        engine.own_slot_ids();
        (engine, left_out)
    }

    fn from_shared(shared: Option<&SavedShared>) -> Self {
        let fresh = Self::new(0);
        let Some(saved) = shared else {
            return fresh;
        };
        Self {
            now: saved.now,
            shared: Shared {
                rng: saved.rng.clone(),
                last_worker: saved.last_worker.min(check::LAST_WORKER),
                slot_ids: BTreeSet::new(),
            },
            shutdown: saved.shutdown.clone(),
            ..fresh
        }
    }

    fn check_app(&self, app: &App, shared: Option<&SavedShared>) -> Result<(), String> {
        check::check(app)?;
        if self.apps.contains_key(&app.id) {
            return Err("it is there twice".to_owned());
        }
        let taken = |id| self.apps.values().any(|app| app.workers.contains_key(id));
        if let Some(id) = app.workers.keys().find(|id| taken(id)) {
            return Err(format!("worker {} is another app's", id.0));
        }
        let Some(shared) = shared else {
            return Ok(());
        };
        // A wrong time would become everybody's.
        if check::latest_moment(app) > shared.now {
            return Err("it speaks of the future as past".to_owned());
        }
        // Before that it may wait until those that depend on it are gone.
        let over = shared
            .shutdown
            .as_ref()
            .is_some_and(|shutdown| shutdown.complete);
        if over && app.life == Life::Alive {
            return Err("it goes on after the shutdown".to_owned());
        }
        Ok(())
    }

    fn take_in(&mut self, mut app: App) {
        self.now = self.now.max(check::latest_moment(&app));
        if app.life == Life::ShuttingDown {
            self.shutdown.get_or_insert_with(Shutdown::default);
        }
        app.known.extend(app.generations());
        self.apps.insert(app.id, app);
    }

    /// Finds out which ids of slots are in use, and gives new ones to those that come second.
    fn own_slot_ids(&mut self) {
        let mut second: BTreeMap<AppId, Vec<Slot>> = BTreeMap::new();
        for (id, app) in &self.apps {
            for (number, slot) in &app.slots {
                if !self.shared.slot_ids.insert(slot.id) {
                    second.entry(*id).or_default().push(*number);
                }
            }
        }
        for (id, slots) in second {
            self.changed.insert(id);
            let app = self.apps.get_mut(&id);
            let states = app.map(|app| &mut app.slots);
            for (number, state) in states.into_iter().flatten() {
                if slots.contains(number) {
                    state.id = self.shared.take_slot_id();
                }
            }
        }
    }
}
