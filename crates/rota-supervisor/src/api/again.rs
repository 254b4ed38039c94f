//! Requests that were made before, by a caller whose connection broke.

use std::rc::Rc;

use rota_api::{ApiError, CommandResult, ErrorCode, Finished, OperationToken, StreamEvent};

use super::http::{self, Answer, LineSender};
use crate::operations::{Found, Outcome};
use crate::supervisor::Supervisor;

/// The answer to a request for an operation that was begun before under this name; `None` if there was none.
///
/// # Errors
/// When the name belongs to a signal.
pub(super) fn operation(
    supervisor: &Rc<Supervisor>,
    token: Option<OperationToken>,
    wait: bool,
) -> Result<Option<Answer>, ApiError> {
    let (answer, lines) = http::stream();
    supervisor.with(|state| {
        match token.and_then(|token| state.operations.find(token)) {
            None => return Ok(None),
            Some(Found::Running(operation)) if wait => {
                state.operations.join(operation, lines, &state.positions);
            }
            Some(Found::Running(operation)) => {
                accepted(&lines, state.operations.names(operation));
            }
            Some(Found::Finished(Outcome::Results(results))) => finished(&lines, results),
            Some(Found::Finished(Outcome::Signalled(_))) => return Err(of_another_kind()),
        }
        Ok(Some(answer))
    })
}

/// The answer to a signal that was sent before under this name; `None` if there was none.
///
/// # Errors
/// When the name belongs to an operation.
pub(super) fn signal(
    supervisor: &Rc<Supervisor>,
    token: Option<OperationToken>,
) -> Result<Option<Answer>, ApiError> {
    let found = supervisor.with(|state| state.operations.find(token?));
    match found {
        None => Ok(None),
        Some(Found::Finished(Outcome::Signalled(sent))) => Ok(Some(http::json(&sent))),
        Some(_) => Err(of_another_kind()),
    }
}

/// Answers a caller who does not want to wait.
pub(super) fn accepted(lines: &LineSender, names: Vec<String>) {
    let accepted = |name: String| CommandResult::done(name, "accepted");
    finished(lines, names.into_iter().map(accepted).collect());
}

fn finished(lines: &LineSender, results: Vec<CommandResult>) {
    lines.send(&StreamEvent::Finished(Finished { results }));
}

fn of_another_kind() -> ApiError {
    let text = "the operation's token belongs to a request of another kind";
    ApiError::new(ErrorCode::BadRequest, text)
}
