//! Rollouts that go well.

use rota_engine::{AppStatus, Command, Outcome, Policy, RolloutPhase, WorkerId};

use crate::rig::{APP, Rig, policy, secs};

#[test]
fn step_by_step_the_new_one_first() {
    let mut rig = Rig::up(policy(2));
    let reload = rig.reload();
    assert_eq!(rig.take(), ["spawn 3"]);
    assert_eq!(rig.workers(0), [1, 3]);
    // The next step begins while the old worker of the one before is still draining.
    assert_eq!(rig.serve(3).take(), ["drain 1", "spawn 4"]);
    assert_eq!(rig.serve(4).take(), ["drain 2"]);
    rig.exit(1, 0);
    assert_eq!(rig.answer(reload), None);
    rig.exit(2, 0);
    let Some(Outcome::Done(summary)) = rig.answer(reload) else {
        panic!("{:?}", rig.answer(reload));
    };
    assert_eq!(
        (summary.started, summary.stopped, summary.instances),
        (2, 2, 2)
    );
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![3], vec![4]));
}

#[test]
fn the_first_new_worker_is_watched_and_the_others_are_not() {
    let mut rig = Rig::up(Policy {
        observe: secs(3),
        ..policy(3)
    });
    rig.reload();
    rig.serve(4);
    assert_eq!(rig.take(), ["spawn 4"]);
    assert_eq!(rig.app().rollout.unwrap().phase, RolloutPhase::Observing);
    assert_eq!(rig.app().status, AppStatus::Reloading);
    assert_eq!(rig.pass(secs(3)).take(), ["drain 1", "spawn 5"]);
    assert_eq!(rig.serve(5).take(), ["drain 2", "spawn 6"]);
}

#[test]
fn a_wider_surge_starts_more_at_a_time_once_the_first_has_passed() {
    let mut rig = Rig::up(Policy {
        surge: 2,
        ..policy(4)
    });
    rig.reload();
    assert_eq!(rig.take(), ["spawn 5"]);
    assert_eq!(rig.serve(5).take(), ["drain 1", "spawn 6", "spawn 7"]);
    assert_eq!(rig.serve(7).take(), ["drain 3", "spawn 8"]);
}

#[test]
fn without_a_surge_the_old_one_ends_first() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        drains: false,
        ..policy(2)
    });
    let reload = rig.reload();
    assert_eq!(rig.take(), ["signal 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 3"]);
    assert_eq!(rig.serve(3).take(), ["signal 2"]);
    rig.exit(2, 0).serve(4);
    assert!(rig.is_done(reload));
}

#[test]
fn without_a_surge_several_may_be_missing_if_the_policy_says_so() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        max_missing: 2,
        drains: false,
        ..policy(4)
    });
    rig.reload();
    rig.exit(1, 0).take();
    assert_eq!(rig.serve(5).take(), ["signal 2", "signal 3"]);
}

#[test]
fn no_third_process_beside_an_old_one_that_still_drains() {
    let mut rig = Rig::up(policy(1));
    rig.reload();
    rig.serve(2).take();
    let second = rig.reload();
    assert_eq!(rig.workers(0), [2, 1]);
    assert!(rig.take().is_empty());
    assert_eq!(rig.exit(1, 0).take(), ["spawn 3", "reply 2"]);
    rig.serve(3).exit(2, 0);
    assert!(rig.is_done(second));
}

#[test]
fn an_old_worker_that_crashes_is_restarted_with_the_old_generation() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.pass(secs(10)).take();
    rig.exit(2, 1);
    assert_eq!(rig.take(), ["spawn 4"]);
    let generation = |rig: &Rig, worker| rig.engine.worker(WorkerId(worker)).unwrap().generation;
    assert_eq!((generation(&rig, 3), generation(&rig, 4)), (2, 1));
    // Its step comes all the same.
    rig.serve(4).serve(3).take();
    rig.exit(1, 0).serve(5).exit(4, 0);
    assert!(rig.is_done(update));
    assert_eq!(generation(&rig, 5), 2);
}

#[test]
fn an_old_worker_that_crashes_beside_its_successor_is_not_restarted() {
    let mut rig = Rig::up(policy(1));
    let reload = rig.reload();
    rig.pass(secs(10)).take();
    rig.exit(1, 1).pass(secs(5));
    assert!(rig.take().is_empty());
    rig.serve(2);
    assert!(rig.is_done(reload));
}

#[test]
fn a_slot_that_does_not_serve_comes_first() {
    let mut rig = Rig::up(Policy {
        max_restarts: 0,
        ..policy(3)
    });
    rig.exit(2, 1).take();
    rig.reload();
    assert_eq!(rig.take(), ["spawn 4"]);
    assert_eq!(rig.workers(1), [4]);
}

#[test]
fn a_reload_of_an_app_that_rests_starts_it() {
    let mut rig = Rig::up(policy(2));
    rig.stop();
    rig.exit(1, 0).exit(2, 0).take();
    let reload = rig.update(2);
    assert_eq!(rig.take(), ["spawn 3", "spawn 4", "retired 1"]);
    rig.serve(3).serve(4);
    assert!(rig.is_done(reload));
    assert_eq!(rig.app().generation, 2);
}

#[test]
fn a_slot_that_an_operator_stopped_stays_stopped_unless_it_is_named() {
    let mut rig = Rig::up(policy(2));
    let slots = Some(vec![1]);
    rig.command(Command::Stop {
        app: APP,
        slots: slots.clone(),
    });
    rig.exit(2, 0).take();
    let reload = rig.reload();
    rig.serve(3).exit(1, 0);
    assert!(rig.is_done(reload));
    rig.take();
    rig.command(Command::Reload {
        app: APP,
        slots,
        update: None,
    });
    assert_eq!(rig.take(), ["spawn 4"]);
}

#[test]
fn the_old_generation_is_retired_with_its_last_worker() {
    let mut rig = Rig::up(policy(1));
    rig.update(2);
    rig.serve(2).take();
    assert_eq!(rig.app().generation, 2);
    assert_eq!(rig.exit(1, 0).take(), ["reply 2", "retired 1"]);
}

#[test]
fn timeouts_of_an_old_worker_are_those_of_its_generation() {
    let mut rig = Rig::up(policy(1));
    rig.command(Command::Reload {
        app: APP,
        slots: None,
        update: Some((
            Policy {
                drain_timeout: secs(1),
                ..policy(1)
            },
            2,
        )),
    });
    rig.serve(2).pass(secs(9));
    assert_eq!(rig.take(), ["spawn 2", "drain 1"]);
    assert_eq!(rig.pass(secs(1)).take(), ["signal 1"]);
}
