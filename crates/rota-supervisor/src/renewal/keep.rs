//! What is kept for which app, and that it goes with what the app is meant to be.

use std::collections::HashMap;
use std::rc::Rc;

use rota_api::{CronView, RenewalView, RenewedView, WatchView};
use rota_config::{AppSpec, RenewAction};
use rota_engine::{AppId, AppStatus, Command, Slot, SlotView};
use serde::{Deserialize, Serialize};

use super::files::Watching;
use super::times::Schedule;
use crate::apps::App;
use crate::supervisor::{State, Supervisor, unix_millis};

/// That an app was started anew, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renewed {
    /// Unix time in milliseconds.
    pub at: u64,
    /// Why, in words.
    pub why: String,
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Something may have to be begun or ended.
    pub(crate) due: bool,
    pub(super) watching: HashMap<AppId, Watching>,
    pub(super) schedules: HashMap<AppId, Schedule>,
    /// What is to be done when an app has done what it is at.
    waiting: HashMap<AppId, (RenewAction, String)>,
    /// The number of the last that was begun.
    pub(super) number: u64,
}

impl Renewals {
    /// What is told of an app.
    pub(crate) fn view(&self, app: &App, spec: &AppSpec) -> Option<RenewalView> {
        let watch = spec.watch.as_ref().map(|watch| {
            let kept = self.watching.get(&app.id);
            WatchView {
                paths: Watching::roots(spec)
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect(),
                ignore: watch.ignore.clone(),
                delay_ms: watch.delay.millis(),
                action: watch.action.as_str().to_owned(),
                folders: kept.and_then(|kept| kept.folders),
                trouble: kept.and_then(|kept| kept.trouble.clone()),
            }
        });
        let cron = spec.cron.as_ref().map(|cron| {
            let kept = self.schedules.get(&app.id);
            let next = kept.and_then(|kept| kept.next.as_ref());
            CronView {
                schedule: cron.schedule.clone(),
                zone: cron.zone.clone(),
                action: cron.action.as_str().to_owned(),
                next_at: next.map(|due| due.at),
                next: next.map(|due| due.text.clone()),
                trouble: kept.and_then(|kept| kept.trouble.clone()),
            }
        });
        let last = app.renewed.as_ref().map(|renewed| RenewedView {
            at: renewed.at,
            why: renewed.why.clone(),
        });
        let view = RenewalView { watch, cron, last };
        (view != RenewalView::default()).then_some(view)
    }
}

/// A job that is done waits for its next time; what an operator has stopped does not.
fn is_meant(slot: &SlotView<'_>) -> bool {
    slot.wanted || slot.finished
}

/// A start, restart or reload is under way.
fn is_busy(state: &State, app: AppId) -> bool {
    let status = state.engine.app(app).map(|view| view.status);
    matches!(status, Some(AppStatus::Launching | AppStatus::Reloading))
}

/// True if something will start an app again of which nothing runs.
pub(crate) fn is_awaited(state: &State) -> bool {
    let awaited = |&app: &AppId| {
        let Some(spec) = wanted(state, app) else {
            return false;
        };
        let status = state.engine.app(app).map(|view| view.status);
        spec.watch.is_some() || status == Some(AppStatus::Stopped)
    };
    state.apps.keys().any(awaited)
}

/// An app's settings as far as they matter here; `None`: nothing is to be kept.
fn wanted(state: &State, app: AppId) -> Option<AppSpec> {
    let entry = state.apps.get(&app)?;
    let asks = |spec: &AppSpec| spec.watch.is_some() || spec.cron.is_some();
    let mut generations = entry.generations.values();
    if state.stopping || !generations.any(|prepared| asks(&prepared.spec)) {
        return None;
    }
    let view = state.engine.app(app)?;
    let runs = view.slots.iter().any(is_meant);
    let prepared = entry.prepared(view.generation)?;
    (runs && asks(&prepared.spec)).then(|| prepared.spec.clone())
}

impl Supervisor {
    /// What apps are meant to be may have changed: at the end of the event it is looked after.
    pub(crate) fn look_after_renewals(&self) {
        self.with(|state| state.renewals.due = true);
    }

    /// Begins and ends what has to be. Part of every event, and nothing as long as none has changed what is to run.
    pub(crate) fn tend_renewals(self: &Rc<Self>) {
        let apps = self.with(|state| {
            if !std::mem::take(&mut state.renewals.due) {
                return Vec::new();
            }
            let renewals = &state.renewals;
            let kept = renewals.watching.keys().chain(renewals.schedules.keys());
            let mut apps: Vec<AppId> = state.apps.keys().chain(kept).copied().collect();
            apps.sort_unstable();
            apps.dedup();
            let spec = |app| (app, wanted(state, app));
            apps.into_iter().map(spec).collect()
        });
        for (app, spec) in apps {
            self.tend_watching(app, spec.as_ref());
            self.tend_schedule(app, spec.as_ref());
            let next = self.with(|state| match (&spec, is_busy(state, app)) {
                (Some(_), true) => None,
                (Some(_), false) => state.renewals.waiting.remove(&app),
                (None, _) => state.renewals.waiting.remove(&app).and(None),
            });
            if let Some((action, why)) = next {
                self.renew(app, action, &why);
            }
        }
    }

    /// Starts an app anew, without anybody who waits for it: what comes of it is told in the log.
    /// A restart would take the place of what somebody has asked for: it waits.
    pub(super) fn renew(self: &Rc<Self>, app: AppId, action: RenewAction, why: &str) {
        let waits = self.with(|state| {
            let waits = action == RenewAction::Restart && is_busy(state, app);
            if waits {
                let next = (action, why.to_owned());
                state.renewals.waiting.insert(app, next);
            }
            waits
        });
        if waits {
            return;
        }
        let chosen = self.with(|state| {
            let view = state.engine.app(app)?;
            let slots = view.slots.iter().filter(|slot| is_meant(slot));
            let slots: Vec<Slot> = slots.map(|slot| slot.slot).collect();
            let entry = state.apps.get_mut(&app)?;
            if slots.is_empty() {
                return None;
            }
            entry.renewed = Some(Renewed {
                at: unix_millis(),
                why: why.to_owned(),
            });
            Some((entry.name().to_owned(), slots))
        });
        let Some((name, slots)) = chosen else { return };
        let (slots, update) = (Some(slots), None);
        let (doing, command) = match action {
            RenewAction::Reload => ("reloading", Command::Reload { app, slots, update }),
            RenewAction::Restart => ("restarting", Command::Restart { app, slots, update }),
        };
        self.say(&format!("{name}: {why}: {doing}"));
        self.transact(|| {
            self.save_app(app);
            self.command_unheard(app, command);
        });
    }
}
