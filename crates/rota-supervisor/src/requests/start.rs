//! `start`: new apps, and known ones again with a new specification.

use std::rc::Rc;

use rota_api::{ApiError, CommandResult, ErrorCode, StartRequest};
use rota_config::AppSpec;
use rota_config::file::{Origins, differences};
use rota_engine::{AppId, Command, Event, Generation, SlotStatus, SlotView};

use super::order::in_order;
use super::prepare::prepare;
use crate::apps::{App, Prepared};
use crate::operations::Caller;
use crate::supervisor::{State, Supervisor, unix_millis};

impl Supervisor {
    /// Starts apps. All of them are checked before the first is started.
    ///
    /// # Errors
    /// A specification that cannot be run, or an app that runs already.
    pub(crate) fn start(
        self: &Rc<Self>,
        mut request: StartRequest<AppSpec, Origins>,
        caller: Caller,
    ) -> Result<(), ApiError> {
        let mut checked = Vec::new();
        for spec in request.apps {
            let known = self.with(|state| find(state, spec.name.as_str()));
            let running = known.filter(|app| !request.force && self.is_wanted(*app));
            if running.is_none() {
                self.holding.check(&spec)?;
            }
            let origins = request.origins.remove(spec.name.as_str());
            let prepared = prepare(spec, origins)?;
            let left = match running {
                Some(app) if request.keep => self.leave(app, &prepared),
                Some(_) => return Err(already_running(prepared.spec.name.as_str())),
                None => None,
            };
            let rests = request
                .rest
                .iter()
                .any(|name| name == prepared.spec.name.as_str());
            checked.push((known, prepared, left, rests));
        }
        let checked = in_order(checked, |(_, prepared, ..)| {
            Some(Rc::new(prepared.spec.clone()))
        });
        let operation = self.with(|state| state.operations.begin("start", caller));
        for (known, prepared, left, rests) in checked {
            match left {
                Some(result) => self.with(|state| state.operations.add_result(operation, result)),
                None => self.start_one(operation, known, prepared, rests),
            }
        }
        self.with(|state| state.operations.finish_if_settled(operation));
        Ok(())
    }

    fn start_one(
        self: &Rc<Self>,
        operation: u64,
        known: Option<AppId>,
        prepared: Rc<Prepared>,
        rests: bool,
    ) {
        let name = prepared.spec.name.as_str().to_owned();
        let policy = prepared.policy(self.cpus);
        let sockets = match self.open_missing(known, &prepared.spec) {
            Ok(sockets) => sockets,
            Err(error) => {
                let result =
                    CommandResult::failed(name, ErrorCode::AddressInUse, error.to_string());
                self.with(|state| state.operations.add_result(operation, result));
                return;
            }
        };
        let (app, generation, command) = self.with(|state| {
            let (app, generation) = register(state, known, prepared);
            (app, generation, state.operations.add(operation, app, &name))
        });
        self.forget_pending(&name);
        self.not_due(app);
        self.recover_sockets(app, &name);
        self.own_sockets(app, sockets);
        self.save_app(app);
        let running = known.is_some() && self.is_wanted(app);
        let mut command_for = if running {
            Command::Restart {
                app,
                slots: None,
                update: Some((policy, generation)),
            }
        } else if rests {
            Command::Define {
                app,
                policy,
                generation,
            }
        } else {
            Command::Start {
                app,
                policy,
                generation,
            }
        };
        let absent = self.set_after(&mut command_for);
        self.tell_absent(app, &absent);
        self.feed(Event::Command {
            id: command,
            command: command_for,
        });
    }

    /// What is said of an app that runs and is left as it is; `None` if a part of it can be started again.
    fn leave(&self, app: AppId, new: &Prepared) -> Option<CommandResult> {
        let name = new.spec.name.as_str();
        self.with(|state| {
            let view = state.engine.app(app)?;
            let old = state.apps.get(&app)?.prepared(view.generation)?;
            let differences = differences(
                (&old.spec, old.origins.as_ref()),
                (&new.spec, new.origins.as_ref()),
            );
            if !differences.is_empty() {
                let text = format!("it runs with other settings: {}", listed(&differences));
                let result = CommandResult::failed(name, ErrorCode::AlreadyRunning, text);
                return Some(CommandResult {
                    hint: Some("`rota reload FILE` brings what the file says".to_owned()),
                    ..result
                });
            }
            let at_rest = |slot: &SlotView<'_>| !slot.wanted || slot.status == SlotStatus::Errored;
            let whole = !view.slots.iter().any(at_rest);
            whole.then(|| CommandResult::done(name, "runs already, as it is described"))
        })
    }
}

/// The app of that name.
pub(super) fn find(state: &State, name: &str) -> Option<AppId> {
    let app = state.apps.values().find(|app| app.name() == name);
    app.map(|app| app.id)
}

/// Adds a new app, or a new generation to a known one.
fn register(
    state: &mut State,
    known: Option<AppId>,
    prepared: Rc<Prepared>,
) -> (AppId, Generation) {
    if let Some(app) = known.and_then(|app| state.apps.get_mut(&app)) {
        return (app.id, app.add_generation(prepared, unix_millis()));
    }
    state.last_app += 1;
    let id = AppId(state.last_app);
    state.apps.insert(id, App::new(id, unix_millis(), prepared));
    (id, 1)
}

/// The first few of the names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn already_running(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::AlreadyRunning,
        format!("`{name}` is running already"),
    )
    .with_hint(
        "use `rota reload` to load new code, `--force` to restart it, or `--name` for a second app",
    )
}
