//! Whether a state that was read can be that of an app.
//!
//! What is checked is what the engine relies on: that it neither waits for something that cannot
//! come nor loses a process. `tests/sim` shows that every state it gets into passes.

use std::collections::BTreeSet;

use crate::app::{App, Operation, Rollout, Stage, Work};
use crate::slot::{Role, SlotState};
use crate::worker::{Phase, Worker};
use crate::{Slot, Time, WorkerId};

/// The highest worker id that is accepted: leaves as many again.
pub(crate) const LAST_WORKER: u64 = u64::MAX >> 1;
/// The highest number of slots that is accepted. A damaged number must not fill the memory.
pub(crate) const MOST_INSTANCES: u32 = 1 << 14;

type Check = Result<(), String>;

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what()) }
}

/// # Errors
/// The first contradiction, for people.
pub(super) fn check(app: &App) -> Check {
    check_numbers(app)?;
    check_places(app)?;
    for (number, slot) in &app.slots {
        for id in slot.workers() {
            let worker = app.workers.get(&id);
            let worker = worker.ok_or_else(|| format!("worker {} is missing", id.0))?;
            ensure(worker.slot == *number, || {
                format!("worker {} is in two slots", id.0)
            })?;
            check_worker(slot, worker)?;
        }
    }
    match &app.operation {
        Some(Operation::Launch(launch)) => all_exist(app, &launch.slots),
        Some(Operation::Rollout(rollout)) => check_rollout(app, rollout),
        None => Ok(()),
    }?;
    check_incoming(app)
}

/// The latest moment that it speaks of as past.
pub(super) fn latest_moment(app: &App) -> Time {
    let workers = app.workers.values();
    let workers = workers.flat_map(|worker| [Some(worker.started), worker.ready]);
    let slots = app.slots.values();
    let exits = slots.map(|slot| slot.last_exit.map(|exit| exit.at));
    workers.chain(exits).flatten().max().unwrap_or_default()
}

/// The last worker that it speaks of.
pub(super) fn last_worker(app: &App) -> u64 {
    let slots = app.slots.values();
    let exits = slots.filter_map(|slot| slot.last_exit.map(|exit| exit.worker));
    let workers = app.workers.keys().copied().chain(exits);
    workers.map(|worker| worker.0).max().unwrap_or_default()
}

fn check_numbers(app: &App) -> Check {
    ensure(last_worker(app) <= LAST_WORKER, || {
        "a worker id is too high".to_owned()
    })?;
    let policies = app.specs().into_iter().map(|spec| spec.policy.instances);
    let scales = app.queue.iter().filter_map(|queued| match queued.work {
        Work::Scale(instances) => Some(instances),
        Work::Start(_) | Work::Define(_) | Work::Restart(..) | Work::Reload(..) => None,
    });
    let most = policies.chain(scales).max().unwrap_or_default();
    ensure(most <= MOST_INSTANCES, || {
        format!("{most} instances are too many")
    })?;
    let staying = app.slots.iter().filter(|(_, slot)| !slot.retiring);
    ensure((0..).zip(staying).all(|(n, (slot, _))| n == *slot), || {
        "there is a gap in its slots".to_owned()
    })
}

/// Every worker has exactly one place.
fn check_places(app: &App) -> Check {
    let mut placed = BTreeSet::new();
    for id in app.slots.values().flat_map(SlotState::workers) {
        ensure(placed.insert(id), || {
            format!("worker {} has two places", id.0)
        })?;
    }
    let homeless = app.workers.keys().find(|id| !placed.contains(id));
    match homeless {
        Some(WorkerId(id)) => Err(format!("worker {id} has no place")),
        None => Ok(()),
    }
}

/// A worker is on the ladder if it is on its way out, and only then.
fn check_worker(slot: &SlotState, worker: &Worker) -> Check {
    let leaves = slot.role(worker.id) == Role::Outgoing;
    let phase = match worker.phase {
        Phase::Starting { .. } => !leaves && worker.ready.is_none(),
        Phase::Ready => !leaves && worker.ready.is_some(),
        Phase::Draining { .. }
        | Phase::Asked { .. }
        | Phase::Stopping { .. }
        | Phase::Killing { .. } => leaves,
    };
    ensure(phase && worker.stopping.is_some() == leaves, || {
        format!("worker {} does not suit its place", worker.id.0)
    })
}

fn check_rollout(app: &App, rollout: &Rollout) -> Check {
    all_exist(app, &rollout.plan)?;
    all_exist(app, &rollout.done)?;
    all_exist(app, rollout.before.keys())?;
    all_exist(app, rollout.steps.iter().map(|step| &step.slot))?;
    let mut stepping = BTreeSet::new();
    for step in &rollout.steps {
        ensure(stepping.insert(step.slot), || {
            format!("slot {} has two steps", step.slot)
        })?;
        let incoming = app.slots.get(&step.slot).and_then(|slot| slot.incoming);
        let incoming = incoming.and_then(|id| app.workers.get(&id));
        let ready = incoming.map(Worker::is_ready);
        let expected = match step.stage {
            Stage::Waiting => None,
            Stage::Starting => Some(false),
            Stage::Observing { .. } => Some(true),
        };
        ensure(ready == expected, || {
            format!("slot {} is not where its step is", step.slot)
        })?;
    }
    Ok(())
}

/// Whoever is to take a seat is waited for.
fn check_incoming(app: &App) -> Check {
    let steps = app.rollout_ref().map(|rollout| &rollout.steps);
    let stepping: BTreeSet<Slot> = steps.into_iter().flatten().map(|step| step.slot).collect();
    let mut slots = app.slots.iter();
    match slots.find(|(number, slot)| slot.incoming.is_some() && !stepping.contains(number)) {
        Some((number, _)) => Err(format!("a worker takes slot {number} by no step")),
        None => Ok(()),
    }
}

fn all_exist<'a>(app: &App, slots: impl IntoIterator<Item = &'a Slot>) -> Check {
    let missing = slots.into_iter().find(|slot| !app.slots.contains_key(slot));
    match missing {
        Some(slot) => Err(format!("slot {slot} is missing")),
        None => Ok(()),
    }
}
