//! How a worker is stopped.

use rota_engine::{Command, Event, WorkerId, WorkerStatus};

use crate::rig::{APP, Rig, policy, secs};

fn hung(worker: u64) -> Event {
    Event::Hung {
        worker: WorkerId(worker),
        reason: "no beat".to_owned(),
    }
}

#[test]
fn drain_then_signal_then_kill_then_kill_again() {
    let mut rig = Rig::up(policy(1));
    let stop = rig.stop();
    assert_eq!(rig.take(), ["drain 1"]);
    assert_eq!(rig.pass(secs(10)).take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(5)).take(), ["kill 1"]);
    assert_eq!(rig.pass(secs(11)).take(), ["kill 1", "kill 1"]);
    rig.exit(1, 0);
    assert!(rig.is_done(stop));
    assert_eq!(rig.engine.next_deadline(), None);
}

#[test]
fn a_drained_worker_gets_its_signal_at_once() {
    let mut rig = Rig::up(policy(1));
    rig.stop();
    rig.take();
    rig.tell(Event::Drained {
        worker: WorkerId(1),
    });
    assert_eq!(rig.take(), ["signal 1"]);
}

#[test]
fn a_worker_that_is_not_ready_is_drained_for_it_may_listen() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.spawned(1).stop();
    assert_eq!(rig.take(), ["spawn 1", "reply 1", "drain 1"]);
    // It becomes ready on its way out: too late.
    assert!(rig.ready(1).take().is_empty());
    assert_eq!(rig.pass(secs(10)).take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(5)).take(), ["kill 1"]);
}

#[test]
fn one_that_has_nothing_to_finish_is_stopped_at_once() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.spawned(1).stop();
    rig.take();
    assert_eq!(rig.drained(1).take(), ["signal 1"]);
}

#[test]
fn one_that_is_not_ready_in_time_finishes_what_it_has() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.spawned(1).pass(secs(25));
    assert_eq!(rig.take(), ["spawn 1", "drain 1", "reply 1"]);
    // Its successor does not start beside it: nobody knows what it holds.
    assert_eq!(rig.pass(secs(5)).take(), ["signal 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 2"]);
}

#[test]
fn a_starting_worker_that_hangs_is_not_drained() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.spawned(1).take();
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1", "reply 1"]);
}

#[test]
fn a_policy_without_drain_starts_with_the_signal() {
    let mut quick = policy(1);
    quick.drains = false;
    let mut rig = Rig::up(quick);
    rig.stop();
    assert_eq!(rig.take(), ["signal 1"]);
}

#[test]
fn the_signal_waits_until_the_process_is_known() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    let stop = rig.stop();
    assert_eq!(rig.take(), ["spawn 1", "reply 1", "drain 1"]);
    assert!(rig.drained(1).take().is_empty());
    assert_eq!(rig.spawned(1).take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(5)).take(), ["kill 1"]);
    rig.exit(1, 0);
    assert!(rig.is_done(stop));
}

#[test]
fn a_process_that_never_came_to_be_ends_a_stop_too() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    let stop = rig.stop();
    rig.tell(Event::SpawnFailed {
        worker: WorkerId(1),
        reason: "no memory".to_owned(),
    });
    assert!(rig.is_done(stop));
    assert!(rig.workers(0).is_empty());
}

#[test]
fn a_hung_worker_is_not_drained_and_its_successor_starts_beside_it() {
    let mut rig = Rig::up(policy(1));
    rig.pass(secs(60));
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1", "spawn 2"]);
    assert_eq!(rig.pass(secs(1)).take(), ["kill 1"]);
    rig.serve(2).exit(1, 0);
    assert!(rig.take().is_empty());
    assert_eq!(rig.workers(0), [2]);
}

#[test]
fn where_nothing_may_run_beside_a_hung_worker_its_successor_waits_until_it_is_gone() {
    let mut alone = policy(1);
    alone.surge = 0;
    let mut rig = Rig::up(alone);
    rig.pass(secs(60));
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(1)).take(), ["kill 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 2"]);
}

#[test]
fn a_worker_that_hangs_again_and_again_is_started_ever_later() {
    let mut rig = Rig::up(policy(1));
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(1)).take(), ["spawn 2", "kill 1"]);
}

#[test]
fn a_worker_that_hangs_in_a_restart_is_still_gone_before_its_successor_starts() {
    let mut rig = Rig::up(policy(1));
    rig.command(Command::Restart {
        app: APP,
        slots: None,
        update: None,
    });
    assert_eq!(rig.take(), ["drain 1"]);
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1"]);
    assert_eq!(rig.pass(secs(1)).take(), ["kill 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 2"]);
}

#[test]
fn a_worker_that_hangs_while_draining_gets_its_signal() {
    let mut rig = Rig::up(policy(1));
    rig.stop();
    rig.take();
    rig.tell(Event::Hung {
        worker: WorkerId(1),
        reason: "no beat".to_owned(),
    });
    assert_eq!(rig.take(), ["signal 1"]);
}

#[test]
fn a_shutdown_now_goes_straight_to_the_kill_and_hastens_one_under_way() {
    let mut rig = Rig::up(policy(2));
    let polite = rig.command(Command::Shutdown { now: false });
    assert_eq!(rig.take(), ["drain 1", "drain 2"]);
    let hasty = rig.command(Command::Shutdown { now: true });
    assert_eq!(rig.take(), ["kill 1", "kill 2"]);
    rig.exit(1, 0).exit(2, 0);
    assert!(rig.is_done(polite) && rig.is_done(hasty));
    assert_eq!(rig.take(), ["reply 2", "reply 3", "complete"]);
}

#[test]
fn a_shutdown_with_nothing_to_stop_is_complete_at_once() {
    let mut rig = Rig::new();
    rig.command(Command::Shutdown { now: false });
    assert_eq!(rig.take(), ["reply 1", "complete"]);
    rig.command(Command::Shutdown { now: true });
    assert_eq!(rig.take(), ["reply 2"]);
}

#[test]
fn a_shutdown_leaves_what_the_slots_are_meant_to_do() {
    let mut rig = Rig::up(policy(1));
    rig.command(Command::Shutdown { now: true });
    rig.exit(1, 0).pass(secs(100));
    assert!(rig.slot(0).wanted && rig.workers(0).is_empty());
}

#[test]
fn the_view_tells_the_rung() {
    let mut rig = Rig::up(policy(1));
    rig.stop();
    let status = |rig: &Rig| rig.engine.worker(WorkerId(1)).unwrap().status;
    assert_eq!(status(&rig), WorkerStatus::Draining);
    rig.pass(secs(10));
    assert_eq!(status(&rig), WorkerStatus::Stopping);
    rig.pass(secs(5));
    assert_eq!(status(&rig), WorkerStatus::Killing);
}

#[test]
fn a_message_comes_before_the_signal() {
    let mut asking = policy(1);
    asking.asks = true;
    let mut rig = Rig::up(asking.clone());
    rig.stop();
    assert_eq!(rig.take(), ["drain 1"]);
    assert_eq!(rig.drained(1).take(), ["ask 1"]);
    assert_eq!(
        rig.engine.worker(WorkerId(1)).unwrap().status,
        WorkerStatus::Stopping
    );
    assert_eq!(rig.pass(secs(5)).take(), ["signal 1"]);
    assert_eq!(rig.pass(asking.hung_timeout).take(), ["kill 1"]);
}

#[test]
fn one_that_hangs_is_not_asked() {
    let mut asking = policy(1);
    asking.asks = true;
    let mut rig = Rig::up(asking);
    rig.tell(hung(1));
    assert_eq!(rig.take()[0], "signal 1");
}

#[test]
fn one_that_hangs_after_the_message_gets_the_signal_at_once() {
    let mut asking = policy(1);
    (asking.asks, asking.drains) = (true, false);
    let mut rig = Rig::up(asking);
    rig.stop();
    assert_eq!(rig.take(), ["ask 1"]);
    rig.tell(hung(1));
    assert_eq!(rig.take(), ["signal 1"]);
}
