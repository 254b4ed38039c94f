//! Operations as they are left with the keeper for the next supervisor.

use rota_api::{CommandResult, Drained, OperationToken};
use rota_engine::{AppId, CommandId};
use serde::{Deserialize, Serialize};

use super::finished::{Ended, Finished};
use super::table::{Command, CommandState, Operation, Operations};

/// The version of [`SavedOperations`] that this program writes.
const VERSION: u32 = 1;

/// Everything about operations but who waits for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedOperations {
    pub(super) version: u32,
    pub(super) next_command: u64,
    pub(super) next_operation: u64,
    pub(super) operations: Vec<SavedOperation>,
    pub(super) commands: Vec<SavedCommand>,
    pub(super) finished: Vec<Ended>,
}

/// An operation under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedOperation {
    pub(super) id: u64,
    pub(super) token: Option<OperationToken>,
    pub(super) what: String,
    pub(super) apps: Vec<u32>,
    pub(super) results: Vec<CommandResult>,
}

/// A command whose result is not part of its operation's results yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedCommand {
    pub(super) id: u64,
    pub(super) operation: u64,
    pub(super) app: u32,
    pub(super) name: String,
    pub(super) drained: Option<Drained>,
    /// The engine has answered it, in these words.
    pub(super) answer: Option<CommandResult>,
}

impl Operations {
    /// True if anything that [`Self::save`] gives has changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Everything but who waits.
    pub(crate) fn save(&self) -> SavedOperations {
        let operations = self.operations.iter();
        let commands = self.commands.iter();
        SavedOperations {
            version: VERSION,
            next_command: self.next_command,
            next_operation: self.next_operation,
            operations: operations.map(|(&id, entry)| entry.save(id)).collect(),
            commands: commands.map(|(&id, entry)| entry.save(id)).collect(),
            finished: self.finished.iter().cloned().collect(),
        }
    }

    /// What an earlier supervisor has saved. [`Self::abandon_missing`] is owed to it.
    pub(crate) fn restore(saved: SavedOperations) -> Self {
        let mut finished = Finished::default();
        for ended in saved.finished {
            finished.remember(ended);
        }
        let operations = saved.operations.into_iter();
        let commands = saved.commands.into_iter();
        Self {
            next_command: saved.next_command,
            next_operation: saved.next_operation,
            operations: operations.map(Operation::restore).collect(),
            commands: commands.map(Command::restore).collect(),
            finished,
            changed: false,
        }
    }
}

impl Operation {
    fn save(&self, id: u64) -> SavedOperation {
        SavedOperation {
            id,
            token: self.token,
            what: self.what.clone(),
            apps: self.apps.iter().map(|app| app.0).collect(),
            results: self.results.clone(),
        }
    }

    fn restore(saved: SavedOperation) -> (u64, Self) {
        let operation = Self {
            token: saved.token,
            listeners: Vec::new(),
            what: saved.what,
            restored: true,
            apps: saved.apps.into_iter().map(AppId).collect(),
            results: saved.results,
        };
        (saved.id, operation)
    }
}

impl Command {
    fn save(&self, id: CommandId) -> SavedCommand {
        SavedCommand {
            id: id.0,
            operation: self.operation,
            app: self.app.0,
            name: self.name.clone(),
            drained: self.drained,
            answer: match &self.state {
                CommandState::Open => None,
                CommandState::Answered(answer) => answer.clone(),
            },
        }
    }

    fn restore(saved: SavedCommand) -> (CommandId, Self) {
        let command = Self {
            operation: saved.operation,
            app: AppId(saved.app),
            name: saved.name,
            drained: saved.drained,
            state: match saved.answer {
                None => CommandState::Open,
                answer => CommandState::Answered(answer),
            },
        };
        (CommandId(saved.id), command)
    }
}

/// Reads what [`super::Operations::save`] gave, written as JSON.
///
/// # Errors
/// What is wrong with it, for the log.
pub(crate) fn read(blob: &[u8]) -> Result<SavedOperations, String> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = serde_json::from_slice(blob).map_err(|error| error.to_string())?;
    if version > VERSION {
        return Err(format!(
            "written by a later version (format {version}, known up to {VERSION})"
        ));
    }
    serde_json::from_slice(blob).map_err(|error| error.to_string())
}
