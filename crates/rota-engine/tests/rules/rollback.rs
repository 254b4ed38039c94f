//! Rollouts that fail.

use rota_engine::{Event, FailReason, Policy, SlotStatus, WorkerId};

use crate::rig::{Rig, policy, secs};

#[test]
fn a_new_version_that_crashes_at_start_leaves_the_old_workers_alone() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.spawned(3).exit(3, 1);
    let failure = rig.failure(update);
    assert!(failure.rolled_back);
    assert!(matches!(
        failure.reason,
        FailReason::Crashed {
            slot: 0,
            was_ready: false,
            ..
        }
    ));
    assert_eq!(rig.take(), ["spawn 3", "reply 2", "retired 2"]);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![1], vec![2]));
    assert_eq!(rig.app().generation, 1);
}

#[test]
fn so_does_one_that_is_not_ready_in_time() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.spawned(3).pass(secs(20));
    assert_eq!(rig.take(), ["spawn 3", "drain 3"]);
    rig.exit(3, 0);
    let failure = rig.failure(update);
    assert!(failure.rolled_back && matches!(failure.reason, FailReason::NotReady { .. }));
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![1], vec![2]));
}

#[test]
fn so_does_one_that_crashes_while_it_is_watched() {
    let mut rig = Rig::up(Policy {
        observe: secs(3),
        ..policy(2)
    });
    let update = rig.update(2);
    rig.serve(3).pass(secs(2)).exit(3, 1);
    assert!(rig.failure(update).rolled_back);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![1], vec![2]));
}

#[test]
fn so_does_one_that_cannot_be_spawned_hangs_or_leaves() {
    let worker = WorkerId(2);
    let reason = || "simulated".to_owned();
    let events = [
        Event::SpawnFailed {
            worker,
            reason: reason(),
        },
        Event::Hung {
            worker,
            reason: reason(),
        },
        Event::Leaving { worker },
    ];
    for event in events {
        let mut rig = Rig::up(policy(1));
        let update = rig.update(2);
        rig.tell(event.clone()).exit(2, 0);
        assert!(rig.failure(update).rolled_back, "{event:?}");
        assert_eq!(rig.workers(0), [1], "{event:?}");
    }
}

#[test]
fn slots_with_a_new_worker_get_an_old_one_before_the_new_one_goes() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.serve(3).exit(1, 0).take();
    // The second new worker crashes: the first one has to go, after its successor is ready.
    rig.spawned(4).exit(4, 1);
    assert_eq!(rig.take(), ["spawn 5"]);
    assert_eq!(rig.engine.worker(WorkerId(5)).unwrap().generation, 1);
    assert_eq!(rig.serve(5).take(), ["drain 3"]);
    assert_eq!(rig.answer(update), None);
    rig.exit(3, 0);
    assert!(rig.failure(update).rolled_back);
    assert_eq!(rig.take(), ["reply 2", "retired 2"]);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![5], vec![2]));
}

#[test]
fn a_new_worker_that_crashes_at_a_later_step_turns_the_rollout_back() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.serve(3).exit(1, 0).take();
    // The first new worker crashes while the second is starting.
    rig.spawned(4).exit(3, 1);
    assert_eq!(rig.take(), ["drain 4", "spawn 5"]);
    rig.serve(5).exit(4, 0);
    assert!(rig.failure(update).rolled_back);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![5], vec![2]));
}

#[test]
fn where_no_old_worker_starts_any_more_the_new_one_stays() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.serve(3).exit(1, 0);
    rig.spawned(4).exit(4, 1);
    rig.spawned(5).exit(5, 1);
    let failure = rig.failure(update);
    assert!(!failure.rolled_back);
    assert!(matches!(
        failure.reason,
        FailReason::Crashed {
            worker: WorkerId(4),
            ..
        }
    ));
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![3], vec![2]));
    // Its next start is of the former generation.
    assert_eq!(rig.slot(0).generation, 1);
}

#[test]
fn a_slot_with_nobody_goes_on_by_the_restart_policy() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.serve(3).exit(1, 0);
    rig.spawned(4).exit(3, 1);
    rig.exit(4, 0).take();
    rig.spawned(5).exit(5, 1);
    assert!(!rig.failure(update).rolled_back);
    assert_eq!(rig.slot(0).status, SlotStatus::Waiting);
    rig.take();
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 6"]);
    assert_eq!(rig.slot(0).generation, 1);
}

#[test]
fn a_reload_of_the_same_generation_keeps_the_new_workers_that_serve() {
    let mut rig = Rig::up(policy(2));
    let reload = rig.reload();
    rig.serve(3).exit(1, 0);
    rig.spawned(4).exit(4, 1);
    assert!(!rig.failure(reload).rolled_back);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![3], vec![2]));
}

#[test]
fn in_place_the_old_generation_is_started_again() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        drains: false,
        ..policy(2)
    });
    let update = rig.update(2);
    rig.exit(1, 0).take();
    rig.spawned(3).exit(3, 1);
    assert_eq!(rig.take(), ["spawn 4"]);
    rig.serve(4);
    assert!(rig.failure(update).rolled_back);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![4], vec![2]));
}

#[test]
fn a_crash_after_the_last_step_is_an_ordinary_one() {
    let mut rig = Rig::up(policy(1));
    let update = rig.update(2);
    rig.serve(2).pass(secs(2)).take();
    rig.exit(2, 1);
    assert_eq!(rig.take(), ["spawn 3"]);
    rig.exit(1, 0);
    assert!(rig.is_done(update));
}

#[test]
fn a_slot_that_was_given_up_rests_again() {
    let mut rig = Rig::up(Policy {
        max_restarts: 0,
        ..policy(2)
    });
    rig.exit(1, 1).take();
    let update = rig.update(2);
    assert_eq!(rig.take(), ["spawn 3"]);
    rig.spawned(3).exit(3, 1);
    assert!(rig.failure(update).rolled_back);
    assert_eq!(rig.slot(0).status, SlotStatus::Errored);
}
