//! What the supervisor leaves with the keeper about each app, and what the next supervisor makes of it.

use std::rc::Rc;

use rota_config::AppSpec;
use rota_engine::{AppId, Command, Event};
use serde::{Deserialize, Serialize};

use crate::apps::App;
use crate::perform::app_key;
use crate::supervisor::{Supervisor, unix_millis};

/// The version of [`Saved`] that this program writes.
const VERSION: u32 = 1;

/// An app as it is stored: what somebody wants, not what happens to be the case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    version: u32,
    app: u32,
    spec: AppSpec,
    instances: u32,
    wanted: bool,
    created_at: u64,
}

impl Supervisor {
    /// Stores an app's specification and wanted state.
    pub(crate) fn checkpoint(&self, app: AppId) {
        let saved = self.with(|state| {
            let entry = state.apps.get(&app)?;
            let view = state.engine.app(app);
            let generation = view.as_ref().map_or(entry.newest, |view| view.generation);
            let spec = entry.prepared(generation)?.spec.clone();
            let instances = view.as_ref().map_or(0, |view| view.instances);
            let wanted = view.is_none_or(|view| view.slots.iter().any(|slot| slot.wanted));
            Some(Saved {
                version: VERSION,
                app: app.0,
                created_at: entry.created_at,
                spec,
                instances,
                wanted,
            })
        });
        let Some(blob) = saved.and_then(|saved| serde_json::to_vec(&saved).ok()) else {
            return;
        };
        self.keeper.put(&app_key(app), blob, Vec::new());
    }

    /// Takes over the apps that an earlier supervisor left: they are started anew.
    pub(crate) fn restore(self: &Rc<Self>, mut left: Vec<Saved>) {
        left.sort_by_key(|saved| saved.app);
        for saved in left {
            let name = saved.spec.name.to_string();
            match self.restore_one(saved) {
                Ok(()) => self.say(&format!("{name}: taken over from the supervisor that died")),
                Err(error) => self.say(&format!("{name}: cannot be started again: {error}")),
            }
        }
    }

    fn restore_one(self: &Rc<Self>, saved: Saved) -> Result<(), Box<dyn std::error::Error>> {
        let launch = rota_config::resolve(&saved.spec)?;
        let sockets = crate::listen::open(&saved.spec)?;
        let prepared = Rc::new(crate::apps::Prepared {
            spec: saved.spec,
            launch,
        });
        let mut policy = prepared.policy(self.cpus);
        if saved.instances > 0 {
            policy.instances = saved.instances;
        }
        let app = AppId(saved.app);
        let mut entry = App::new(app, saved.created_at.min(unix_millis()), prepared);
        entry.sockets = sockets;
        let start = self.with(|state| {
            state.last_app = state.last_app.max(saved.app);
            let name = entry.name().to_owned();
            state.apps.insert(app, entry);
            let operation = state.operations.begin(None, Vec::new());
            state.operations.add(operation, app, &name)
        });
        self.feed(Event::Command {
            id: start,
            command: Command::Start {
                app,
                policy,
                generation: 1,
            },
        });
        if !saved.wanted {
            let stop = self.with(|state| {
                let operation = state.operations.begin(None, Vec::new());
                state.operations.add(operation, app, "")
            });
            self.feed(Event::Command {
                id: stop,
                command: Command::Stop { app, slots: None },
            });
        }
        Ok(())
    }
}

/// Reads an app's entry.
///
/// # Errors
/// What is wrong with it, for the log.
pub(crate) fn read(blob: &[u8]) -> Result<Saved, String> {
    let saved: Saved = serde_json::from_slice(blob).map_err(|error| error.to_string())?;
    if saved.version > VERSION {
        return Err(format!(
            "written by a later version (format {}, known up to {VERSION})",
            saved.version
        ));
    }
    Ok(saved)
}
