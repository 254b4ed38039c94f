//! The table of operations under way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rota_api::{
    CommandResult, Drained, ErrorCode, OperationToken, Progress, ProgressKind, SignalResponse,
    StreamEvent,
};
use rota_engine::{AppId, CommandId};
use serde::{Deserialize, Serialize};

use super::finished::{Ended, Finished};
use crate::api::LineSender;
use crate::progress::RolloutPosition;
use crate::supervisor::unix_millis;

/// Who asks for something.
#[derive(Default)]
pub struct Caller {
    /// The name under which it may ask again.
    pub token: Option<OperationToken>,
    /// Where progress and results go; `None` when nobody waits.
    pub listener: Option<LineSender>,
}

/// What came of an operation that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Of a command for apps.
    Results(Vec<CommandResult>),
    /// Of a signal.
    Signalled(SignalResponse),
}

/// What is known under a name.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// It is under way.
    Running(u64),
    /// It is over.
    Finished(Outcome),
}

/// One request: a command to the engine for each app that it means.
pub(super) struct Operation {
    pub(super) token: Option<OperationToken>,
    /// Who waits: whoever asked first, and those who asked again.
    pub(super) listeners: Vec<LineSender>,
    /// What is being done: `reload`.
    pub(super) what: String,
    /// A supervisor that died has begun it.
    pub(super) restored: bool,
    /// The apps that it is about.
    pub(super) apps: Vec<AppId>,
    pub(super) results: Vec<CommandResult>,
}

/// A command, as far as its answer needs it.
pub(super) struct Command {
    pub(super) operation: u64,
    pub(super) app: AppId,
    pub(super) name: String,
    /// What workers of the app have reported of their drain since the command was given.
    pub(super) drained: Option<Drained>,
    pub(super) state: CommandState,
}

pub(super) enum CommandState {
    /// The engine has not answered it.
    Open,
    /// It has; the result is owed. What it will be if this supervisor dies before it is told.
    Answered(Option<CommandResult>),
}

/// All operations under way.
#[derive(Default)]
pub struct Operations {
    pub(super) next_command: u64,
    pub(super) next_operation: u64,
    pub(super) operations: BTreeMap<u64, Operation>,
    pub(super) commands: BTreeMap<CommandId, Command>,
    pub(super) finished: Finished,
    pub(super) changed: bool,
}

/// A command that has been answered: whose it was.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Which one.
    pub command: CommandId,
    /// The app.
    pub app: AppId,
    /// The app's name when the command was given.
    pub name: String,
}

impl Operations {
    /// Begins an operation; `what` is its verb.
    pub fn begin(&mut self, what: &str, caller: Caller) -> u64 {
        self.changed = true;
        self.next_operation += 1;
        let operation = Operation {
            token: caller.token,
            listeners: caller.listener.into_iter().collect(),
            what: what.to_owned(),
            restored: false,
            apps: Vec::new(),
            results: Vec::new(),
        };
        self.operations.insert(self.next_operation, operation);
        self.next_operation
    }

    /// Adds a command for an app to an operation.
    pub fn add(&mut self, operation: u64, app: AppId, name: &str) -> CommandId {
        self.changed = true;
        self.next_command += 1;
        let id = CommandId(self.next_command);
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.apps.push(app);
        }
        let command = Command {
            operation,
            app,
            name: name.to_owned(),
            drained: None,
            state: CommandState::Open,
        };
        self.commands.insert(id, command);
        id
    }

    /// Adds a result that is known already.
    pub fn add_result(&mut self, operation: u64, result: CommandResult) {
        self.changed = true;
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.results.push(result);
        }
    }

    /// Lets an operation hear of apps beyond those that it has commands for.
    pub fn watch(&mut self, operation: u64, apps: Vec<AppId>) {
        self.changed = true;
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.apps.extend(apps);
        }
    }

    /// Ends an operation that waits for no command.
    pub fn finish_if_settled(&mut self, operation: u64) {
        let mut commands = self.commands.values();
        if !commands.any(|command| command.operation == operation) {
            self.finish(operation);
        }
    }

    /// The engine has answered a command; its result is owed to [`Self::settle`]. `None` if it is not known, or
    /// was answered before.
    pub fn answered(&mut self, command: CommandId) -> Option<Answered> {
        let entry = self.commands.get_mut(&command)?;
        let CommandState::Open = entry.state else {
            return None;
        };
        entry.state = CommandState::Answered(None);
        self.changed = true;
        Some(Answered {
            command,
            app: entry.app,
            name: entry.name.clone(),
        })
    }

    /// What the result of an answered command will be, if this supervisor does not live to tell it.
    pub fn foresee(&mut self, answered: &Answered, result: CommandResult) {
        if let Some(entry) = self.commands.get_mut(&answered.command) {
            entry.state = CommandState::Answered(Some(result));
            self.changed = true;
        }
    }

    /// Adds the result of a command, and ends the operation with its last one.
    pub fn settle(&mut self, answered: &Answered, mut result: CommandResult) {
        let Some(command) = self.commands.remove(&answered.command) else {
            return;
        };
        result.drained = command.drained;
        self.add_result(command.operation, result);
        self.finish_if_settled(command.operation);
    }

    /// Counts what became of the connections of a worker of `app`.
    pub fn count_drained(&mut self, app: AppId, drained: &Drained) {
        for command in self.commands.values_mut().filter(|c| c.app == app) {
            command.drained.get_or_insert_default().add(drained);
            self.changed = true;
        }
    }

    /// A rollout of `app` begins: what was drained before belongs to other commands.
    pub fn forget_drained(&mut self, app: AppId) {
        for command in self.commands.values_mut().filter(|c| c.app == app) {
            self.changed |= command.drained.take().is_some();
        }
    }

    /// Tells a line to everybody who waits for something about `app`.
    pub fn tell(&mut self, app: AppId, progress: &Progress) {
        for operation in self.operations.values_mut() {
            if operation.apps.contains(&app) {
                operation.tell(progress);
            }
        }
    }

    fn finish(&mut self, operation: u64) {
        let Some(operation) = self.operations.remove(&operation) else {
            return;
        };
        self.changed = true;
        let results = operation.results.clone();
        let finished = StreamEvent::Finished(rota_api::Finished { results });
        for listener in &operation.listeners {
            listener.send(&finished);
        }
        if let Some(token) = operation.token {
            self.remember(token, Outcome::Results(operation.results));
        }
    }
}

/// Callers who ask again.
impl Operations {
    /// What is known under a name.
    pub fn find(&self, token: OperationToken) -> Option<Found> {
        let mut running = self.operations.iter();
        let named = running.find(|(_, operation)| operation.token == Some(token));
        match named {
            Some((id, _)) => Some(Found::Running(*id)),
            None => self.finished.find(token).cloned().map(Found::Finished),
        }
    }

    /// Lets a caller who asks again hear of an operation from here on. The first that it hears, for each app whose
    /// command is under way, is that it goes on, and where its rollout is.
    pub fn join(
        &mut self,
        operation: u64,
        listener: LineSender,
        positions: &HashMap<AppId, RolloutPosition>,
    ) {
        let Some(entry) = self.operations.get_mut(&operation) else {
            return;
        };
        let text = match entry.restored {
            true => format!("the supervisor was restarted, the {} goes on", entry.what),
            false => format!("the {} goes on", entry.what),
        };
        for command in self.commands.values() {
            if command.operation == operation {
                let step = positions.get(&command.app).and_then(RolloutPosition::step);
                listener.send(&StreamEvent::Progress(Progress {
                    step,
                    ..Progress::of_app(ProgressKind::Note, &command.name, &text)
                }));
            }
        }
        entry.listeners.retain(|listener| !listener.is_closed());
        entry.listeners.push(listener);
    }

    /// The names of the apps that an operation has commands for, or had.
    pub fn names(&self, operation: u64) -> Vec<String> {
        let entry = self.operations.get(&operation);
        let told = entry.into_iter().flat_map(|entry| &entry.results);
        let open = self.commands.values().filter(|c| c.operation == operation);
        told.map(|result| result.app.clone())
            .chain(open.map(|command| command.name.clone()))
            .collect()
    }

    /// Remembers what came of something that was over at once.
    pub fn remember(&mut self, token: OperationToken, outcome: Outcome) {
        self.changed = true;
        self.finished.remember(Ended {
            token,
            at: unix_millis(),
            outcome,
        });
    }
}

/// After the death of a supervisor.
impl Operations {
    /// Settles the commands that the engine will not answer any more: those that it had answered with that answer,
    /// and those that it does not know (it knows `known`) as failed. Ends operations that wait for nothing. Gives the
    /// results that were added, for the log.
    pub fn abandon_missing(&mut self, known: &BTreeSet<CommandId>) -> Vec<CommandResult> {
        let mut settled = Vec::new();
        let owed = |(id, command): (&CommandId, &Command)| {
            let answered = Answered {
                command: *id,
                app: command.app,
                name: command.name.clone(),
            };
            match &command.state {
                CommandState::Answered(Some(answer)) => Some((answered, answer.clone())),
                CommandState::Open if known.contains(id) => None,
                _ => {
                    let result = abandoned(&answered.name);
                    Some((answered, result))
                }
            }
        };
        let owed: Vec<_> = self.commands.iter().filter_map(owed).collect();
        for (answered, result) in owed {
            self.settle(&answered, result.clone());
            settled.push(result);
        }
        let all: Vec<u64> = self.operations.keys().copied().collect();
        for operation in all {
            self.finish_if_settled(operation);
        }
        settled
    }
}

fn abandoned(app: &str) -> CommandResult {
    let text = "the supervisor died, and the command was set aside";
    CommandResult {
        hint: Some("`rota list` shows how far it has come; give it again if need be".to_owned()),
        ..CommandResult::failed(app, ErrorCode::Interrupted, text)
    }
}

impl Operation {
    fn tell(&mut self, progress: &Progress) {
        let event = StreamEvent::Progress(progress.clone());
        // A caller that has gone, or does not read: the operation goes on without it.
        self.listeners.retain(|listener| listener.send(&event));
    }
}
