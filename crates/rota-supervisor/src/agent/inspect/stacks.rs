//! `rota stack`: the JavaScript stacks of workers, all at once.

use std::rc::Rc;
use std::time::Duration;

use rota_api::{ApiError, StackRequest, StackResponse, StackState, StackView};

use super::Seen;
use crate::supervisor::Supervisor;

/// How long a worker may take to say where it is.
const LIMIT: Duration = Duration::from_secs(3);

impl Supervisor {
    /// Where the JavaScript of the workers is that the targets mean.
    ///
    /// # Errors
    /// A target that names nothing.
    pub(crate) async fn stacks(
        self: &Rc<Self>,
        request: &StackRequest,
    ) -> Result<StackResponse, ApiError> {
        let looks: Vec<_> = self
            .processes_of(&request.targets)?
            .into_iter()
            .map(|mut view| {
                let this = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    match this.look_at(view.worker, LIMIT).await {
                        Ok(Seen::Stack(lines)) => {
                            view.state = StackState::Running;
                            view.stack = lines;
                        }
                        Ok(Seen::Idle) => view.state = StackState::Idle,
                        Err(why) => view.reason = Some(why),
                    }
                    view
                })
            })
            .collect();
        let mut workers = Vec::new();
        for look in looks {
            // Fails only with the whole daemon.
            workers.extend(look.await.ok());
        }
        Ok(StackResponse { workers })
    }

    /// The workers that targets mean and that have a process, by app and slot.
    ///
    /// # Errors
    /// A target that names nothing.
    pub(crate) fn processes_of(&self, targets: &[String]) -> Result<Vec<StackView>, ApiError> {
        let chosen = self.select(targets)?;
        let mut views = self.with(|state| {
            let means = |app, slot| {
                chosen.iter().any(|selection| {
                    selection.app == app
                        && selection.slots.as_ref().is_none_or(|s| s.contains(&slot))
                })
            };
            let workers = state.workers.iter();
            workers
                .filter(|(_, worker)| worker.pid.is_some() && means(worker.app, worker.slot))
                .map(|(&id, worker)| StackView {
                    app: state.app_name(worker.app),
                    slot: worker.slot,
                    worker: id,
                    pid: worker.pid,
                    state: StackState::Unknown,
                    stack: Vec::new(),
                    reason: None,
                })
                .collect::<Vec<_>>()
        });
        views.sort_by(|a, b| (&a.app, a.slot, a.worker).cmp(&(&b.app, b.slot, b.worker)));
        Ok(views)
    }
}
