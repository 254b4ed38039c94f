//! Which apps and slots a request means.

use rota_api::{ApiError, ErrorCode};
use rota_engine::AppId;

use crate::supervisor::{State, Supervisor};
use crate::targets::{Directory, Selection};

impl Supervisor {
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
        for slot in &view.slots {
            directory.ids.insert(slot.id, (view.app, slot.slot));
        }
        let slots = view.slots.iter().map(|slot| slot.slot).collect();
        directory.slots.insert(view.app, slots);
    }
    directory
}
