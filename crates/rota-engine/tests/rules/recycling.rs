//! Planned replacements.

use rota_engine::{AppStatus, Command, Effect, Event, Notice, Policy, WorkerId, WorkerStatus};

use crate::rig::{APP, Rig, policy, secs};

impl Rig {
    fn recycle(&mut self, worker: u64) -> &mut Self {
        self.tell(Event::Recycle {
            worker: WorkerId(worker),
            reason: "memory".to_owned(),
        })
    }

    /// The pauses that were announced since the last `take`, in seconds.
    fn pauses(&self) -> Vec<Option<u64>> {
        let pause = |effect: &Effect| match effect {
            Effect::Notice {
                notice: Notice::RecycleFailed { again, .. },
                ..
            } => Some(again.map(|span| span.as_secs())),
            _ => None,
        };
        self.out.iter().filter_map(pause).collect()
    }

    fn serving(&self) -> usize {
        let slots = self.app().slots;
        let workers = slots.iter().flat_map(|slot| &slot.workers);
        workers
            .filter(|worker| worker.status == WorkerStatus::Ready)
            .count()
    }
}

#[test]
fn one_at_a_time_and_not_observed() {
    let mut rig = Rig::up(Policy {
        observe: secs(3),
        ..policy(2)
    });
    rig.recycle(1).recycle(2);
    assert_eq!(rig.take(), ["spawn 3"]);
    assert_eq!(rig.app().status, AppStatus::Online);
    assert_eq!(rig.serve(3).take(), ["drain 1", "spawn 4"]);
    assert_eq!(rig.serve(4).take(), ["drain 2"]);
}

#[test]
fn never_below_the_floor() {
    let mut rig = Rig::up(policy(3));
    rig.recycle(1).recycle(2).recycle(3);
    for new in [4, 5, 6] {
        assert_eq!(rig.serving(), 3);
        rig.spawned(new);
        assert_eq!(rig.serving(), 3);
        rig.ready(new);
    }
    assert_eq!(rig.serving(), 3);
    rig.exit(1, 0).exit(2, 0).exit(3, 0);
    assert_eq!(rig.serving(), 3);
}

#[test]
fn asked_twice_is_done_once() {
    let mut rig = Rig::up(policy(2));
    rig.recycle(1).recycle(2).recycle(2).recycle(1);
    rig.serve(3).recycle(1).serve(4).recycle(2);
    assert_eq!(rig.take(), ["spawn 3", "drain 1", "spawn 4", "drain 2"]);
    rig.exit(1, 0).exit(2, 0).pass(secs(3600));
    assert_eq!(rig.take(), [""; 0]);
}

#[test]
fn a_worker_on_its_way_out_is_left_alone() {
    let mut rig = Rig::up(policy(1));
    rig.reload();
    rig.serve(2).recycle(1).pass(secs(5));
    assert_eq!(rig.take(), ["spawn 2", "drain 1"]);
}

#[test]
fn with_no_surge_one_ends_before_its_successor_and_the_next_one_waits() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        drains: false,
        ..policy(2)
    });
    rig.recycle(1).recycle(2);
    assert_eq!(rig.take(), ["signal 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 3"]);
    assert_eq!(rig.serving(), 1);
    assert_eq!(rig.serve(3).take(), ["signal 2"]);
    rig.exit(2, 0).serve(4);
    assert_eq!(rig.serving(), 2);
}

#[test]
fn a_failure_leaves_the_old_worker_and_is_not_tried_again_at_once() {
    let mut rig = Rig::up(policy(1));
    rig.recycle(1);
    rig.spawned(2).exit(2, 1).recycle(1).pass(secs(59));
    assert_eq!(rig.pauses(), [Some(60)]);
    assert_eq!(rig.take(), ["spawn 2"]);
    assert_eq!(rig.workers(0), [1]);
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 3"]);
    rig.spawned(3).exit(3, 1);
    assert_eq!(rig.pauses(), [Some(120)]);
    rig.take();
    assert_eq!(rig.pass(secs(119)).take(), [""; 0]);
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 4"]);
    assert_eq!(rig.serve(4).take(), ["drain 1"]);
}

#[test]
fn pauses_have_a_bound_and_a_success_ends_them() {
    let mut rig = Rig::up(policy(2));
    rig.recycle(1);
    for (round, pause) in [60, 120, 240, 480, 960, 960].into_iter().enumerate() {
        let new = 3 + u64::try_from(round).unwrap();
        rig.spawned(new).exit(new, 1);
        assert_eq!(rig.pauses(), [Some(pause)]);
        rig.pass(secs(pause)).out.clear();
    }
    rig.serve(9).take();
    // What follows begins anew.
    rig.recycle(2).spawned(10).exit(10, 1);
    assert_eq!(rig.pauses(), [Some(60)]);
}

#[test]
fn others_wait_as_well_while_it_fails() {
    let mut rig = Rig::up(policy(2));
    rig.recycle(1).recycle(2).spawned(3).exit(3, 1);
    assert_eq!(rig.take(), ["spawn 3"]);
    assert_eq!(rig.pass(secs(59)).take(), [""; 0]);
    rig.pass(secs(1)).serve(4).serve(5);
    assert_eq!(rig.take(), ["spawn 4", "drain 1", "spawn 5", "drain 2"]);
}

#[test]
fn a_reload_that_goes_well_lets_it_begin_anew() {
    let mut rig = Rig::up(policy(2));
    rig.recycle(1).spawned(3).exit(3, 1);
    rig.update(2);
    rig.serve(4).serve(5).exit(1, 0).exit(2, 0).take();
    assert_eq!(rig.recycle(4).take(), ["spawn 6"]);
}

#[test]
fn with_no_surge_a_failure_is_followed_by_the_ordinary_restarts() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        drains: false,
        ..policy(1)
    });
    rig.recycle(1);
    rig.exit(1, 0).spawned(2).exit(2, 1);
    assert_eq!(rig.take(), ["signal 1", "spawn 2", "spawn 3"]);
    rig.spawned(3).exit(3, 1);
    assert_eq!(rig.pauses(), [None]);
    rig.pass(secs(1)).serve(4);
    assert_eq!(rig.take(), ["spawn 4"]);
    assert_eq!(rig.pass(secs(3600)).take(), [""; 0]);
}

#[test]
fn gives_way_to_a_reload() {
    let mut rig = Rig::up(policy(1));
    rig.recycle(1).spawned(2).take();
    rig.reload();
    assert_eq!(rig.take(), ["drain 2"]);
    // The reload has replaced the worker that was to be recycled: nothing is left to do.
    rig.exit(2, 0).serve(3).exit(1, 0);
    assert_eq!(rig.take(), ["spawn 3", "drain 1", "reply 2"]);
}

#[test]
fn gives_way_to_scaling_and_is_tried_again() {
    let mut rig = Rig::up(policy(1));
    rig.recycle(1).spawned(2).take();
    rig.scale(2);
    rig.exit(2, 0).serve(3);
    assert_eq!(rig.take(), ["drain 2", "spawn 3", "reply 2", "spawn 4"]);
    assert_eq!(rig.serve(4).take(), ["drain 1"]);
}

#[test]
fn a_stop_ends_it() {
    let mut rig = Rig::up(policy(1));
    rig.recycle(1).spawned(2).exit(2, 1).take();
    rig.command(Command::Stop {
        app: APP,
        slots: None,
    });
    rig.exit(1, 0).pass(secs(3600));
    assert_eq!(rig.take(), ["drain 1", "reply 2"]);
}
