//! The state machine of all apps: passes events on to them and gathers what comes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::app::{App, Farewell, Life};
use crate::backoff::Rng;
use crate::context::{Context, Shared};
use crate::saved::is_default;
use crate::spec::Spec;
use crate::{
    AppId, AppView, Command, CommandId, Effect, Event, Outcome, Refusal, Summary, Time, WorkerId,
    WorkerView,
};

/// The state machine of all apps.
///
/// Plain data: a clone of it, or what it saves, goes on where it was.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) now: Time,
    pub(crate) shared: Shared,
    pub(crate) apps: BTreeMap<AppId, App>,
    pub(crate) shutdown: Option<Shutdown>,
    /// Apps whose state may have changed since somebody asked. No part of the state.
    pub(crate) changed: BTreeSet<AppId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shutdown {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) commands: Vec<CommandId>,
    /// How many workers there were when it began.
    pub(crate) stopped: u32,
    pub(crate) complete: bool,
}

impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            now,
            shared,
            apps,
            shutdown,
            changed: _,
        } = self;
        *now == other.now
            && *shared == other.shared
            && *apps == other.apps
            && *shutdown == other.shutdown
    }
}

impl Engine {
    /// An engine with no apps. The seed feeds the jitter of restart delays.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Time::default(),
            shared: Shared {
                rng: Rng::new(seed),
                last_worker: 0,
                slot_ids: BTreeSet::new(),
            },
            apps: BTreeMap::new(),
            shutdown: None,
            changed: BTreeSet::new(),
        }
    }

    /// Takes note of what happened at `now` and says what to do about it.
    ///
    /// Deadlines that have passed by `now` take effect after the event, so an event that was late
    /// in coming still counts.
    #[must_use]
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        let touched = match event {
            Event::Tick => None,
            Event::Command { id, command } => self.on_command(id, command, &mut out),
            event => self.on_worker_event(event, &mut out),
        };
        let due: Vec<_> = self
            .apps
            .iter()
            .filter(|(id, app)| {
                let deadline = app.next_deadline();
                touched == Some(**id) || deadline.is_some_and(|due| due <= self.now)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.settle(id, &mut out);
        }
        self.keep_order(&mut out);
        self.end_shutdown(&mut out);
        out
    }

    /// When [`Event::Tick`] is needed at the latest; `None`: never, unless something else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let deadlines = self.apps.values().filter_map(App::next_deadline);
        deadlines.min()
    }

    /// All apps in the order of their ids.
    pub fn apps(&self) -> impl Iterator<Item = AppView<'_>> {
        self.apps.values().map(App::view)
    }

    /// One app.
    #[must_use]
    pub fn app(&self, app: AppId) -> Option<AppView<'_>> {
        self.apps.get(&app).map(App::view)
    }

    /// One live worker.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerView> {
        self.apps.values().find_map(|app| app.worker_view(worker))
    }

    /// Runs `work` on an app, if it is there.
    pub(crate) fn with_app(
        &mut self,
        id: AppId,
        out: &mut Vec<Effect>,
        work: impl FnOnce(&mut App, &mut Context),
    ) {
        if let Some(app) = self.apps.get_mut(&id) {
            self.changed.insert(id);
            let mut cx = Context {
                now: self.now,
                app: id,
                shared: &mut self.shared,
                out,
            };
            work(app, &mut cx);
        }
    }

    fn on_command(
        &mut self,
        id: CommandId,
        command: Command,
        out: &mut Vec<Effect>,
    ) -> Option<AppId> {
        if let Command::Shutdown { now } = command {
            self.shut_down(id, now, out);
            return None;
        }
        let app = command.app()?;
        let refusal = match (&self.shutdown, &command, self.apps.contains_key(&app)) {
            (Some(_), _, _) => Some(Refusal::ShuttingDown),
            (None, _, true) => None,
            (None, Command::Start { policy, .. } | Command::Define { policy, .. }, false)
                if policy.instances == 0 =>
            {
                Some(Refusal::NoInstances)
            }
            (None, Command::Start { .. } | Command::Define { .. }, false) => None,
            (None, _, false) => Some(Refusal::UnknownApp),
        };
        if let Some(refusal) = refusal {
            out.push(Effect::Reply {
                command: id,
                outcome: Outcome::Refused(refusal),
            });
            self.retire_refused(app, &command, out);
            return Some(app);
        }
        if self.must_wait(app, &command) {
            let delete = matches!(command, Command::Delete { .. });
            let farewell = Farewell {
                command: id,
                delete,
            };
            self.with_app(app, out, |app, _| app.farewells.push(farewell));
            return Some(app);
        }
        if let Command::Start {
            policy, generation, ..
        }
        | Command::Define {
            policy, generation, ..
        } = &command
        {
            self.apps
                .entry(app)
                .or_insert_with(|| App::new(app, Spec::new(policy.clone(), *generation)));
        }
        self.with_app(app, out, |app, cx| app.on_command(cx, id, command));
        Some(app)
    }

    /// A refused command's generation is of no use to anybody, unless the app has it already.
    fn retire_refused(&mut self, app: AppId, command: &Command, out: &mut Vec<Effect>) {
        let Some(generation) = command.generation() else {
            return;
        };
        match self.apps.get_mut(&app) {
            Some(app) => app.known.extend([generation]),
            None => out.push(Effect::GenerationRetired { app, generation }),
        }
    }

    fn on_worker_event(&mut self, event: Event, out: &mut Vec<Effect>) -> Option<AppId> {
        let worker = event.worker()?;
        let mut apps = self.apps.iter();
        let (id, _) = apps.find(|(_, app)| app.workers.contains_key(&worker))?;
        let id = *id;
        self.with_app(id, out, |app, cx| match event {
            Event::Spawned { pid, .. } => app.on_spawned(cx, worker, pid),
            Event::SpawnFailed { reason, .. } => app.on_spawn_failed(cx, worker, reason),
            Event::SpawnDeferred { reason, .. } => app.on_spawn_deferred(cx, worker, reason),
            Event::Ready { .. } => app.on_ready(cx, worker, false),
            Event::Drained { .. } => app.on_drained(cx, worker),
            Event::Leaving { .. } => app.on_leaving(cx, worker),
            Event::Exited { status, .. } => app.on_exited(cx, worker, status),
            Event::Hung { reason, .. } => app.on_hung(cx, worker, reason),
            Event::Recycle { reason, .. } => app.on_recycle(worker, reason),
            Event::Command { .. } | Event::Tick => {}
        });
        Some(id)
    }

    /// Has an app do what can be done now, and removes it if it is over.
    pub(crate) fn settle(&mut self, id: AppId, out: &mut Vec<Effect>) {
        self.with_app(id, out, |app, cx| {
            app.on_time(cx);
            app.settle(cx);
        });
        let over = |app: &App| app.life == Life::Deleting && app.workers.is_empty();
        if self.apps.get(&id).is_some_and(over)
            && let Some(app) = self.apps.remove(&id)
        {
            for slot in app.slots.values() {
                self.shared.slot_ids.remove(&slot.id);
            }
            for generation in app.known {
                out.push(Effect::GenerationRetired {
                    app: id,
                    generation,
                });
            }
            out.push(Effect::AppRemoved { app: id });
        }
    }

    fn shut_down(&mut self, id: CommandId, now: bool, out: &mut Vec<Effect>) {
        let live = self.apps.values().map(|app| app.workers.len()).sum();
        let shutdown = self.shutdown.get_or_insert(Shutdown {
            commands: Vec::new(),
            stopped: crate::app::count(live),
            complete: false,
        });
        shutdown.commands.push(id);
        let apps: Vec<_> = self.apps.keys().copied().collect();
        for app in apps {
            if now || self.may_shut_down(app) {
                self.with_app(app, out, |app, cx| app.shut_down(cx, now));
                self.settle(app, out);
            }
        }
    }

    pub(crate) fn end_shutdown(&mut self, out: &mut Vec<Effect>) {
        let quiet = |app: &App| app.workers.is_empty() && app.life != Life::Alive;
        let quiet = self.apps.values().all(quiet);
        let Some(shutdown) = self.shutdown.as_mut().filter(|_| quiet) else {
            return;
        };
        let summary = Summary {
            stopped: shutdown.stopped,
            ..Summary::default()
        };
        for command in shutdown.commands.drain(..) {
            out.push(Effect::Reply {
                command,
                outcome: Outcome::Done(summary),
            });
        }
        if !shutdown.complete {
            shutdown.complete = true;
            out.push(Effect::ShutdownComplete);
        }
    }
}
