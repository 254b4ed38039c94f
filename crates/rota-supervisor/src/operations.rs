//! Commands that are being carried out, and those who wait for their answers.

use std::collections::HashMap;

use rota_api::{CommandResult, Drained, Finished, Progress, StreamEvent};
use rota_engine::{AppId, CommandId};

use crate::api::LineSender;

/// One request: a command to the engine for each app that it means.
struct Operation {
    /// Where its progress goes; `None` when nobody waits.
    listener: Option<LineSender>,
    /// Commands that have not been answered yet.
    open: usize,
    /// The apps that it is about.
    apps: Vec<AppId>,
    results: Vec<CommandResult>,
}

/// A command, as far as its answer needs it.
struct Open {
    operation: u64,
    app: AppId,
    name: String,
}

/// All operations under way.
#[derive(Default)]
pub struct Operations {
    next_command: u64,
    next_operation: u64,
    operations: HashMap<u64, Operation>,
    commands: HashMap<CommandId, Open>,
    /// What workers of an app have reported of their drain since a command for it was given, until its
    /// result is told.
    drained: HashMap<CommandId, (AppId, Option<Drained>)>,
}

/// A command that has been answered: whose it was.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Which one.
    pub command: CommandId,
    /// The operation that it belongs to.
    pub operation: u64,
    /// The app.
    pub app: AppId,
    /// The app's name when the command was given.
    pub name: String,
}

impl Operations {
    /// Begins an operation.
    pub fn begin(&mut self, listener: Option<LineSender>) -> u64 {
        self.next_operation += 1;
        let operation = Operation {
            listener,
            open: 0,
            apps: Vec::new(),
            results: Vec::new(),
        };
        self.operations.insert(self.next_operation, operation);
        self.next_operation
    }

    /// Adds a command for an app to an operation.
    pub fn add(&mut self, operation: u64, app: AppId, name: &str) -> CommandId {
        self.next_command += 1;
        let id = CommandId(self.next_command);
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.open += 1;
            entry.apps.push(app);
        }
        let name = name.to_owned();
        self.drained.insert(id, (app, None));
        self.commands.insert(
            id,
            Open {
                operation,
                app,
                name,
            },
        );
        id
    }

    /// Adds a result that is known already.
    pub fn add_result(&mut self, operation: u64, result: CommandResult) {
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.results.push(result);
        }
    }

    /// Lets an operation hear of apps beyond those that it has commands for.
    pub fn watch(&mut self, operation: u64, apps: Vec<AppId>) {
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.apps.extend(apps);
        }
    }

    /// Ends an operation to which no command was added.
    pub fn finish_if_settled(&mut self, operation: u64) {
        if self.operations.get(&operation).is_some_and(|o| o.open == 0) {
            self.finish(operation);
        }
    }

    /// Takes a command out when the engine has answered it; its result is owed to
    /// [`Self::settle`].
    pub fn answered(&mut self, command: CommandId) -> Option<Answered> {
        self.commands.remove(&command).map(|open| Answered {
            command,
            operation: open.operation,
            app: open.app,
            name: open.name,
        })
    }

    /// Adds the result of a command, and ends the operation with its last one.
    pub fn settle(&mut self, answered: &Answered, mut result: CommandResult) {
        let drained = self.drained.remove(&answered.command);
        result.drained = drained.and_then(|(_, drained)| drained);
        let operation = answered.operation;
        let Some(entry) = self.operations.get_mut(&operation) else {
            return;
        };
        entry.results.push(result);
        entry.open = entry.open.saturating_sub(1);
        if entry.open == 0 {
            self.finish(operation);
        }
    }

    /// Counts what became of the connections of a worker of `app`.
    pub fn count_drained(&mut self, app: AppId, drained: &Drained) {
        let commands = self.drained.values_mut().filter(|(of, _)| *of == app);
        for (_, sum) in commands {
            sum.get_or_insert_default().add(drained);
        }
    }

    /// A rollout of `app` begins: what was drained before belongs to other commands.
    pub fn forget_drained(&mut self, app: AppId) {
        let commands = self.drained.values_mut().filter(|(of, _)| *of == app);
        for (_, sum) in commands {
            *sum = None;
        }
    }

    /// Tells a line to everybody who waits for something about `app`.
    pub fn tell(&mut self, app: AppId, progress: &Progress) {
        for operation in self.operations.values_mut() {
            if !operation.apps.contains(&app) {
                continue;
            }
            let event = StreamEvent::Progress(progress.clone());
            // A caller that has gone, or does not read: the operation goes on without it.
            if operation
                .listener
                .as_ref()
                .is_some_and(|to| !to.send(&event))
            {
                operation.listener = None;
            }
        }
    }

    fn finish(&mut self, operation: u64) {
        let Some(operation) = self.operations.remove(&operation) else {
            return;
        };
        if let Some(listener) = operation.listener {
            listener.send(&StreamEvent::Finished(Finished {
                results: operation.results,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_count_for_the_commands_of_their_app_since_its_rollout_began() {
        let mut operations = Operations::default();
        let one = Drained {
            workers: 1,
            handed_over: 3,
            ..Drained::default()
        };
        let (here, there) = (AppId(1), AppId(2));
        let first = operations.begin(None);
        let commands = [here, there].map(|app| operations.add(first, app, "x"));
        operations.count_drained(here, &one);
        operations.forget_drained(here);
        operations.count_drained(here, &one);
        operations.count_drained(here, &one);
        let sums = commands.map(|command| operations.drained[&command].1);
        let counts = |sum: Drained| (sum.workers, sum.handed_over);
        assert_eq!(sums.map(|sum| sum.map(counts)), [Some((2, 6)), None]);
        for command in commands {
            let answered = operations.answered(command).unwrap();
            operations.settle(&answered, CommandResult::done("x", ""));
        }
        assert!(operations.drained.is_empty());
    }
}
