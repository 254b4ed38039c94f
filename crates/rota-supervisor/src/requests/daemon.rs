//! Signals to workers, and the end of the daemon.

use std::rc::Rc;

use rota_api::{ApiError, ErrorCode, OperationToken, SignalRequest, SignalResponse};
use rota_engine::{AppId, Command, Event};

use crate::operations::{Caller, Outcome};
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Sends a signal to the processes that the targets mean, and remembers it under its name.
    ///
    /// # Errors
    /// A target that names nothing, or a signal that does not exist.
    pub(crate) fn signal(
        &self,
        request: &SignalRequest,
        token: Option<OperationToken>,
    ) -> Result<SignalResponse, ApiError> {
        let signal: rota_config::SignalName = request
            .signal
            .parse()
            .map_err(|e| ApiError::new(ErrorCode::BadRequest, format!("{e}")))?;
        let chosen = self.select(&request.targets)?;
        let meant = self.with(|state| {
            let means = |app, slot| {
                chosen.iter().any(|selection| {
                    selection.app == app
                        && selection.slots.as_ref().is_none_or(|s| s.contains(&slot))
                })
            };
            let workers = state.workers.iter();
            let mut meant: Vec<(u64, u32)> = workers
                .filter(|(_, worker)| means(worker.app, worker.slot))
                .filter_map(|(&id, worker)| Some((id, worker.pid?)))
                .collect();
            meant.sort_unstable();
            meant
        });
        for (worker, _) in &meant {
            self.keeper.signal_process(*worker, signal.number());
        }
        let sent = SignalResponse {
            signal: signal.as_str().to_owned(),
            pids: meant.into_iter().map(|(_, pid)| pid).collect(),
        };
        if let Some(token) = token {
            let outcome = Outcome::Signalled(sent.clone());
            self.with(|state| state.operations.remember(token, outcome));
        }
        Ok(sent)
    }

    /// Ends the daemon with everything in it.
    pub(crate) fn shut_down(self: &Rc<Self>, now: bool, caller: Caller) {
        self.say(if now { "stopping at once" } else { "stopping" });
        self.tell_stopping();
        if now {
            self.hurry_survivors();
        }
        let id = self.with(|state| {
            state.stopping = true;
            state.renewals.due = true;
            let operation = state.operations.begin("shutdown", caller);
            let apps: Vec<AppId> = state.apps.keys().copied().collect();
            let id = state.operations.add(operation, AppId(0), "");
            state.operations.watch(operation, apps);
            id
        });
        self.feed(Event::Command {
            id,
            command: Command::Shutdown { now },
        });
    }
}
