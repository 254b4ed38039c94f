//! Commands for apps that exist, translated into the engine's.

use std::rc::Rc;

use rota_api::{ApiError, CommandRequest, ErrorCode, Verb};
use rota_config::file::{Takes, changes};
use rota_config::{AppSpec, ScaleTo, SpecUpdate};
use rota_engine::{AppId, Command, CommandId, Event, Generation, Policy, Slot};

use super::order::in_order;
use super::prepare::prepare;
use crate::listen;
use crate::operations::Caller;
use crate::supervisor::{Supervisor, unix_millis};
use crate::targets::Selection;

impl Supervisor {
    /// Does something with apps that exist.
    ///
    /// # Errors
    /// A target that names nothing, or a change that cannot be made.
    pub(crate) fn command(
        self: &Rc<Self>,
        request: &CommandRequest<SpecUpdate>,
        caller: Caller,
    ) -> Result<(), ApiError> {
        let chosen = self.select(&request.targets)?;
        let commands = self.translate_all(request, &chosen)?;
        self.tell_ambiguities(&request.targets, &caller);
        let mut commands = in_order(commands, |(app, _)| self.spec_of(*app));
        if matches!(request.verb, Verb::Stop | Verb::Delete) {
            commands.reverse();
        }
        let (operation, given) = self.with(|state| {
            let operation = state.operations.begin(request.verb.as_str(), caller);
            let given: Vec<(AppId, CommandId, Command)> = commands
                .into_iter()
                .map(|(app, command)| {
                    let name = state.app_name(app);
                    (app, state.operations.add(operation, app, &name), command)
                })
                .collect();
            (operation, given)
        });
        let changed = request.update.as_ref().is_some_and(|u| !u.is_empty());
        for (app, id, mut command) in given {
            self.transact(|| {
                if let Command::Reset { slots, .. } = &command {
                    self.forget_failures(app, slots.as_deref());
                }
                self.not_due(app);
                let absent = self.set_after(&mut command);
                self.tell_absent(app, &absent);
                self.feed(Event::Command { id, command });
                if changed {
                    // The command means a specification that only this process knows so far.
                    self.save_app(app);
                }
            });
        }
        self.with(|state| state.operations.finish_if_settled(operation));
        Ok(())
    }

    /// What somebody says about an app counts, not what was the case before the daemon's end.
    pub(super) fn not_due(self: &Rc<Self>, app: AppId) {
        let was = self.with(|state| {
            let entry = state.apps.get_mut(&app)?;
            Some(std::mem::take(&mut entry.due))
        });
        if was.is_some_and(|due| !due.is_empty()) {
            self.save_app(app);
        }
    }

    /// All of them, or none: what was prepared for the others is dropped when one cannot be.
    fn translate_all(
        self: &Rc<Self>,
        request: &CommandRequest<SpecUpdate>,
        chosen: &[Selection],
    ) -> Result<Vec<(AppId, Command)>, ApiError> {
        let newest = |app| self.with(|state| state.apps.get(&app).map(|app| app.newest));
        let mut commands = Vec::new();
        let mut before = Vec::new();
        for selection in chosen {
            let app = selection.app;
            before.extend(newest(app).map(|newest| (app, newest)));
            match self.translate(request, selection) {
                Ok(command) => commands.push((app, command)),
                Err(error) => {
                    for (app, newest) in before {
                        self.drop_generations_after(app, newest);
                    }
                    return Err(error);
                }
            }
        }
        Ok(commands)
    }

    /// Forgets specifications that the engine has not heard of.
    fn drop_generations_after(self: &Rc<Self>, app: AppId, newest: Generation) {
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.generations.retain(|number, _| *number <= newest);
            }
        });
        self.end_unneeded_sockets(app);
    }

    fn translate(
        self: &Rc<Self>,
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
            Verb::Define => {
                let slots_named = selection.slots.is_some();
                self.define(app, slots_named, request.update.as_ref())?
            }
            Verb::Delete => Command::Delete { app },
            Verb::Reset => Command::Reset { app, slots },
            Verb::Scale => Command::Scale {
                app,
                instances: self.wanted_instances(app, request.instances.as_deref())?,
            },
        })
    }

    /// Start of an app that is known: with its newest specification, or a changed one.
    fn start_again(
        self: &Rc<Self>,
        app: AppId,
        slots: Option<Vec<Slot>>,
        update: Option<&SpecUpdate>,
    ) -> Result<Command, ApiError> {
        let updated = self.updated(app, update)?;
        self.started_as(app, slots, updated)
    }

    /// The start of an app, or of some of its slots, with this specification or the one that it has.
    pub(super) fn started_as(
        &self,
        app: AppId,
        slots: Option<Vec<Slot>>,
        updated: Option<(Policy, Generation)>,
    ) -> Result<Command, ApiError> {
        if slots.is_some() {
            let update = updated;
            return Ok(Command::Restart { app, slots, update });
        }
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

    /// Other settings for an app as it is. Those that a process is started with can be another's only where none runs.
    fn define(
        self: &Rc<Self>,
        app: AppId,
        slots_named: bool,
        update: Option<&SpecUpdate>,
    ) -> Result<Command, ApiError> {
        if slots_named || update.is_none_or(SpecUpdate::is_empty) {
            let text = "define needs an app and `update`: it gives a whole app other settings";
            return Err(ApiError::new(ErrorCode::BadRequest, text));
        }
        let now = self.with(|state| {
            let view = state.engine.app(app)?;
            let rests = view.slots.iter().all(|slot| !slot.wanted);
            let prepared = state.apps.get(&app)?.prepared(view.generation)?;
            (!rests).then(|| Rc::clone(prepared))
        });
        if let (Some(old), Some(update)) = (now, update) {
            let new = update.apply(&old.spec);
            let origins = update.origins(old.origins.as_ref());
            let found = changes((&old.spec, old.origins.as_ref()), (&new, origins.as_ref()));
            if found.takes().is_some_and(|takes| takes >= Takes::Workers) {
                let text = format!("{} runs, and these settings need new workers", new.name);
                return Err(ApiError::new(ErrorCode::Refused, text)
                    .with_hint("`rota reload` replaces them without a gap"));
            }
        }
        let (policy, generation) = self.updated(app, update)?.ok_or_else(gone)?;
        Ok(Command::Define {
            app,
            policy,
            generation,
        })
    }

    /// A new generation for an app, with its sockets, if an update asks for one. Without one the app has those of the
    /// generation that it is at.
    fn updated(
        self: &Rc<Self>,
        app: AppId,
        update: Option<&SpecUpdate>,
    ) -> Result<Option<(Policy, Generation)>, ApiError> {
        let Some(update) = update.filter(|update| !update.is_empty()) else {
            self.open_sockets(app)?;
            return Ok(None);
        };
        let (spec, origins) = self.with(|state| {
            let entry = state.apps.get(&app).ok_or_else(gone)?;
            let now = state
                .engine
                .app(app)
                .map_or(entry.newest, |view| view.generation);
            let prepared = entry.prepared(now).ok_or_else(gone)?;
            if let Some(whole) = &update.whole {
                may_replace(&prepared.spec, &whole.spec)?;
            }
            let origins = update.origins(prepared.origins.as_ref());
            Ok::<_, ApiError>((update.apply(&prepared.spec), origins))
        })?;
        let prepared = prepare(spec, origins)?;
        let policy = prepared.policy(self.cpus);
        self.have_sockets(app, &prepared.spec)
            .map_err(|error| listen::refusal(&prepared.spec.name, &error))?;
        self.with(|state| {
            let entry = state.apps.get_mut(&app).ok_or_else(gone)?;
            Ok(Some((
                policy,
                entry.add_generation(prepared, unix_millis()),
            )))
        })
    }

    /// What the supervisor itself counts of these slots begins anew.
    fn forget_failures(self: &Rc<Self>, app: AppId, slots: Option<&[Slot]>) {
        let meant = |slot: &u32| slots.is_none_or(|slots| slots.contains(slot));
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.failures.retain(|failure| !meant(&failure.slot));
                app.memory_paces.retain(|slot, _| !meant(slot));
            }
        });
        self.save_app(app);
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
        let (name, now) = self.with(|state| {
            let now = state.engine.app(app).map_or(0, |view| view.instances);
            (state.app_name(app), now)
        });
        to.target(now, self.cpus).ok_or_else(|| {
            let has = if now == 1 { "worker" } else { "workers" };
            if matches!(to, ScaleTo::Up(_)) {
                let text = format!("{name} has {now} {has}, and {text} would be more than 1024");
                return ApiError::new(ErrorCode::Refused, text);
            }
            let text = format!("{name} has {now} {has}, and {text} would leave none");
            let error = ApiError::new(ErrorCode::Refused, text);
            error.with_hint(format!("`rota stop {name}` stops them and keeps the app"))
        })
    }
}

/// A whole specification must be that of the same app.
fn may_replace(old: &AppSpec, new: &AppSpec) -> Result<(), ApiError> {
    if old.name != new.name {
        let text = format!("the specification of {} is not for {}", new.name, old.name);
        return Err(ApiError::new(ErrorCode::BadRequest, text));
    }
    Ok(())
}

fn gone() -> ApiError {
    ApiError::new(ErrorCode::NoSuchTarget, "the app has just been deleted")
}
