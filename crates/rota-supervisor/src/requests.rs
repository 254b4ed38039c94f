//! What callers ask for: checked, translated into the engine's commands, and given to it.

use std::rc::Rc;

use rota_api::{
    ApiError, CommandRequest, CommandResult, ErrorCode, ShutdownRequest, SignalRequest,
    SignalResponse, StartRequest, Verb,
};
use rota_config::{AppSpec, ScaleTo, SpecUpdate};
use rota_engine::{AppId, Command, CommandId, Event, Generation, Policy, Slot};

use crate::api::LineSender;
use crate::apps::{App, Prepared};
use crate::listen;
use crate::supervisor::{State, Supervisor, unix_millis};
use crate::targets::{Directory, Selection};

impl Supervisor {
    /// Starts apps. All of them are checked before the first is started.
    ///
    /// # Errors
    /// A specification that cannot be run, or an app that runs already.
    pub(crate) fn start(
        self: &Rc<Self>,
        request: StartRequest<AppSpec>,
        listener: Option<LineSender>,
    ) -> Result<(), ApiError> {
        let mut checked = Vec::new();
        for spec in request.apps {
            let known = self.with(|state| find(state, spec.name.as_str()));
            if let Some(app) = known
                && !request.force
                && self.is_wanted(app)
            {
                return Err(already_running(spec.name.as_str()));
            }
            checked.push((known, prepare(spec)?));
        }
        let operation = self.with(|state| state.operations.begin(listener, Vec::new()));
        for (known, prepared) in checked {
            self.start_one(operation, known, prepared);
        }
        self.with(|state| state.operations.finish_if_settled(operation));
        Ok(())
    }

    fn start_one(self: &Rc<Self>, operation: u64, known: Option<AppId>, prepared: Rc<Prepared>) {
        let name = prepared.spec.name.as_str().to_owned();
        let policy = prepared.policy(self.cpus);
        let sockets = match listen::open(&prepared.spec) {
            Ok(sockets) => sockets,
            Err(error) if known.is_some_and(|app| self.same_sockets(app, &prepared.spec)) => {
                // The app's own sockets are in the way: they are kept.
                drop(error);
                Vec::new()
            }
            Err(error) => {
                let result =
                    CommandResult::failed(name, ErrorCode::AddressInUse, error.to_string());
                self.with(|state| state.operations.add_result(operation, result));
                return;
            }
        };
        let (app, generation, command) = self.with(|state| {
            let (app, generation) = register(state, known, prepared);
            if let Some(entry) = state.apps.get_mut(&app)
                && !sockets.is_empty()
            {
                entry.sockets = sockets;
            }
            (app, generation, state.operations.add(operation, app, &name))
        });
        self.checkpoint(app);
        let running = known.is_some() && self.is_wanted(app);
        let command_for = if running {
            Command::Restart {
                app,
                slots: None,
                update: Some((policy, generation)),
            }
        } else {
            Command::Start {
                app,
                policy,
                generation,
            }
        };
        self.feed(Event::Command {
            id: command,
            command: command_for,
        });
    }

    fn same_sockets(&self, app: AppId, spec: &AppSpec) -> bool {
        self.with(|state| {
            let newest = state
                .apps
                .get(&app)
                .and_then(|app| app.prepared(app.newest));
            newest.is_some_and(|prepared| prepared.spec.listen == spec.listen)
        })
    }

    /// Does something with apps that exist.
    ///
    /// # Errors
    /// A target that names nothing, or a change that cannot be made.
    pub(crate) fn command(
        self: &Rc<Self>,
        request: &CommandRequest<SpecUpdate>,
        listener: Option<LineSender>,
    ) -> Result<(), ApiError> {
        let chosen = self.select(&request.targets)?;
        let mut commands = Vec::new();
        for selection in &chosen {
            commands.push((selection.app, self.translate(request, selection)?));
        }
        let (operation, given) = self.with(|state| {
            let operation = state.operations.begin(listener, Vec::new());
            let given: Vec<(CommandId, Command)> = commands
                .into_iter()
                .map(|(app, command)| {
                    let name = state.apps.get(&app).map_or("", |app| app.name()).to_owned();
                    (state.operations.add(operation, app, &name), command)
                })
                .collect();
            (operation, given)
        });
        for (id, command) in given {
            self.feed(Event::Command { id, command });
        }
        self.with(|state| state.operations.finish_if_settled(operation));
        Ok(())
    }

    fn translate(
        &self,
        request: &CommandRequest<SpecUpdate>,
        selection: &Selection,
    ) -> Result<Command, ApiError> {
        let app = selection.app;
        let slots = selection.slots.clone();
        Ok(match request.verb {
            Verb::Start => self.start_again(app, slots, request.update.as_ref())?,
            Verb::Stop => Command::Stop { app, slots },
            Verb::Restart => Command::Restart {
                app,
                slots,
                update: self.updated(app, request.update.as_ref())?,
            },
            Verb::Reload => Command::Reload {
                app,
                slots,
                update: self.updated(app, request.update.as_ref())?,
            },
            Verb::Delete => Command::Delete { app },
            Verb::Scale => Command::Scale {
                app,
                instances: self.wanted_instances(app, request.instances.as_deref())?,
            },
        })
    }

    /// Start of an app that is known: with its newest specification, or a changed one.
    fn start_again(
        &self,
        app: AppId,
        slots: Option<Vec<Slot>>,
        update: Option<&SpecUpdate>,
    ) -> Result<Command, ApiError> {
        if slots.is_some() {
            let update = self.updated(app, update)?;
            return Ok(Command::Restart { app, slots, update });
        }
        let updated = self.updated(app, update)?;
        let (mut policy, generation) = match updated {
            Some(updated) => updated,
            None => self.with(|state| {
                let entry = state.apps.get(&app).ok_or_else(gone)?;
                let view = state.engine.app(app).ok_or_else(gone)?;
                let prepared = entry.prepared(view.generation).ok_or_else(gone)?;
                Ok::<_, ApiError>((prepared.policy(self.cpus), view.generation))
            })?,
        };
        // What `scale` has said since the first start counts, not what the start said.
        let scaled = self.with(|state| state.engine.app(app).map(|view| view.instances));
        policy.instances = scaled.filter(|&n| n > 0).unwrap_or(policy.instances);
        Ok(Command::Start {
            app,
            policy,
            generation,
        })
    }

    /// A new generation for an app, if an update asks for one.
    fn updated(
        &self,
        app: AppId,
        update: Option<&SpecUpdate>,
    ) -> Result<Option<(Policy, Generation)>, ApiError> {
        let Some(update) = update.filter(|update| !update.is_empty()) else {
            return Ok(None);
        };
        let spec = self.with(|state| {
            let entry = state.apps.get(&app).ok_or_else(gone)?;
            let now = state
                .engine
                .app(app)
                .map_or(entry.newest, |view| view.generation);
            let prepared = entry.prepared(now).ok_or_else(gone)?;
            Ok::<_, ApiError>(update.apply(&prepared.spec))
        })?;
        let prepared = prepare(spec)?;
        let policy = prepared.policy(self.cpus);
        self.with(|state| {
            let entry = state.apps.get_mut(&app).ok_or_else(gone)?;
            Ok(Some((policy, entry.add_generation(prepared))))
        })
    }

    fn wanted_instances(&self, app: AppId, text: Option<&str>) -> Result<u32, ApiError> {
        let text = text.ok_or_else(|| {
            ApiError::new(
                ErrorCode::BadRequest,
                "scale needs `instances`: 4, +1, -1 or max",
            )
        })?;
        let to: ScaleTo = text
            .parse()
            .map_err(|e| ApiError::new(ErrorCode::BadRequest, format!("{e}")))?;
        let now = self.with(|state| state.engine.app(app).map_or(0, |view| view.instances));
        to.target(now, self.cpus).ok_or_else(|| {
            ApiError::new(
                ErrorCode::Refused,
                format!("{now} workers cannot be scaled by {text}: at least one must stay"),
            )
            .with_hint("`rota stop` stops them all")
        })
    }

    /// Sends a signal to the processes that the targets mean.
    ///
    /// # Errors
    /// A target that names nothing, or a signal that does not exist.
    pub(crate) fn signal(&self, request: &SignalRequest) -> Result<SignalResponse, ApiError> {
        let signal: rota_config::SignalName = request
            .signal
            .parse()
            .map_err(|e| ApiError::new(ErrorCode::BadRequest, format!("{e}")))?;
        let chosen = self.select(&request.targets)?;
        let meant = self.with(|state| {
            let means = |app, slot| {
                chosen.iter().any(|selection| {
                    selection.app == app
                        && selection.slots.as_ref().is_none_or(|s| s.contains(&slot))
                })
            };
            let workers = state.workers.iter();
            let mut meant: Vec<(u64, u32)> = workers
                .filter(|(_, worker)| means(worker.app, worker.slot))
                .filter_map(|(&id, worker)| Some((id, worker.pid?)))
                .collect();
            meant.sort_unstable();
            meant
        });
        for (worker, _) in &meant {
            self.keeper.signal_process(*worker, signal.number());
        }
        Ok(SignalResponse {
            signal: signal.as_str().to_owned(),
            pids: meant.into_iter().map(|(_, pid)| pid).collect(),
        })
    }

    /// Ends the daemon with everything in it.
    pub(crate) fn shut_down(self: &Rc<Self>, now: bool, listener: Option<LineSender>) {
        self.say(if now { "stopping at once" } else { "stopping" });
        let id = self.with(|state| {
            state.stopping = true;
            let operation = state.operations.begin(listener, Vec::new());
            let apps: Vec<AppId> = state.apps.keys().copied().collect();
            let id = state.operations.add(operation, AppId(0), "");
            state.operations.watch(operation, apps);
            id
        });
        self.feed(Event::Command {
            id,
            command: Command::Shutdown { now },
        });
    }

    /// `POST /v1/shutdown`.
    pub(crate) fn shutdown_request(
        self: &Rc<Self>,
        request: &ShutdownRequest,
        listener: Option<LineSender>,
    ) {
        self.shut_down(request.now, listener);
    }

    /// The apps and slots that targets mean.
    ///
    /// # Errors
    /// The first target that names nothing.
    pub(crate) fn select(&self, targets: &[String]) -> Result<Vec<Selection>, ApiError> {
        if targets.is_empty() {
            let error = ApiError::new(ErrorCode::BadRequest, "no target is given");
            return Err(error.with_hint("a target is a name, an id, `name:slot` or `all`"));
        }
        self.with(|state| directory(state).select(targets))
            .map_err(|unknown| {
                ApiError::new(ErrorCode::NoSuchTarget, unknown.to_string())
                    .with_hint("`rota list` shows what there is")
            })
    }

    /// The names of the apps that are meant.
    pub(crate) fn names(&self, chosen: &[Selection]) -> Vec<String> {
        self.with(|state| {
            let name = |s: &Selection| {
                state
                    .apps
                    .get(&s.app)
                    .map_or("", |app| app.name())
                    .to_owned()
            };
            chosen.iter().map(name).collect()
        })
    }

    fn is_wanted(&self, app: AppId) -> bool {
        self.with(|state| {
            let view = state.engine.app(app);
            view.is_some_and(|view| view.slots.iter().any(|slot| slot.wanted))
        })
    }
}

/// Everything that targets can name.
fn directory(state: &State) -> Directory {
    let mut directory = Directory::default();
    for view in state.engine.apps() {
        let Some(app) = state.apps.get(&view.app) else {
            continue;
        };
        directory.apps.insert(app.name().to_owned(), view.app);
        for slot in &view.slots {
            directory.ids.insert(slot.id, (view.app, slot.slot));
        }
        let slots = view.slots.iter().map(|slot| slot.slot).collect();
        directory.slots.insert(view.app, slots);
    }
    directory
}

/// The app of that name.
fn find(state: &State, name: &str) -> Option<AppId> {
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
        return (app.id, app.add_generation(prepared));
    }
    state.last_app += 1;
    let id = AppId(state.last_app);
    state.apps.insert(id, App::new(id, unix_millis(), prepared));
    (id, 1)
}

/// Checks a specification and finds out what it means on this machine.
fn prepare(spec: AppSpec) -> Result<Rc<Prepared>, ApiError> {
    if let Some(problem) = spec.problems().first() {
        let text = format!("{}: {problem}", spec.name);
        return Err(ApiError::new(ErrorCode::InvalidSpec, text));
    }
    let launch = rota_config::resolve(&spec).map_err(|error| resolve_error(&error))?;
    Ok(Rc::new(Prepared { spec, launch }))
}

fn resolve_error(error: &rota_config::ResolveError) -> ApiError {
    use rota_config::ResolveErrorKind as Kind;
    let code = match &error.kind {
        Kind::NotFound { .. } => ErrorCode::ScriptNotFound,
        _ => ErrorCode::NotRunnable,
    };
    let api_error = ApiError::new(code, error.to_string());
    match &error.hint {
        Some(hint) => api_error.with_hint(hint),
        None => api_error,
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

fn gone() -> ApiError {
    ApiError::new(ErrorCode::NoSuchTarget, "the app has just been deleted")
}
