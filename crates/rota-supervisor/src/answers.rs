//! The engine's answers to commands, in words, for those who wait for them.

use std::rc::Rc;

use rota_api::{CommandResult, ErrorCode};
use rota_engine::{CommandId, FailReason, Outcome, Refusal, Verb};

use crate::operations::Answered;
use crate::supervisor::Supervisor;
use crate::words;

impl Supervisor {
    /// Answers a command, when everything that it implied has happened: the last words of a worker may
    /// still be in its pipe, and a listener still be open.
    pub(crate) fn reply(self: &Rc<Self>, command: CommandId, outcome: Outcome) {
        let answered = self.with(|state| {
            let answered = state.operations.answered(command)?;
            // Should this supervisor die before the last words are in: as much as is known now.
            let foreseen = result_of(&answered.name, &outcome, None);
            state.operations.foresee(&answered, foreseen);
            Some(answered)
        });
        let Some(answered) = answered else {
            return;
        };
        self.save_app(answered.app);
        let failed_worker = match &outcome {
            Outcome::Failed(failure) => words::failed_worker(&failure.reason),
            Outcome::Done(_) | Outcome::Refused(_) => None,
        };
        let dependency = self.missed(&outcome).map(|text| (text, Vec::new()));
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let recorded = match failed_worker {
                None => dependency,
                Some(worker) => {
                    this.output_complete(worker).await;
                    this.recorded(worker)
                }
            };
            // The dispatcher answers when it has carried out everything before: a port or path of an app
            // that was stopped is free when its caller hears of it.
            this.stats().await;
            this.settle(&answered, result_of(&answered.name, &outcome, recorded));
        });
    }

    /// What is said of an app that was not started because of another one.
    fn missed(&self, outcome: &Outcome) -> Option<String> {
        let Outcome::Failed(failure) = outcome else {
            return None;
        };
        let FailReason::Dependency { app, resting } = failure.reason else {
            return None;
        };
        let name = self.with(|state| state.app_name(app));
        let why = if resting {
            "which was stopped"
        } else {
            "which did not start"
        };
        Some(format!("not started: it depends on {name}, {why}"))
    }

    fn settle(self: &Rc<Self>, answered: &Answered, result: CommandResult) {
        let text = match (result.ok, result.message.as_str()) {
            (true, message) => format!("{}: {message}", result.app),
            (false, message) => format!("{}: failed: {message}", result.app),
        };
        if !result.app.is_empty() {
            self.say(&text);
        }
        self.transact(|| self.with(|state| state.operations.settle(answered, result)));
    }
}

/// An outcome in words; `recorded` is what is known of the failure that caused it.
fn result_of(
    app: &str,
    outcome: &Outcome,
    recorded: Option<(String, Vec<String>)>,
) -> CommandResult {
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
                done.push("done".to_owned());
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
            let (mut message, detail) =
                recorded.unwrap_or_else(|| (words::failure(&failure.reason), Vec::new()));
            let hint = if failure.rolled_back {
                message.push_str("; rolled back, the old workers serve on");
                None
            } else if matches!(failure.reason, FailReason::Superseded { .. }) {
                None
            } else if let FailReason::Dependency { resting, .. } = failure.reason {
                (!resting).then(|| "it is started as soon as that serves".to_owned())
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

fn refusal_code(refusal: Refusal) -> ErrorCode {
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
        FailReason::SpawnFailed { .. } | FailReason::NoResources { .. } => ErrorCode::SpawnFailed,
        FailReason::Dependency { .. } => ErrorCode::Refused,
        FailReason::Superseded { by: Verb::Shutdown } => ErrorCode::ShuttingDown,
        FailReason::Superseded { .. } => ErrorCode::Superseded,
    }
}
