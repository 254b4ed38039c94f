//! What follows when a worker ends by itself.

use std::time::Duration;

use rota_engine::{
    AppStatus, Command, Event, ExitStatus, FailReason, Outcome, Policy, SlotStatus, WorkerId,
};

use crate::rig::{Rig, policy, secs};

#[test]
fn a_worker_that_served_is_restarted_at_once() {
    let mut rig = Rig::up(policy(2));
    rig.pass(secs(2)).take();
    assert_eq!(rig.exit(1, 1).take(), ["spawn 3"]);
    assert_eq!(rig.slot(0).restarts, 1);
    assert_eq!(rig.slot(0).unstable, 0);
    let last = rig.slot(0).last_exit.unwrap();
    assert_eq!((last.status, last.stopped), (ExitStatus::Code(1), None));
}

#[test]
fn one_that_did_not_waits_longer_each_time_and_is_given_up() {
    let mut rig = Rig::new();
    let start = rig.start(Policy {
        max_restarts: 3,
        ..policy(1)
    });
    let mut delays = Vec::new();
    for worker in 1..=4 {
        rig.spawned(worker).exit(worker, 1);
        if let Some(due) = rig.engine.next_deadline() {
            delays.push(due.0 - rig.now);
            rig.pass(Duration::from_millis(due.0 - rig.now));
        }
    }
    let near = |delay: u64, about: u64| (about * 8 / 10..=about * 12 / 10).contains(&delay);
    assert_eq!(delays.len(), 3);
    assert!(near(delays[0], 100) && near(delays[1], 200) && near(delays[2], 400));
    assert_eq!(rig.slot(0).status, SlotStatus::Errored);
    assert_eq!(rig.app().status, AppStatus::Errored);
    assert!(matches!(
        rig.app().errored,
        Some(FailReason::Crashed { .. })
    ));
    assert!(matches!(
        rig.failure(start).reason,
        FailReason::Crashed { .. }
    ));
    assert_eq!(rig.engine.next_deadline(), None);
}

#[test]
fn the_others_go_on_when_a_slot_is_given_up() {
    let mut rig = Rig::up(Policy {
        max_restarts: 0,
        ..policy(2)
    });
    rig.exit(1, 1);
    assert_eq!(rig.slot(0).status, SlotStatus::Errored);
    assert_eq!(rig.app().status, AppStatus::Online);
    assert_eq!(rig.workers(1), [2]);
}

#[test]
fn a_stop_exit_code_means_finished() {
    let mut rig = Rig::up(Policy {
        stop_exit_codes: vec![0, 7],
        ..policy(1)
    });
    rig.exit(1, 7);
    assert!(rig.take().is_empty());
    assert_eq!(rig.app().status, AppStatus::Stopped);
    assert!(!rig.slot(0).wanted && rig.slot(0).finished);
    // What an operator stops is not finished, and what is reloaded is wanted.
    let stopped = rig.stop();
    assert!(rig.is_done(stopped) && !rig.slot(0).finished);
}

#[test]
fn without_autorestart_an_end_is_an_end() {
    let mut rig = Rig::up(Policy {
        autorestart: false,
        ..policy(1)
    });
    rig.exit(1, 1).pass(secs(100));
    assert!(rig.take().is_empty());
    assert_eq!(rig.app().status, AppStatus::Stopped);
}

#[test]
fn a_job_that_ends_well_before_it_is_observed_is_done() {
    let mut rig = Rig::new();
    let start = rig.start(Policy {
        autorestart: false,
        observe_start: secs(3),
        ..policy(1)
    });
    rig.serve(1).exit(1, 0).pass(secs(3));
    assert!(rig.is_done(start));
}

#[test]
fn a_fixed_delay_replaces_the_back_off() {
    let mut rig = Rig::up(Policy {
        restart_delay: secs(4),
        ..policy(1)
    });
    rig.pass(secs(60)).exit(1, 1);
    assert_eq!(rig.engine.next_deadline().unwrap().0, rig.now + 4000);
}

#[test]
fn a_back_off_that_is_set_counts_every_end_and_a_reset_forgets_it() {
    let mut rig = Rig::up(Policy {
        backoff: Some(secs(1)),
        ..policy(1)
    });
    let mut delays = Vec::new();
    for worker in 1..=4 {
        rig.pass(secs(2)).exit(worker, 1);
        let due = rig.engine.next_deadline().unwrap().0 - rig.now;
        delays.push(due);
        rig.pass(Duration::from_millis(due)).serve(worker + 1);
        if worker == 3 {
            let id = rig.command(Command::Reset {
                app: rig.app().app,
                slots: None,
            });
            assert!(rig.is_done(id));
            assert_eq!(rig.slot(0).restarts, 0);
        }
    }
    let near = |delay: u64, about: u64| (about * 8 / 10..=about * 12 / 10).contains(&delay);
    assert!(
        near(delays[0], 1000)
            && near(delays[1], 1500)
            && near(delays[2], 2250)
            && near(delays[3], 1000),
        "{delays:?}"
    );
}

#[test]
fn a_reset_of_what_was_given_up_starts_nothing() {
    let mut rig = Rig::up(Policy {
        max_restarts: 0,
        ..policy(2)
    });
    rig.exit(1, 1);
    let app = rig.app().app;
    let unknown = rig.command(Command::Reset {
        app,
        slots: Some(vec![7]),
    });
    assert!(matches!(rig.answer(unknown), Some(Outcome::Refused(_))));
    rig.take();
    let reset = rig.command(Command::Reset {
        app,
        slots: Some(vec![0]),
    });
    assert!(rig.is_done(reset));
    assert_eq!(rig.slot(0).unstable, 0);
    assert_eq!(rig.slot(0).status, SlotStatus::Errored);
    assert!(rig.app().errored.is_some(), "the reason stays");
}

#[test]
fn not_ready_in_time_is_a_failure() {
    let mut rig = Rig::new();
    let start = rig.start(policy(1));
    rig.spawned(1).pass(secs(20));
    assert!(matches!(
        rig.failure(start).reason,
        FailReason::NotReady { slot: 0, .. }
    ));
    assert_eq!(rig.take(), ["spawn 1", "drain 1", "reply 1"]);
    rig.exit(1, 0);
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 2"]);
}

#[test]
fn the_first_worker_may_be_assumed_ready_and_only_until_one_said_so() {
    let lenient = Policy {
        lenient_first_ready: true,
        ..policy(1)
    };
    let mut rig = Rig::new();
    let start = rig.start(lenient);
    rig.spawned(1).pass(secs(20));
    assert!(rig.is_done(start));
    assert_eq!(rig.app().status, AppStatus::Online);
    rig.take();
    // Its successor says so.
    rig.exit(1, 1).pass(secs(1)).serve(2).exit(2, 1);
    rig.take();
    rig.pass(secs(1)).spawned(3);
    assert_eq!(rig.pass(secs(20)).take(), ["spawn 3", "drain 3"]);
}

#[test]
fn a_process_that_cannot_be_created_is_tried_again() {
    let mut rig = Rig::new();
    let start = rig.start(policy(1));
    rig.tell(Event::SpawnFailed {
        worker: WorkerId(1),
        reason: "no such file".to_owned(),
    });
    assert!(matches!(
        rig.failure(start).reason,
        FailReason::SpawnFailed { .. }
    ));
    rig.take();
    assert_eq!(rig.app().status, AppStatus::WaitingRestart);
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 2"]);
}

#[test]
fn a_start_is_done_when_all_are_ready_and_the_first_was_observed() {
    let mut rig = Rig::new();
    let start = rig.start(Policy {
        observe_start: secs(3),
        ..policy(2)
    });
    rig.serve(1).pass(secs(2));
    rig.serve(2);
    assert_eq!(rig.answer(start), None);
    assert_eq!(rig.app().status, AppStatus::Launching);
    rig.pass(secs(1));
    assert!(matches!(rig.answer(start), Some(Outcome::Done(summary)) if summary.started == 2));
    assert_eq!(rig.app().status, AppStatus::Online);
}

#[test]
fn a_crash_while_the_first_is_observed_fails_the_start() {
    let mut rig = Rig::new();
    let start = rig.start(Policy {
        observe_start: secs(3),
        ..policy(2)
    });
    rig.serve(1).serve(2).pass(secs(2)).exit(2, 1);
    let failure = rig.failure(start);
    assert!(matches!(
        failure.reason,
        FailReason::Crashed {
            was_ready: true,
            slot: 1,
            ..
        }
    ));
}
