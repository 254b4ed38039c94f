//! Errors on the wire.

use serde::{Deserialize, Serialize};

use crate::ExitCode;

/// The body of every answer with a status of 400 or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

/// An error that the daemon answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind it is; stable, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The stable kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is not understood.
    BadRequest,
    /// The path or method does not exist.
    NotFound,
    /// No app, id or slot is meant by the target.
    NoSuchTarget,
    /// An app of that name runs already.
    AlreadyRunning,
    /// The spec of an app cannot be used as it is.
    InvalidSpec,
    /// The script or command was not found.
    ScriptNotFound,
    /// The script or command cannot be run: a folder, not executable, no interpreter.
    NotRunnable,
    /// A worker could not be started.
    SpawnFailed,
    /// A worker crashed before it counted as good.
    Crashed,
    /// A worker was not ready in time.
    NotReady,
    /// The app is errored.
    Errored,
    /// A later command took the place of this one.
    Superseded,
    /// The command makes no sense for the app as it is.
    Refused,
    /// rota listens for the app on an address that it cannot have.
    AddressInUse,
    /// Standard input of a worker had no room for all that was to be written.
    StdinFull,
    /// A worker has closed its standard input.
    StdinClosed,
    /// The request is larger than allowed.
    TooLarge,
    /// The daemon is going down.
    ShuttingDown,
    /// The supervisor died while the command was carried out, and nothing is known of the command any more.
    Interrupted,
    /// A fault of rota itself.
    #[serde(other)]
    Internal,
}

impl ErrorCode {
    /// The HTTP status that carries it.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest | Self::InvalidSpec => 400,
            Self::NotFound | Self::NoSuchTarget => 404,
            Self::AlreadyRunning
            | Self::Refused
            | Self::Superseded
            | Self::AddressInUse
            | Self::StdinFull
            | Self::StdinClosed => 409,
            Self::TooLarge => 413,
            Self::ScriptNotFound
            | Self::NotRunnable
            | Self::SpawnFailed
            | Self::Crashed
            | Self::NotReady
            | Self::Errored => 422,
            Self::ShuttingDown => 503,
            Self::Interrupted | Self::Internal => 500,
        }
    }

    /// The exit code with which the command line passes it on.
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Self::BadRequest | Self::InvalidSpec | Self::TooLarge => ExitCode::Usage,
            Self::NoSuchTarget => ExitCode::NoSuchTarget,
            Self::ScriptNotFound | Self::NotRunnable => ExitCode::CannotRun,
            Self::AlreadyRunning => ExitCode::AlreadyRunning,
            Self::NotFound
            | Self::SpawnFailed
            | Self::Crashed
            | Self::NotReady
            | Self::Errored
            | Self::Superseded
            | Self::Refused
            | Self::AddressInUse
            | Self::StdinFull
            | Self::StdinClosed
            | Self::ShuttingDown
            | Self::Interrupted
            | Self::Internal => ExitCode::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ErrorCode; 20] = [
        ErrorCode::BadRequest,
        ErrorCode::NotFound,
        ErrorCode::NoSuchTarget,
        ErrorCode::AlreadyRunning,
        ErrorCode::InvalidSpec,
        ErrorCode::ScriptNotFound,
        ErrorCode::NotRunnable,
        ErrorCode::SpawnFailed,
        ErrorCode::Crashed,
        ErrorCode::NotReady,
        ErrorCode::Errored,
        ErrorCode::Superseded,
        ErrorCode::Refused,
        ErrorCode::AddressInUse,
        ErrorCode::StdinFull,
        ErrorCode::StdinClosed,
        ErrorCode::TooLarge,
        ErrorCode::ShuttingDown,
        ErrorCode::Interrupted,
        ErrorCode::Internal,
    ];

    #[test]
    fn the_documentation_knows_every_code_and_its_status() {
        let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
        let doc = std::fs::read_to_string(doc).unwrap();
        for code in ALL {
            let name = serde_json::to_string(&code).unwrap().replace('"', "`");
            let status = format!(" {} |", code.http_status());
            let known = |line: &&str| {
                let mut cells = line.split('|').skip(1);
                cells.next().is_some_and(|cell| cell.contains(&name))
                    && cells
                        .next()
                        .is_some_and(|cell| cell.trim().parse::<u16>().is_ok())
            };
            let row = doc.lines().find(known);
            let row = row.unwrap_or_else(|| panic!("{name} is not in docs/api.md"));
            assert!(row.contains(&status), "{row}");
        }
    }

    #[test]
    fn codes_of_later_versions_are_still_errors() {
        let json = r#"{"error":{"code":"quota","message":"too much"}}"#;
        let body: ErrorBody = serde_json::from_str(json).unwrap();
        assert_eq!(body.error.code, ErrorCode::Internal);
        assert_eq!(body.error.code.exit_code(), ExitCode::Failed);
    }
}
