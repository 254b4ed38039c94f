//! The engine's effects, performed.

use std::rc::Rc;

use rota_api::ProgressKind;
use rota_engine::{AppId, AppStatus, Effect, Event, Generation, Notice, WorkerId};
use rota_node::agent::DrainOrder;
use rota_sys::signal::Signal;

use crate::dispatch::DispatchCommand;
use crate::foreground::drain_within;
use crate::saved::{app_key, engine_key};
use crate::shortage;
use crate::supervisor::Supervisor;

/// The grace of idle connections in milliseconds, where no worker of the app stays: who has been told to go
/// elsewhere would not be served there either.
const LAST_GRACE: u64 = 500;

impl Supervisor {
    /// Performs one effect. What goes wrong on the spot comes back as an event.
    pub(crate) fn perform(self: &Rc<Self>, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Spawn {
                worker,
                app,
                slot,
                generation,
            } => {
                let started = self.spawn(worker, app, slot, generation);
                return started
                    .err()
                    .map(|error| shortage::event(worker, error.to_string(), error.is_shortage()));
            }
            Effect::Drain { worker } => return self.drain(worker),
            Effect::StopMessage { worker } => self.stop_message(worker),
            Effect::StopSignal { worker } => self.stop_signal(worker),
            Effect::Kill { worker } => self.keeper.signal_group(worker.0, Signal::KILL.number()),
            Effect::Reply { command, outcome } => {
                self.look_after_renewals();
                self.reply(command, outcome);
            }
            Effect::Notice { app, notice } => {
                self.look_after_renewals();
                self.notice(app, &notice);
            }
            Effect::GenerationRetired { app, generation } => self.retire(app, generation),
            Effect::AppRemoved { app } => {
                self.look_after_renewals();
                self.app_removed(app);
            }
            Effect::ShutdownComplete => self.shutdown_complete(),
        }
        None
    }

    /// Asks a worker to leave. One without a channel has nothing to drain by.
    fn drain(self: &Rc<Self>, worker: WorkerId) -> Option<Event> {
        self.save_worker(worker.0);
        let kill = self.longest_kill();
        let grace_ms = self.run.grace_ms;
        let (has_channel, order, starting) = self.with(|state| {
            let since = state.stopping_since;
            let view = state.engine.worker(worker);
            let starting = view.is_some_and(|view| view.ready.is_none());
            let worker = state.workers.get_mut(&worker.0)?;
            worker.disconnecting = true;
            let stop = &worker.prepared.spec.stop;
            let app = state.engine.app(worker.app);
            let none_stays = app.is_some_and(|app| app.status == AppStatus::Stopping);
            let grace = stop.idle_grace.millis();
            let order = DrainOrder {
                timeout: agents_time(drain_within(
                    stop.drain_timeout.millis(),
                    grace_ms,
                    since,
                    kill,
                )),
                grace: if none_stays {
                    grace.min(LAST_GRACE)
                } else {
                    grace
                },
                handover: stop.handover,
                last: none_stays,
            };
            Some((worker.has_channel, order, starting))
        })?;
        if !has_channel {
            return Some(Event::Drained { worker });
        }
        self.dispatcher.send(DispatchCommand::Drain {
            worker: worker.0,
            order,
            starting,
        });
        None
    }

    /// `process.on('message', …)` hears it. One whose channel is closed (without an agent, a drain ends
    /// so) gets its signal instead.
    fn stop_message(&self, worker: WorkerId) {
        let hears = self.with(|state| {
            let worker = state.workers.get(&worker.0)?;
            Some(worker.has_channel)
        });
        if hears != Some(true) {
            return self.stop_signal(worker);
        }
        self.dispatcher
            .send(DispatchCommand::StopDealing { worker: worker.0 });
        self.dispatcher.send(DispatchCommand::SendMessage {
            worker: worker.0,
            json: "\"shutdown\"".to_owned(),
        });
    }

    fn stop_signal(&self, worker: WorkerId) {
        let signal = self.with(|state| {
            let worker = state.workers.get(&worker.0)?;
            Some(worker.prepared.spec.stop.signal.number())
        });
        if let Some(signal) = signal {
            // A worker that was never told to leave must get no new connections from here on.
            self.dispatcher
                .send(DispatchCommand::StopDealing { worker: worker.0 });
            self.keeper.signal_group(worker.0, signal);
        }
    }

    fn retire(self: &Rc<Self>, app: AppId, generation: Generation) {
        self.save_app(app);
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.retire(generation);
            }
        });
        self.end_unneeded_sockets(app);
    }

    fn app_removed(&self, app: AppId) {
        self.dispatcher
            .send(DispatchCommand::RemoveApp { app: app.0 });
        self.keeper.drop_entry(&app_key(app));
        self.keeper.drop_entry(&engine_key(app));
        let removed = self.with(|state| {
            state.positions.remove(&app);
            let removed = state.apps.remove(&app)?;
            state.survivors.drop_app(removed.name());
            Some(removed)
        });
        self.record.touch();
        if let Some(app) = removed {
            crate::listen::remove_files(&app);
            self.logs.remove_app(app.name());
        }
    }

    fn shutdown_complete(self: &Rc<Self>) {
        self.with(|state| {
            let gone = state.apps.values().filter(|_| !state.leaves_sockets);
            for app in gone {
                crate::listen::remove_files(app);
            }
        });
        if !self.await_survivors(false) {
            self.end(self.with(|state| state.exit_code).unwrap_or(0));
        }
    }

    fn notice(self: &Rc<Self>, app: AppId, notice: &Notice) {
        if matches!(notice, Notice::Exited { stopped: None, .. }) {
            // A failure or a finish is told right behind it, with the same facts.
            return;
        }
        let explained = match notice {
            Notice::Failed { reason } => Some(self.explain(reason)),
            Notice::WaitsFor { apps } => {
                let names =
                    self.with(|state| apps.iter().map(|app| state.app_name(*app)).collect());
                let names: Vec<String> = names;
                Some(format!("waits for {}", names.join(", ")))
            }
            _ => None,
        };
        let (name, progress) = self.with(|state| {
            let name = state.app_name(app);
            let workers = &state.workers;
            let pid = |worker: WorkerId| workers.get(&worker.0).and_then(|worker| worker.pid);
            let position = state.positions.entry(app).or_default();
            let mut progress = position.describe(&name, notice, pid);
            if let Some(text) = explained {
                progress.text = text;
            }
            state.operations.tell(app, &progress);
            (name, progress)
        });
        let step = progress
            .step
            .map(|step| format!("step {} of {}: ", step.index, step.of))
            .unwrap_or_default();
        if !self.foreground || progress.kind != ProgressKind::Step {
            self.say(&format!("{name}: {step}{}", progress.text));
        }
        self.after_notice(app, notice);
    }

    /// What the supervisor itself has to do with a notice.
    fn after_notice(self: &Rc<Self>, app: AppId, notice: &Notice) {
        match notice {
            Notice::Failed { reason } => self.record_failure(app, reason),
            Notice::Ready { worker, .. } => self.start_pulse(worker.0),
            Notice::Draining { worker, .. }
            | Notice::Stopping { worker, .. }
            | Notice::Killing { worker, .. } => self.stop_pulse(worker.0),
            Notice::Defined { generation } => self.take_settings_over(app, *generation),
            Notice::RolloutStarted { .. } => {
                self.with(|state| state.operations.forget_drained(app));
            }
            Notice::RolloutDone { .. } | Notice::RollbackDone { .. } => {
                self.save_app(app);
                self.dispatcher
                    .send(DispatchCommand::RetireIdleListeners { app: app.0 });
            }
            Notice::Errored { .. } => {
                self.with(|state| state.something_failed = true);
                self.end_if_nothing_is_left();
            }
            Notice::Finished { status, .. } => {
                if *status != rota_engine::ExitStatus::Code(0) {
                    self.with(|state| state.something_failed = true);
                }
                self.end_if_nothing_is_left();
            }
            _ => {}
        }
    }
}

/// An agent has a little less than the whole time, so that its report is in before the stop signal, which may
/// end the worker.
fn agents_time(limit: u64) -> u64 {
    limit - (limit / 10).min(250)
}
