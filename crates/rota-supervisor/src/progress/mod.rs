//! The engine's notices as lines of progress: what callers who wait, and the daemon's own log, are told.

mod line;

use rota_api::{Drained, Progress, ProgressKind, Step};
use rota_engine::{Notice, Slot, WorkerId};
use serde::{Deserialize, Serialize};

use crate::words;
use line::line;

/// Notices carry step numbers only when a step begins; this remembers them for the lines in between.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloutPosition {
    step: Option<Step>,
}

impl RolloutPosition {
    /// Turns a notice about `app` into a line; `pid` finds the process of a worker.
    pub fn describe(
        &mut self,
        app: &str,
        notice: &Notice,
        pid: impl Fn(WorkerId) -> Option<u32>,
    ) -> Progress {
        match notice {
            Notice::RolloutStep { step, steps, .. } => {
                self.step = Some(Step {
                    index: *step,
                    of: *steps,
                });
            }
            Notice::RolloutStarted { .. } => self.step = None,
            _ => {}
        }
        let line = line(notice);
        let pid = line.worker.and_then(pid);
        let text = match (line.worker, pid) {
            (Some(_), Some(pid)) if names_process(line.kind) => {
                format!("{} (pid {pid})", line.text)
            }
            _ => line.text,
        };
        let progress = Progress {
            kind: line.kind,
            app: app.to_owned(),
            slot: line.slot,
            worker: line.worker.map(|worker| worker.0),
            pid,
            step: self.step,
            text,
            drained: None,
        };
        if matches!(
            notice,
            Notice::RolloutDone { .. } | Notice::RollbackDone { .. }
        ) {
            self.step = None;
        }
        progress
    }
}

impl RolloutPosition {
    /// The step that a rollout is at, if there is one.
    pub const fn step(&self) -> Option<Step> {
        self.step
    }

    /// What became of the connections of a worker of `app` that has been drained.
    pub fn drained(
        &self,
        app: &str,
        slot: Slot,
        worker: WorkerId,
        pid: Option<u32>,
        drained: Drained,
    ) -> Progress {
        Progress {
            kind: ProgressKind::Draining,
            app: app.to_owned(),
            slot: Some(slot),
            worker: Some(worker.0),
            pid,
            step: self.step,
            text: words::drained(slot, &drained),
            drained: Some(drained),
        }
    }
}

/// Kinds whose text is about a process that exists.
fn names_process(kind: ProgressKind) -> bool {
    matches!(
        kind,
        ProgressKind::Ready | ProgressKind::Draining | ProgressKind::Stopping
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_between_two_steps_carry_the_step() {
        let mut position = RolloutPosition::default();
        let pid = |_| Some(42);
        let step = Notice::RolloutStep {
            step: 2,
            steps: 4,
            slot: 1,
        };
        assert_eq!(
            position.describe("api", &step, pid).text,
            "replacing worker 1"
        );
        let ready = Notice::Ready {
            slot: 1,
            worker: WorkerId(9),
            after: Duration::from_millis(120),
            assumed: false,
        };
        let line = position.describe("api", &ready, pid);
        assert_eq!(line.text, "worker 1 is ready after 120ms (pid 42)");
        assert_eq!(line.step, Some(Step { index: 2, of: 4 }));
        let saved = serde_json::to_vec(&position).unwrap();
        let restored: RolloutPosition = serde_json::from_slice(&saved).unwrap();
        assert_eq!(restored, position, "the next supervisor goes on counting");
        let done = Notice::RolloutDone { generation: 2 };
        assert!(position.describe("api", &done, pid).step.is_some());
        assert!(position.describe("api", &ready, pid).step.is_none());
    }
}
