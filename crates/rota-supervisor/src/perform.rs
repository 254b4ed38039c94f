//! The engine's effects, performed.

use std::rc::Rc;
use std::time::Duration;

use rota_api::{CommandResult, ErrorCode, ProgressKind};
use rota_engine::{
    AppId, CommandId, Effect, Event, FailReason, Generation, Notice, Outcome, Verb, WorkerId,
};

use crate::apps::Failure;
use crate::dispatch::DispatchCommand;
use crate::operations::Answered;
use crate::supervisor::{Supervisor, unix_millis};
use crate::words;

const SIGKILL: i32 = 9;

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
                return started.err().map(|error| Event::SpawnFailed {
                    worker,
                    reason: error.to_string(),
                });
            }
            Effect::Drain { worker } => return self.drain(worker),
            Effect::StopSignal { worker } => self.stop_signal(worker),
            Effect::Kill { worker } => self.keeper.signal_group(worker.0, SIGKILL),
            Effect::Reply { command, outcome } => self.reply(command, outcome),
            Effect::Notice { app, notice } => self.notice(app, &notice),
            Effect::GenerationRetired { app, generation } => self.retire(app, generation),
            Effect::AppRemoved { app } => self.app_removed(app),
            Effect::ShutdownComplete => self.end(0),
        }
        None
    }

    /// Asks a worker to leave. One without a channel has nothing to drain by.
    fn drain(&self, worker: WorkerId) -> Option<Event> {
        let has_channel = self.with(|state| {
            let worker = state.workers.get_mut(&worker.0)?;
            worker.disconnecting = true;
            Some(worker.has_channel)
        })?;
        if !has_channel {
            return Some(Event::Drained { worker });
        }
        self.dispatcher
            .send(DispatchCommand::Disconnect { worker: worker.0 });
        None
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

    fn retire(&self, app: AppId, generation: Generation) {
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.retire(generation);
            }
        });
    }

    fn app_removed(&self, app: AppId) {
        self.dispatcher
            .send(DispatchCommand::RemoveApp { app: app.0 });
        self.keeper.drop_entry(&app_key(app));
        let removed = self.with(|state| {
            state.positions.remove(&app);
            state.apps.remove(&app)
        });
        if let Some(app) = removed {
            self.logs.remove_app(app.name());
        }
    }

    /// `rota run` ends when every app has ended by itself or was given up.
    fn end_if_nothing_is_left(self: &Rc<Self>) {
        if !self.foreground {
            return;
        }
        // Later: the effects of this event are still being performed.
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let (over, failed) = this.with(|state| {
                use rota_engine::AppStatus::{Errored, Stopped};
                let ended = |app: rota_engine::AppView<'_>| {
                    matches!(app.status, Errored | Stopped)
                        && app.slots.iter().all(|slot| slot.workers.is_empty())
                };
                (state.engine.apps().all(ended), state.something_failed)
            });
            if over {
                this.say("no app is left to run");
                this.end(u8::from(failed));
            }
        });
    }

    fn notice(self: &Rc<Self>, app: AppId, notice: &Notice) {
        if matches!(notice, Notice::Exited { stopped: None, .. }) {
            // A failure or a finish is told right behind it, with the same facts.
            return;
        }
        let (name, progress) = self.with(|state| {
            let name = state.apps.get(&app).map_or("", |app| app.name()).to_owned();
            let workers = &state.workers;
            let pid = |worker: WorkerId| workers.get(&worker.0).and_then(|worker| worker.pid);
            let position = state.positions.entry(app).or_default();
            let progress = position.describe(&name, notice, pid);
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
            Notice::RolloutDone { .. } | Notice::RollbackDone { .. } => {
                self.checkpoint(app);
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

    /// Keeps a failure for `describe`, with the last words of the worker as soon as they are in.
    fn record_failure(self: &Rc<Self>, app: AppId, reason: &FailReason) {
        let Some(worker) = words::failed_worker(reason) else {
            return;
        };
        let (status, after) = match reason {
            FailReason::Crashed { status, after, .. } => (words::exit(*status), *after),
            FailReason::NotReady { after, .. } => ("not ready".to_owned(), *after),
            FailReason::SpawnFailed { .. } => ("not started".to_owned(), Duration::ZERO),
            FailReason::Hung { .. } => ("hung".to_owned(), Duration::ZERO),
            FailReason::Left { .. } => ("left".to_owned(), Duration::ZERO),
            FailReason::Superseded { .. } => return,
        };
        let failure = Failure {
            at: unix_millis(),
            slot: words::failed_slot(reason).unwrap_or_default(),
            worker: worker.0,
            status,
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            reason: words::failure(reason),
            stderr: self.logs.tail(worker.0),
        };
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.add_failure(failure);
            }
        });
    }

    /// Answers a command. The last words of a worker may still be in its pipe: the answer waits for
    /// them.
    fn reply(self: &Rc<Self>, command: CommandId, outcome: Outcome) {
        let answered = self.with(|state| state.operations.answered(command));
        let Some(answered) = answered else {
            return;
        };
        self.checkpoint(answered.app);
        let failed_worker = match &outcome {
            Outcome::Failed(failure) => words::failed_worker(&failure.reason),
            Outcome::Done(_) | Outcome::Refused(_) => None,
        };
        let Some(worker) = failed_worker else {
            let result = result_of(&answered.name, &outcome, Vec::new());
            self.settle(&answered, result);
            return;
        };
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let detail = this.last_words(worker).await;
            let result = result_of(&answered.name, &outcome, detail);
            this.settle(&answered, result);
        });
    }

    fn settle(&self, answered: &Answered, result: CommandResult) {
        let text = match (result.ok, result.message.as_str()) {
            (true, message) => format!("{}: {message}", result.app),
            (false, message) => format!("{}: failed: {message}", result.app),
        };
        if !result.app.is_empty() {
            self.say(&text);
        }
        self.with(|state| state.operations.settle(answered.operation, result));
    }
}

/// The keeper's key for an app's entry.
pub(crate) fn app_key(app: AppId) -> String {
    format!("app/{}", app.0)
}

/// An outcome in words.
fn result_of(app: &str, outcome: &Outcome, detail: Vec<String>) -> CommandResult {
    match outcome {
        Outcome::Done(summary) => {
            let mut done = Vec::new();
            if summary.started > 0 {
                done.push(format!("{} started", count(summary.started)));
            }
            if summary.stopped > 0 {
                done.push(format!("{} stopped", count(summary.stopped)));
            }
            if done.is_empty() {
                done.push("nothing to do".to_owned());
            }
            CommandResult::done(app, done.join(", "))
        }
        Outcome::Refused(refusal) => {
            let (message, hint) = words::refusal(*refusal);
            CommandResult {
                hint: hint.map(str::to_owned),
                ..CommandResult::failed(app, refusal_code(*refusal), message)
            }
        }
        Outcome::Failed(failure) => {
            let mut message = words::failure(&failure.reason);
            let hint = if failure.rolled_back {
                message.push_str("; rolled back, the old workers serve on");
                None
            } else if matches!(failure.reason, FailReason::Superseded { .. }) {
                None
            } else {
                Some("rota keeps trying by its restart policy; `rota describe` shows the failures, `rota logs` the output".to_owned())
            };
            CommandResult {
                hint,
                detail,
                ..CommandResult::failed(app, failure_code(&failure.reason), message)
            }
        }
    }
}

fn count(workers: u32) -> String {
    match workers {
        1 => "1 worker".to_owned(),
        more => format!("{more} workers"),
    }
}

fn refusal_code(refusal: rota_engine::Refusal) -> ErrorCode {
    use rota_engine::Refusal;
    match refusal {
        Refusal::UnknownApp | Refusal::UnknownSlot { .. } => ErrorCode::NoSuchTarget,
        Refusal::AlreadyRunning => ErrorCode::AlreadyRunning,
        Refusal::NotRunning | Refusal::NoInstances | Refusal::Deleting => ErrorCode::Refused,
        Refusal::ShuttingDown => ErrorCode::ShuttingDown,
    }
}

fn failure_code(reason: &FailReason) -> ErrorCode {
    match reason {
        FailReason::Crashed { .. } | FailReason::Hung { .. } | FailReason::Left { .. } => {
            ErrorCode::Crashed
        }
        FailReason::NotReady { .. } => ErrorCode::NotReady,
        FailReason::SpawnFailed { .. } => ErrorCode::SpawnFailed,
        FailReason::Superseded { by: Verb::Shutdown } => ErrorCode::ShuttingDown,
        FailReason::Superseded { .. } => ErrorCode::Superseded,
    }
}
