//! What the supervisor leaves with the keeper about each app, and what the next supervisor makes of it.

use std::rc::Rc;

use rota_api::CommandResult;
use rota_config::AppSpec;
use rota_engine::{AppId, Command, CommandId, Effect, Event};
use serde::{Deserialize, Serialize};

use crate::apps::App;
use crate::perform::app_key;
use crate::requests::prepare;
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
        let prepared = prepare(saved.spec)?;
        let sockets = crate::listen::open(&prepared.spec)?;
        let mut policy = prepared.policy(self.cpus);
        if saved.instances > 0 {
            policy.instances = saved.instances;
        }
        let app = AppId(saved.app);
        let entry = App::new(app, saved.created_at.min(unix_millis()), prepared);
        self.with(|state| {
            state.last_app = state.last_app.max(saved.app);
            state.apps.insert(app, entry);
        });
        self.own_sockets(app, sockets);
        let start = Command::Start {
            app,
            policy,
            generation: 1,
        };
        if saved.wanted {
            let id = self.command_id(app);
            self.feed(Event::Command { id, command: start });
        } else {
            self.restore_stopped(app, start);
        }
        Ok(())
    }

    /// Makes a stopped app known to the engine without creating a process: its start is taken back
    /// before any of it is performed.
    fn restore_stopped(&self, app: AppId, start: Command) {
        let (started, stopped) = (self.command_id(app), self.command_id(app));
        let now = self.now();
        self.with(|state| {
            let command = |id, command| Event::Command { id, command };
            let effects = state.engine.handle(now, command(started, start));
            let stop = Command::Stop { app, slots: None };
            // Nobody waits for the answers, and there is nothing to do.
            let _ = state.engine.handle(now, command(stopped, stop));
            for effect in effects {
                if let Effect::Spawn { worker, .. } = effect {
                    let reason = "it was stopped".to_owned();
                    let _ = state
                        .engine
                        .handle(now, Event::SpawnFailed { worker, reason });
                }
            }
            for id in [started, stopped] {
                if let Some(answered) = state.operations.answered(id) {
                    let nothing = CommandResult::done(answered.name.as_str(), "");
                    state.operations.settle(&answered, nothing);
                }
            }
        });
    }

    /// A command for whose answer nobody waits.
    pub(crate) fn command_id(&self, app: AppId) -> CommandId {
        self.with(|state| {
            let name = state.app_name(app);
            let operation = state.operations.begin(None);
            state.operations.add(operation, app, &name)
        })
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
