//! Which apps and slots a request means.

use rota_api::{ApiError, ErrorCode, Progress, ProgressKind, StreamEvent};
use rota_engine::AppId;

use crate::operations::Caller;
use crate::supervisor::{State, Supervisor};
use crate::targets::{Ambiguity, Directory, Selection, TargetError};

impl Supervisor {
    /// The apps and slots that targets mean.
    ///
    /// # Errors
    /// The first target that names nothing.
    pub(crate) fn select(&self, targets: &[String]) -> Result<Vec<Selection>, ApiError> {
        if targets.is_empty() {
            let error = ApiError::new(ErrorCode::BadRequest, "no target is given");
            return Err(error.with_hint(
                "a target is a name, an id, `name:slot`, a namespace, `/expression/` or `all`",
            ));
        }
        self.with(|state| directory(state).select(targets))
            .map_err(|error| {
                let code = match error {
                    TargetError::Expression { .. } => ErrorCode::BadRequest,
                    _ => ErrorCode::NoSuchTarget,
                };
                ApiError::new(code, error.to_string()).with_hint(error.hint())
            })
    }

    /// Tells a caller who waits which of two things was taken, where a target is the name of both.
    pub(crate) fn tell_ambiguities(&self, targets: &[String], caller: &Caller) {
        let Some(listener) = &caller.listener else {
            return;
        };
        for doubt in self.with(|state| directory(state).ambiguities(targets)) {
            let Ambiguity { name, others, .. } = &doubt;
            let apps = if *others == 1 { "app" } else { "apps" };
            let text = format!(
                "taken as the app; the namespace {name} has {others} more {apps}: `namespace:{name}`"
            );
            // Fails when the caller has gone.
            let progress = Progress::of_app(ProgressKind::Remark, doubt.name, text);
            let _ = listener.send(&StreamEvent::Progress(progress));
        }
    }

    /// The one app, with its slots, that a target means.
    ///
    /// # Errors
    /// A target that names nothing, or several apps.
    pub(crate) fn select_one(&self, target: &str) -> Result<Selection, ApiError> {
        let mut chosen = self.select(&[target.to_owned()])?;
        match (chosen.pop(), chosen.is_empty()) {
            (Some(chosen), true) => Ok(chosen),
            _ => {
                let error = ApiError::new(ErrorCode::BadRequest, "several apps are meant, not one");
                Err(error.with_hint("name one app, or one slot of it: NAME:SLOT"))
            }
        }
    }

    /// The names of the apps that are meant.
    pub(crate) fn names(&self, chosen: &[Selection]) -> Vec<String> {
        self.with(|state| {
            let name = |s: &Selection| state.app_name(s.app);
            chosen.iter().map(name).collect()
        })
    }

    /// True if any slot of the app is meant to run.
    pub(crate) fn is_wanted(&self, app: AppId) -> bool {
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
        if let Some(prepared) = app.prepared(view.generation) {
            let namespace = prepared.spec.namespace.clone();
            let members = directory.namespaces.entry(namespace).or_default();
            members.push(view.app);
        }
        for slot in &view.slots {
            directory.ids.insert(slot.id, (view.app, slot.slot));
        }
        let slots = view.slots.iter().map(|slot| slot.slot).collect();
        directory.slots.insert(view.app, slots);
    }
    directory
}
