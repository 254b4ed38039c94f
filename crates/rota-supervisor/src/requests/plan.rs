//! What would have to happen so that apps run as they are described. Nothing is changed here.

use std::path::Path;

use rota_api::{
    ApiError, PlanAction, PlanChange, PlanEntry, PlanEnv, PlanOther, PlanRequest, PlanResponse,
    PlanScale,
};
use rota_config::file::{Changes, Origins, Takes, changes};
use rota_config::{AppSpec, Instances};
use rota_engine::{AppView, SlotStatus, SlotView};

use super::prepare::prepare;
use super::start::find;
use crate::apps::{App, Prepared};
use crate::environment::hidden;
use crate::listen;
use crate::supervisor::{State, Supervisor};

impl Supervisor {
    /// Compares descriptions with what runs.
    ///
    /// # Errors
    /// A specification that cannot be run.
    pub(crate) fn plan(
        &self,
        mut request: PlanRequest<AppSpec, Origins>,
    ) -> Result<PlanResponse, ApiError> {
        let mut apps = Vec::new();
        let mut described = Vec::new();
        for spec in request.apps {
            self.holding.check(&spec)?;
            let origins = request.origins.remove(spec.name.as_str());
            let prepared = prepare(spec, origins)?;
            described.push(prepared.spec.name.clone());
            let starts = !request
                .rest
                .iter()
                .any(|name| name == prepared.spec.name.as_str());
            apps.push(self.with(|state| entry(state, &prepared, starts, self.cpus)));
        }
        let file = Path::new(&request.file);
        let mut others: Vec<PlanOther> = self.with(|state| {
            let apps = state.apps.values();
            let other = apps.filter(|app| described.iter().all(|name| name.as_str() != app.name()));
            let origins = |app: &App| app.prepared(app.newest)?.origins.clone();
            let view = other.map(|app| PlanOther {
                app: app.name().to_owned(),
                from_file: origins(app).is_some_and(|origins| origins.file == file),
            });
            view.collect()
        });
        others.sort_by(|a, b| a.app.cmp(&b.app));
        Ok(PlanResponse { apps, others })
    }
}

fn entry(state: &State, new: &Prepared, starts: bool, cpus: u32) -> PlanEntry {
    let name = new.spec.name.as_str();
    let known = find(state, name);
    let view = known.and_then(|app| state.engine.app(app));
    let old = view.as_ref().and_then(|view| {
        let entry = state.apps.get(&view.app)?;
        entry.prepared(view.generation)
    });
    let (Some(view), Some(old)) = (view, old) else {
        let action = match starts {
            true => PlanAction::Add,
            false => PlanAction::List,
        };
        return PlanEntry::new(name, action);
    };
    let rests = view.slots.iter().all(|slot| !slot.wanted);
    let scaled = !rests && view.instances != old.spec.instances.count(cpus);
    let mut before = old.spec.clone();
    if scaled {
        before.instances = Instances::Count(view.instances);
    }
    let mut found = changes(
        (&before, old.origins.as_ref()),
        (&new.spec, new.origins.as_ref()),
    );
    if scaled && old.spec.instances == new.spec.instances {
        // Its settings say so all the time, and `scale` has said otherwise.
        found.settings.retain(|change| change.key != "instances");
    }
    let moves = moves(old.origins.as_ref(), new.origins.as_ref());
    let wanted = new.spec.instances.count(cpus);
    let scale = (!rests && view.instances != wanted).then_some(PlanScale {
        from: view.instances,
        to: wanted,
    });
    let action = match listen::clash(&old.spec, &new.spec) {
        true => PlanAction::Recreate,
        false => action(&view, &found, moves, scale.is_some(), starts),
    };
    let at_rest = |slot: &SlotView<'_>| {
        !slot.wanted || (action == PlanAction::Start && slot.status == SlotStatus::Errored)
    };
    PlanEntry {
        start: !rests && view.slots.iter().any(at_rest),
        settings: found.settings.iter().map(shown).collect(),
        env: PlanEnv {
            added: found.added,
            changed: found.changed,
            removed: found.removed,
        },
        scale,
        moves,
        ..PlanEntry::new(name, action)
    }
}

/// The least that brings it about.
fn action(
    view: &AppView<'_>,
    found: &Changes,
    moves: bool,
    scale: bool,
    starts: bool,
) -> PlanAction {
    let takes = found.takes();
    let running = view.slots.iter().filter(|slot| slot.wanted);
    // Slots that were left at another version have not got the settings that the app has.
    let mixed = running
        .clone()
        .any(|slot| slot.generation != view.generation);
    let whole = view
        .slots
        .iter()
        .all(|slot| slot.wanted && slot.status != SlotStatus::Errored);
    match takes {
        _ if running.clone().next().is_none() && starts => PlanAction::Start,
        None if running.clone().next().is_none() && !moves => PlanAction::Nothing,
        _ if running.clone().next().is_none() => PlanAction::Define,
        Some(Takes::Workers) => PlanAction::Reload,
        Some(_) if mixed || !whole => PlanAction::Reload,
        _ if !whole => PlanAction::Start,
        Some(Takes::Nothing | Takes::Number) => PlanAction::Define,
        None if moves => PlanAction::Define,
        None if scale => PlanAction::Scale,
        None => PlanAction::Nothing,
    }
}

/// It did not come from this file and profile.
fn moves(old: Option<&Origins>, new: Option<&Origins>) -> bool {
    let place = |origins: &Origins| (origins.file.clone(), origins.profile.clone());
    new.is_some() && old.map(place) != new.map(place)
}

fn shown(change: &rota_config::file::Change) -> PlanChange {
    PlanChange {
        key: change.key.to_owned(),
        old: hidden(&change.old),
        new: hidden(&change.new),
    }
}
