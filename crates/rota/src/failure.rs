//! Why a verb did not do what was asked, with what to do about it.

use std::error::Error;

use rota_api::client::ClientError;
use rota_api::{ApiError, CommandResult, ErrorCode, ExitCode};
use rota_config::ResolveError;

/// A failure as the user sees it: one sentence, its causes, further lines, and a hint.
#[derive(Debug)]
pub struct Failure {
    /// How the process exits.
    pub code: ExitCode,
    /// What went wrong, and where.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// More lines, such as the last ones of stderr.
    pub detail: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Why a verb ended early.
#[derive(Debug)]
pub enum Stop {
    /// It failed, and the user is to be told.
    Failure(Box<Failure>),
    /// Nobody reads our output any more (`rota list | head -1`): no failure, and nothing to say.
    Closed,
}

/// What a verb returns: the exit code.
pub type Done = Result<ExitCode, Stop>;

impl Failure {
    /// A failure with one sentence.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            detail: Vec::new(),
            hint: None,
        }
    }

    /// A mistake in the command line that the parser cannot see.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with its cause, and the causes of that.
    #[must_use]
    pub fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// A failed result of the daemon.
    pub fn of_result(result: &CommandResult) -> Self {
        let code = result.code.unwrap_or(ErrorCode::Internal);
        Self {
            code: code.exit_code(),
            message: match result.app.as_str() {
                "" => result.message.clone(),
                app => format!("{app}: {}", result.message),
            },
            causes: Vec::new(),
            detail: result.detail.clone(),
            hint: result.hint.clone(),
        }
    }

    /// A script that cannot be run.
    pub fn of_resolve(error: &ResolveError) -> Self {
        Self {
            hint: error.hint.clone(),
            ..Self::new(ExitCode::CannotRun, error.to_string())
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self {
            hint: error.hint,
            ..Self::new(error.code.exit_code(), error.message)
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let (code, hint) = (error.exit_code(), error.hint());
        let mut failure = Self::new(code, error.to_string());
        failure.hint = hint;
        // An answer of the daemon has said everything in its message.
        match error.source() {
            Some(source) if !matches!(error, ClientError::Api(_)) => failure.because(source),
            _ => failure,
        }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Failure::from(error).into()
    }
}
