//! Apps whose state is lost.

use rota_engine::{
    AppFacts, Command, Engine, SlotFacts, SlotStatus, Time, WorkerFacts, WorkerId, WorkerStatus,
};

use crate::rig::{APP, Rig, policy, secs};

fn worker(number: u64, ready: bool) -> WorkerFacts {
    WorkerFacts {
        worker: WorkerId(number),
        pid: 1000 + u32::try_from(number % 1000).unwrap(),
        generation: 1,
        policy: policy(2),
        started: Time(0),
        ready,
    }
}

fn slot(slot: u32, wanted: bool, workers: Vec<WorkerFacts>) -> SlotFacts {
    SlotFacts {
        slot,
        id: None,
        wanted,
        workers,
    }
}

fn facts(slots: Vec<SlotFacts>) -> AppFacts {
    AppFacts {
        app: APP,
        policy: policy(2),
        generation: 1,
        known: [1].into(),
        slots,
    }
}

fn adopted(facts: AppFacts) -> Rig {
    let mut rig = Rig::new();
    rig.out = rig.engine.adopt(Time(rig.now), facts);
    rig
}

#[test]
fn who_serves_stays() {
    let slots = vec![
        slot(0, true, vec![worker(4, true)]),
        slot(1, true, vec![worker(7, true)]),
    ];
    let mut rig = adopted(facts(slots));
    assert!(rig.take().is_empty());
    assert!(rig.engine.outstanding().is_empty());
    let view = rig.slot(1).workers[0];
    assert_eq!((view.status, view.pid), (WorkerStatus::Ready, Some(1007)));
    // Ids go on behind the highest.
    assert_eq!(rig.exit(4, 1).take(), ["spawn 8"]);
    rig.serve(8);
    let reload = rig.update(2);
    assert_eq!(rig.take(), ["spawn 9"]);
    rig.serve(9).exit(8, 0).serve(10).exit(7, 0);
    assert!(rig.is_done(reload));
}

#[test]
fn the_newest_that_is_ready_holds_the_slot() {
    let workers = vec![worker(4, true), worker(6, false), worker(5, true)];
    let mut rig = adopted(facts(vec![slot(0, true, workers)]));
    assert_eq!(rig.take(), ["drain 4", "drain 6"]);
    assert_eq!(rig.workers(0), [5, 4, 6]);
}

#[test]
fn one_that_is_not_ready_has_its_time() {
    let mut rig = adopted(facts(vec![slot(0, true, vec![worker(4, false)])]));
    rig.pass(secs(19));
    assert!(rig.take().is_empty());
    rig.pass(secs(1));
    assert_eq!(rig.take(), ["drain 4"]);
}

#[test]
fn a_slot_with_nobody_gets_a_worker() {
    let slots = vec![slot(2, true, vec![]), slot(0, false, vec![worker(4, true)])];
    let mut rig = adopted(facts(slots));
    assert_eq!(rig.take(), ["drain 4", "spawn 5"]);
    // Nothing is known of slot 1.
    assert_eq!(rig.slot(1).status, SlotStatus::Stopped);
    assert_eq!(rig.slot(2).workers[0].worker, WorkerId(5));
}

#[test]
fn generations_that_nothing_needs_are_retired() {
    let mut facts = facts(vec![slot(0, true, vec![worker(4, true)])]);
    facts.generation = 3;
    facts.known = [1, 2, 3].into();
    let mut rig = adopted(facts);
    assert_eq!(rig.take(), ["retired 2"]);
    assert_eq!(rig.exit(4, 1).take(), ["spawn 5", "retired 1"]);
}

#[test]
fn a_slot_keeps_its_id() {
    let mut first = slot(0, true, vec![]);
    first.id = Some(5);
    let mut second = slot(1, true, vec![]);
    second.id = Some(5);
    let rig = adopted(facts(vec![first, second]));
    assert_eq!((rig.slot(0).id, rig.slot(1).id), (5, 0));
}

#[test]
fn what_the_engine_has_is_left_alone() {
    let mut rig = Rig::up(policy(2));
    let before = rig.engine.clone();
    let none = rig.engine.adopt(Time(rig.now), facts(vec![]));
    assert!(none.is_empty());
    assert_eq!(rig.engine, before);
    // Another app's worker is not taken away from it.
    let mut other = facts(vec![slot(0, true, vec![worker(1, true)])]);
    other.app.0 += 1;
    rig.out = rig.engine.adopt(Time(rig.now), other);
    assert_eq!(rig.take(), ["spawn 3"]);
    assert_eq!(rig.workers(0), [1]);
}

#[test]
fn during_a_shutdown_it_is_stopped() {
    let mut rig = Rig::up(policy(1));
    rig.command(Command::Shutdown { now: false });
    let (engine, _) = Engine::restore(Some(rig.engine.save_shared()), []);
    rig.engine = engine;
    let slots = vec![slot(0, true, vec![worker(1, true)]), slot(1, true, vec![])];
    rig.out = rig.engine.adopt(Time(rig.now), facts(slots));
    assert_eq!(rig.take(), ["drain 1"]);
    assert_eq!(rig.exit(1, 0).take(), ["reply 2", "complete"]);
}

#[test]
fn absurd_facts_do_no_harm() {
    let slots = vec![
        slot(u32::MAX, true, vec![worker(4, true)]),
        slot(0, true, vec![worker(u64::MAX, true), worker(3, true)]),
        slot(0, true, vec![worker(3, true)]),
    ];
    let mut rig = adopted(facts(slots));
    assert_eq!(rig.take(), ["drain 4"]);
    assert_eq!(rig.workers(0), [3]);
    rig.exit(4, 0);
    assert_eq!(rig.app().instances, 1);
}
