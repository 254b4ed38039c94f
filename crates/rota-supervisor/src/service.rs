//! What the manager of this daemon is told, if it has one: systemd, by the keeper, which is the unit's main process.

use std::rc::Rc;
use std::time::Duration;

use crate::supervisor::Supervisor;

/// What the end of everything takes beyond the workers' own times: reports, last output, the keeper's look around.
const MARGIN: Duration = Duration::from_secs(15);

impl Supervisor {
    /// The daemon serves. Apps may still be starting: one that does not come up is no reason to end the others.
    pub(crate) fn tell_ready(&self) {
        let apps = self.with(|state| state.apps.len());
        let noun = if apps == 1 { "app" } else { "apps" };
        self.keeper
            .notify(format!("READY=1\nSTATUS=on duty with {apps} {noun}"));
    }

    /// The daemon ends, and may take as long as its slowest app may.
    pub(crate) fn tell_stopping(self: &Rc<Self>) {
        let longest = self.with(|state| {
            let apps = state.apps.values();
            let prepared = apps.flat_map(|app| app.generations.values());
            let times = prepared.map(|prepared| {
                let stop = &prepared.spec.stop;
                stop.drain_timeout.duration() + stop.kill_timeout.duration()
            });
            times.max().unwrap_or_default()
        });
        let time = longest.saturating_add(MARGIN).as_micros();
        self.keeper.notify(format!(
            "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={time}"
        ));
    }
}
