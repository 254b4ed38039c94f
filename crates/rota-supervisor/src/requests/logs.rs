//! What is to be known of apps to find their logs.

use std::sync::Arc;

use crate::output::{self, Filter, Logs};
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Where the logs are that a filter means: those of apps as their workers write them now, and as the generations before
    /// wrote them.
    pub(crate) fn logs_of(&self, filter: Filter) -> Logs {
        let dir = self.home.logs();
        let custom = self.with(|state| {
            let mut custom = Vec::new();
            for (id, app) in &state.apps {
                let name = Arc::from(app.name());
                let slots = state.engine.app(*id).map_or(1, |view| view.slots.len());
                let slots = u32::try_from(slots).unwrap_or(u32::MAX);
                for prepared in app.generations.values() {
                    let spec = &prepared.spec;
                    let (cwd, logs) = (&spec.cwd, &spec.logs);
                    custom.extend(output::custom_files(&name, &dir, cwd, logs, slots));
                }
            }
            custom
        });
        Logs { filter, custom }
    }

    /// Log files are opened anew, by name.
    pub(crate) fn reopen_logs(&self) {
        self.say("reopening the log files");
        self.logs.reopen();
    }
}
