//! What became of the connections of workers that have left.

use rota_api::Drained;
use rota_engine::{AppId, WorkerId};
use rota_node::agent::DrainReport;

use crate::dispatch::Lost;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// What a worker's agent says of the connections that it had.
    pub(crate) fn drain_report(&self, worker: u64, report: &DrainReport) {
        let place = self.with(|state| {
            let worker = state.workers.get(&worker)?;
            Some((worker.app, worker.slot))
        });
        let Some((app, slot)) = place else { return };
        let drained = Drained {
            workers: 1,
            running: report.running,
            connections: report.connections,
            handed_over: report.handed,
            told: report.told,
            idle_closed: report.idle,
            goodbye: report.goodbye,
            cut: report.cut,
            lost: 0,
        };
        self.tell_drained(app, slot, worker, drained);
    }

    /// The channel of a worker has ended before its agent had reported. Its connections are lost when it
    /// dies; one that lives has only closed its channel.
    pub(crate) fn undrained(&self, worker: u64, lost: Lost) {
        self.update(worker, |w| {
            // Where rota does not count, the agent has, at its last heartbeat.
            let open = lost.open.unwrap_or(w.agent.inside.last.connections);
            let open = Some(open);
            w.agent.undrained = Some(Lost { open, ..lost });
        });
    }

    /// Tells of the connections of a worker that has died while it was drained.
    pub(crate) fn tell_lost(&self, worker: u64, lost: Lost) {
        let open = lost.open.unwrap_or(0);
        if open > 0 {
            let drained = Drained {
                workers: 1,
                lost: open,
                ..Drained::default()
            };
            self.tell_drained(AppId(lost.app), lost.slot, worker, drained);
        }
    }

    /// Tells what became of the connections of a worker, and counts it for the commands under way.
    fn tell_drained(&self, app: AppId, slot: u32, worker: u64, drained: Drained) {
        let (name, progress) = self.with(|state| {
            let name = state.app_name(app);
            let pid = state.workers.get(&worker).and_then(|worker| worker.pid);
            let position = state.positions.entry(app).or_default();
            let progress = position.drained(&name, slot, WorkerId(worker), pid, drained);
            state.operations.count_drained(app, &drained);
            state.operations.tell(app, &progress);
            (name, progress)
        });
        self.say(&format!("{name}: {}", progress.text));
    }
}
