//! Failures of workers: why, and with which last words.

use std::rc::Rc;
use std::time::Duration;

use rota_engine::{AppId, FailReason, WorkerId};

use crate::apps::Failure;
use crate::last_words;
use crate::supervisor::{Supervisor, unix_millis};
use crate::words;
use crate::worker::Readiness;

impl Supervisor {
    /// Keeps a failure for `describe`, with the last words of the worker as soon as they are in.
    pub(crate) fn record_failure(self: &Rc<Self>, app: AppId, reason: &FailReason) {
        let Some(worker) = words::failed_worker(reason) else {
            return;
        };
        let (status, after) = match reason {
            FailReason::Crashed { status, after, .. } => (words::exit(*status), *after),
            FailReason::NotReady { after, .. } => ("not ready".to_owned(), *after),
            FailReason::SpawnFailed { .. } | FailReason::NoResources { .. } => {
                ("not started".to_owned(), Duration::ZERO)
            }
            FailReason::Hung { .. } => ("hung".to_owned(), self.age(worker)),
            FailReason::Left { .. } => ("left".to_owned(), self.age(worker)),
            FailReason::Dependency { .. } | FailReason::Superseded { .. } => return,
        };
        let (stack, stack_missing) = match reason {
            FailReason::Hung { .. } => self.hung_at(worker.0),
            _ => (Vec::new(), None),
        };
        let mut failure = Failure {
            at: unix_millis(),
            slot: words::failed_slot(reason).unwrap_or_default(),
            worker: worker.0,
            status,
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            reason: self.explain(reason),
            stderr: self.logs.tail(worker.0),
            stack,
            stack_missing,
            kind: last_words::kind(reason),
            exception: None,
            memory: None,
            peak_memory: None,
            heap_limit: None,
            group_peak_memory: None,
            memory_limit: None,
        };
        self.add_last_words(reason, &mut failure);
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.add_failure(failure);
            }
        });
        self.save_app(app);
    }

    /// Why a worker failed; for one that was not ready, what it was waited for.
    pub(crate) fn explain(&self, reason: &FailReason) -> String {
        let text = words::failure(reason);
        let FailReason::NotReady { worker, .. } = reason else {
            return text;
        };
        let missing = self.with(|state| {
            let worker = state.workers.get(&worker.0)?;
            Some(match (worker.readiness, &worker.probe_error) {
                (Readiness::Listening, _) => "it does not listen".to_owned(),
                (Readiness::Word, _) => "it has not said that it is ready".to_owned(),
                (Readiness::Probe, Some(error)) => format!("its probe: {error}"),
                (Readiness::Probe, None) => "its probe has not answered".to_owned(),
                (Readiness::Spawned, _) => "it was not created".to_owned(),
            })
        });
        missing.map_or_else(|| text.clone(), |missing| format!("{text}: {missing}"))
    }

    /// What was recorded of a worker's failure: why, and its last words.
    pub(crate) fn recorded(&self, worker: WorkerId) -> Option<(String, Vec<String>)> {
        self.with(|state| {
            let failures = state.apps.values().flat_map(|app| &app.failures);
            let found = failures
                .filter(|failure| failure.worker == worker.0)
                .last()?;
            Some((found.reason.clone(), found.stderr.clone()))
        })
    }

    /// How long ago a worker was started.
    fn age(&self, worker: WorkerId) -> Duration {
        self.with(|state| {
            let worker = state.workers.get(&worker.0)?;
            Some(worker.started.elapsed())
        })
        .unwrap_or_default()
    }
}
