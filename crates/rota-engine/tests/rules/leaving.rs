//! Workers that leave by their own wish.

use rota_engine::{Event, FailReason, Policy, StopReason, WorkerId};

use crate::rig::{Rig, policy, secs};

fn leave(rig: &mut Rig, worker: u64) {
    let worker = WorkerId(worker);
    rig.tell(Event::Leaving { worker });
}

#[test]
fn its_successor_starts_beside_it_and_it_has_time_to_go() {
    let mut rig = Rig::up(policy(1));
    rig.pass(secs(60));
    leave(&mut rig, 1);
    assert_eq!(rig.take(), ["spawn 2"]);
    assert_eq!(rig.workers(0), [2, 1]);
    assert_eq!(rig.slot(0).unstable, 0);
    rig.serve(2);
    assert_eq!(rig.pass(secs(10)).take(), ["signal 1"]);
    rig.exit(1, 0);
    assert_eq!(
        rig.slot(0).last_exit.unwrap().stopped,
        Some(StopReason::Left)
    );
}

#[test]
fn it_may_go_before_its_successor_is_ready() {
    let mut rig = Rig::up(policy(1));
    rig.pass(secs(60));
    leave(&mut rig, 1);
    rig.exit(1, 0).serve(2).pass(secs(60));
    assert_eq!(rig.take(), ["spawn 2"]);
}

#[test]
fn once_drained_it_has_as_long_as_after_a_signal() {
    let mut rig = Rig::up(policy(1));
    rig.pass(secs(60));
    leave(&mut rig, 1);
    rig.tell(Event::Drained {
        worker: WorkerId(1),
    });
    assert_eq!(rig.take(), ["spawn 2"]);
    assert_eq!(rig.pass(secs(5)).take(), ["signal 1"]);
}

#[test]
fn one_that_leaves_as_soon_as_it_is_ready_counts_as_unstable() {
    let mut rig = Rig::up(Policy {
        max_restarts: 0,
        ..policy(1)
    });
    leave(&mut rig, 1);
    assert!(rig.take().is_empty());
    assert!(matches!(rig.app().errored, Some(FailReason::Left { .. })));
}

#[test]
fn without_a_surge_its_successor_waits() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        ..policy(1)
    });
    rig.pass(secs(60));
    leave(&mut rig, 1);
    assert!(rig.take().is_empty());
    assert_eq!(rig.exit(1, 0).take(), ["spawn 2"]);
}

#[test]
fn without_autorestart_it_is_the_end() {
    let mut rig = Rig::up(Policy {
        autorestart: false,
        ..policy(1)
    });
    rig.pass(secs(60));
    leave(&mut rig, 1);
    rig.exit(1, 0).pass(secs(60));
    assert!(rig.take().is_empty());
}
