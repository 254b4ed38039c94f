//! `resurrect`: what ran when a daemon before ended runs again.

use std::collections::BTreeSet;
use std::rc::Rc;

use rota_api::{ApiError, CommandResult};
use rota_engine::{AppId, Command, Event, Generation, Policy, Slot};

use super::order::in_order;
use super::prepare::prepare;
use crate::listen;
use crate::operations::Caller;
use crate::supervisor::{Supervisor, unix_millis};

impl Supervisor {
    /// Starts the slots that ran when a daemon before this one ended: what others depend on comes first, then the names
    /// decide. An app that somebody has said something about since is none of them. What cannot be started stays due.
    pub(crate) fn resurrect(self: &Rc<Self>, caller: Caller) {
        self.adopt_pending(true);
        let due = in_order(self.due(), |(_, app, _)| self.spec_of(*app));
        let operation = self.with(|state| state.operations.begin("resurrect", caller));
        for (name, app, slots) in due {
            match self.bring_back(app, &slots) {
                Ok(mut command) => {
                    let absent = self.set_after(&mut command);
                    let id = self.with(|state| {
                        if let Some(app) = state.apps.get_mut(&app) {
                            app.due.clear();
                        }
                        state.operations.add(operation, app, &name)
                    });
                    self.tell_absent(app, &absent);
                    self.feed(Event::Command { id, command });
                    self.save_app(app);
                }
                Err(error) => {
                    self.say(&format!("{name}: cannot be brought back: {error}"));
                    let result = CommandResult {
                        hint: error.hint,
                        ..CommandResult::failed(name, error.code, error.message)
                    };
                    self.with(|state| state.operations.add_result(operation, result));
                }
            }
        }
        self.with(|state| state.operations.finish_if_settled(operation));
    }

    /// The names of the apps that `resurrect` is about.
    pub(crate) fn due_names(self: &Rc<Self>) -> Vec<String> {
        self.adopt_pending(true);
        self.due().into_iter().map(|(name, ..)| name).collect()
    }

    /// The apps of which anything is due, by name.
    fn due(&self) -> Vec<(String, AppId, BTreeSet<Slot>)> {
        let mut due: Vec<_> = self.with(|state| {
            let apps = state.apps.values().filter(|app| !app.due.is_empty());
            apps.map(|app| (app.name().to_owned(), app.id, app.due.clone()))
                .collect()
        });
        due.sort_unstable();
        due
    }

    fn bring_back(
        self: &Rc<Self>,
        app: AppId,
        slots: &BTreeSet<Slot>,
    ) -> Result<Command, ApiError> {
        self.open_sockets(app)?;
        let whole = self.with(|state| {
            let view = state.engine.app(app);
            view.is_none_or(|view| view.slots.iter().all(|slot| slots.contains(&slot.slot)))
        });
        let some = (!whole).then(|| slots.iter().copied().collect());
        let renewed = self.renewed(app)?;
        self.started_as(app, some, renewed)
    }

    /// What was found when the app was first started may have gone meanwhile, as with another version of Node: then it
    /// is looked for again, by the app's own `PATH`.
    fn renewed(&self, app: AppId) -> Result<Option<(Policy, Generation)>, ApiError> {
        let gone = self.with(|state| {
            let prepared = state.apps.get(&app)?.generations.values().next_back()?;
            let there = prepared.launch.program.exists();
            (!there).then(|| (prepared.spec.clone(), prepared.origins.clone()))
        });
        let Some((spec, origins)) = gone else {
            return Ok(None);
        };
        let prepared = prepare(spec, origins)?;
        let policy = prepared.policy(self.cpus);
        Ok(self.with(|state| {
            let entry = state.apps.get_mut(&app)?;
            Some((policy, entry.add_generation(prepared, unix_millis())))
        }))
    }

    /// An app that was taken over stopped has no sockets of `--listen` yet.
    ///
    /// # Errors
    /// The first that cannot be had.
    pub(crate) fn open_sockets(self: &Rc<Self>, app: AppId) -> Result<(), ApiError> {
        let Some(spec) = self.spec_of(app) else {
            return Ok(());
        };
        self.have_sockets(app, &spec)
            .map_err(|error| listen::refusal(&spec.name, &error))
    }
}
