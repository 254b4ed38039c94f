//! What an engine that was restored is owed by its new supervisor.

use std::collections::BTreeSet;

use crate::app::{App, Operation};
use crate::worker::{Phase, Worker};
use crate::{AppId, CommandId, Effect, Engine, StopReason};

impl Engine {
    /// The effects that have to be performed again after [`Engine::restore`], because who
    /// performed them, or was about to, is gone: the `Spawn` of every worker whose process is not
    /// known, the `Drain` of every worker that we want drained, the `Kill` of every worker that
    /// was to be killed; by app and worker, in this order for each.
    ///
    /// To perform them twice is harmless: a worker that exists already is not created again (the
    /// supervisor tells `Spawned` for it), one that drains already drains on, one that is dead is
    /// dead. A `StopSignal` is not harmless, as some programs take a second one for impatience: it
    /// has to be sent with the state that says so, or not at all, and so has a `StopMessage`. `Reply` and `Notice` are not
    /// repeated either; timeouts go on by themselves.
    #[must_use]
    pub fn outstanding(&self) -> Vec<Effect> {
        let apps = self.apps.iter();
        apps.flat_map(|(id, app)| outstanding_of(*id, app))
            .collect()
    }
}

impl Engine {
    /// The commands that have not been answered yet.
    #[must_use]
    pub fn open_commands(&self) -> BTreeSet<CommandId> {
        let shutdown = self.shutdown.iter().flat_map(|down| &down.commands);
        let apps = self.apps.values().flat_map(commands_of);
        shutdown.chain(apps).copied().collect()
    }
}

fn commands_of(app: &App) -> impl Iterator<Item = &CommandId> {
    let operation: &[CommandId] = match &app.operation {
        Some(Operation::Launch(launch)) => &launch.commands,
        Some(Operation::Rollout(rollout)) => &rollout.commands,
        None => &[],
    };
    let queued = app
        .queue
        .iter()
        .flat_map(|queued| queued.commands.iter().chain(&queued.joined));
    let waiting = app.waiters.iter().flat_map(|waiter| &waiter.commands);
    let leaving = app.farewells.iter().map(|farewell| &farewell.command);
    operation.iter().chain(queued).chain(waiting).chain(leaving)
}

fn outstanding_of(id: AppId, app: &App) -> impl Iterator<Item = Effect> + '_ {
    app.workers
        .values()
        .flat_map(move |worker| [spawn(id, worker), rung(worker)])
        .flatten()
}

fn spawn(app: AppId, worker: &Worker) -> Option<Effect> {
    worker.pid.is_none().then_some(Effect::Spawn {
        worker: worker.id,
        app,
        slot: worker.slot,
        generation: worker.spec.generation,
    })
}

fn rung(worker: &Worker) -> Option<Effect> {
    let id = worker.id;
    match worker.phase {
        // One that leaves by its own wish was never asked to.
        Phase::Draining { .. } if worker.stopping != Some(StopReason::Left) => {
            Some(Effect::Drain { worker: id })
        }
        Phase::Killing { .. } => Some(Effect::Kill { worker: id }),
        Phase::Draining { .. }
        | Phase::Starting { .. }
        | Phase::Ready
        | Phase::Asked { .. }
        | Phase::Stopping { .. } => None,
    }
}
