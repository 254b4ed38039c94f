//! Writing to the standard input of the workers that targets mean.

use std::rc::Rc;
use std::time::Duration;

use hyper::body::Bytes;
use rota_api::{ApiError, ErrorCode, StdinQuery, StdinResponse, StdinView};
use rota_config::Stdin;
use rota_engine::{AppView, Slot, SlotView, WorkerStatus};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Input;
use super::input::{NotWritten, Written};
use crate::supervisor::{State, Supervisor};
use crate::targets::Selection;

/// The longest that a request may wait for room.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A worker that is written to.
struct Addressee {
    view: StdinView,
    input: Rc<Input>,
}

impl Supervisor {
    /// Writes these bytes to one worker of each slot that is meant: the one that serves, or is about to. Nothing is
    /// written if any of them has no pipe.
    ///
    /// # Errors
    /// A target that names nothing, or a worker that cannot be written to.
    pub(crate) async fn write_stdin(
        &self,
        query: &StdinQuery,
        bytes: Bytes,
    ) -> Result<StdinResponse, ApiError> {
        let chosen = self.select(&query.targets)?;
        let addressees = self.with(|state| addressees(state, &chosen))?;
        if addressees.is_empty() {
            return Err(nobody(&self.names(&chosen)));
        }
        let wait = Duration::from_millis(query.wait_ms).min(LONGEST_WAIT);
        let until = Instant::now() + wait;
        let mut writing = JoinSet::new();
        for (place, Addressee { mut view, input }) in addressees.into_iter().enumerate() {
            let bytes = bytes.clone();
            writing.spawn_local(async move {
                let written = input.write(&bytes, until).await;
                view.written = u64::try_from(written.bytes).unwrap_or(u64::MAX);
                view.error = trouble(&written, bytes.len());
                (place, view)
            });
        }
        let mut workers = Vec::new();
        while let Some(done) = writing.join_next().await {
            workers.extend(done.ok());
        }
        workers.sort_by_key(|(place, _)| *place);
        Ok(StdinResponse {
            workers: workers.into_iter().map(|(_, view)| view).collect(),
        })
    }
}

fn addressees(state: &State, chosen: &[Selection]) -> Result<Vec<Addressee>, ApiError> {
    let mut found = Vec::new();
    for selection in chosen {
        let Some(view) = state.engine.app(selection.app) else {
            continue;
        };
        let meant = |slot: Slot| {
            let slots = selection.slots.as_ref();
            slots.is_none_or(|slots| slots.contains(&slot))
        };
        for slot in view.slots.iter().filter(|slot| meant(slot.slot)) {
            let Some((id, worker)) =
                current(slot).and_then(|id| Some((id, state.workers.get(&id)?)))
            else {
                continue;
            };
            let Some(pid) = worker.pid else { continue };
            let Some(input) = &worker.input else {
                return Err(no_pipe(state, &view, slot.slot));
            };
            found.push(Addressee {
                view: StdinView {
                    app: state.app_name(selection.app),
                    slot: slot.slot,
                    worker: id,
                    pid,
                    written: 0,
                    error: None,
                },
                input: Rc::clone(input),
            });
        }
    }
    Ok(found)
}

/// The newest worker that serves; if none does, the newest one that is about to. One that leaves is told nothing more.
fn current(slot: &SlotView<'_>) -> Option<u64> {
    let newest = |status: WorkerStatus| {
        let workers = slot.workers.iter();
        let such = workers.filter(|worker| worker.status == status);
        such.map(|worker| worker.worker.0).max()
    };
    newest(WorkerStatus::Ready).or_else(|| newest(WorkerStatus::Starting))
}

fn no_pipe(state: &State, view: &AppView<'_>, slot: Slot) -> ApiError {
    let name = state.app_name(view.app);
    let app = state.apps.get(&view.app);
    let prepared = app.and_then(|app| app.prepared(view.generation));
    if prepared.is_some_and(|prepared| prepared.spec.stdin == Stdin::Pipe) {
        let text = format!("{name}:{slot} has no standard input to write to");
        return ApiError::new(ErrorCode::Refused, text).with_hint(format!(
            "`rota reload {name}` starts workers that have a pipe, as its settings say"
        ));
    }
    let text = format!("standard input of {name} is /dev/null: its setting `stdin` is `null`");
    ApiError::new(ErrorCode::Refused, text).with_hint(
        "with `stdin = \"pipe\"` in its file, or started with `--stdin pipe`, it can be written to",
    )
}

fn nobody(apps: &[String]) -> ApiError {
    let text = format!("{}: no process runs", apps.join(", "));
    ApiError::new(ErrorCode::Refused, text)
}

fn trouble(written: &Written, of: usize) -> Option<ApiError> {
    let error = written.outcome.as_ref().err()?;
    let far = format!("{} of {of} bytes were written", written.bytes);
    Some(match error {
        NotWritten::Full => {
            let text = format!("its standard input is full: {far}");
            ApiError::new(ErrorCode::StdinFull, text)
                .with_hint("it does not read, or not fast enough")
        }
        NotWritten::Closed => {
            let text = format!("its standard input is closed: {far}");
            ApiError::new(ErrorCode::StdinClosed, text)
                .with_hint("the program has closed it, or ends at this moment")
        }
        NotWritten::Failed(error) => {
            let text = format!("its standard input cannot be written to: {error}; {far}");
            ApiError::new(ErrorCode::Internal, text)
        }
    })
}
