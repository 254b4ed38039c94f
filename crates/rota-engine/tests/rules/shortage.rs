//! Processes that cannot be made for lack of something that everybody shares.

use rota_engine::{
    AppStatus, Effect, Event, FailReason, Notice, Outcome, Policy, SlotStatus, WorkerId,
};

use crate::rig::{Rig, policy, secs};

impl Rig {
    /// There is no process for it, and that is nobody's fault.
    fn defer(&mut self, worker: u64) -> &mut Self {
        self.tell(Event::SpawnDeferred {
            worker: WorkerId(worker),
            reason: "too many open files".to_owned(),
        })
    }

    /// Nothing can be started for so long; gives the last worker that was tried.
    fn starve(&mut self, first: u64, seconds: u64) -> u64 {
        let end = self.now + seconds * 1000;
        let mut last = first;
        self.defer(first);
        while let Some(due) = self.engine.next_deadline().filter(|due| due.0 <= end) {
            self.now = due.0;
            self.tell(Event::Tick);
            let spawned = self.out.iter().rev().find_map(|effect| match effect {
                Effect::Spawn { worker, .. } => Some(worker.0),
                _ => None,
            });
            if let Some(worker) = spawned.filter(|worker| *worker > last) {
                last = worker;
                self.defer(worker);
            }
        }
        self.now = end;
        last
    }
}

fn is_shortage(reason: &FailReason) -> bool {
    matches!(reason, FailReason::NoResources { slot: 0, .. })
}

#[test]
fn it_is_tried_again_later_each_time_and_counts_for_nothing() {
    let mut rig = Rig::new();
    let start = rig.start(Policy {
        max_restarts: 0,
        autorestart: false,
        ..policy(1)
    });
    rig.defer(1);
    assert_eq!(rig.slot(0).shortage, Some("too many open files"));
    assert_eq!(rig.slot(0).status, SlotStatus::Waiting);
    let last = rig.starve(1, 10);
    assert!((5..12).contains(&last), "{last} tries in ten seconds");
    assert!(rig.answer(start).is_none(), "whoever started it waits");
    rig.pass(secs(15)).serve(last + 1);
    assert!(rig.is_done(start));
    let slot = rig.slot(0);
    assert_eq!((slot.restarts, slot.unstable, slot.shortage), (0, 0, None));
    assert!(slot.last_failure.is_none());
}

#[test]
fn every_try_is_told_with_the_reason() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.defer(1);
    let told = rig.out.iter().any(|effect| {
        matches!(effect, Effect::Notice { notice: Notice::SpawnDeferred { slot: 0, reason, .. }, .. }
            if reason == "too many open files")
    });
    assert!(told, "{:?}", rig.out);
}

#[test]
fn a_launch_does_not_wait_for_ever_and_its_slots_go_on_trying() {
    let mut rig = Rig::new();
    let start = rig.start(policy(1));
    let last = rig.starve(1, 40);
    let failure = rig.failure(start);
    assert!(is_shortage(&failure.reason) && !failure.rolled_back);
    assert_eq!(rig.app().status, AppStatus::WaitingRestart);
    rig.pass(secs(20)).serve(last + 1);
    assert_eq!(rig.app().status, AppStatus::Online);
}

#[test]
fn a_reload_waits_beside_the_old_worker() {
    let mut rig = Rig::up(policy(1));
    let update = rig.update(2);
    let last = rig.starve(2, 10);
    assert!(rig.answer(update).is_none());
    assert_eq!(rig.workers(0), [1]);
    rig.out.clear();
    rig.pass(secs(15)).serve(last + 1).drained(1).exit(1, 0);
    assert!(rig.is_done(update));
    assert_eq!(rig.slot(0).restarts, 1, "the one that took over");
}

#[test]
fn one_that_gets_nothing_turns_back_and_says_why() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.starve(3, 40);
    let failure = rig.failure(update);
    assert!(is_shortage(&failure.reason) && failure.rolled_back);
    assert_eq!((rig.workers(0), rig.workers(1)), (vec![1], vec![2]));
    assert!(rig.slot(0).shortage.is_none(), "it lacks nothing");
    assert_eq!(rig.app().generation, 1);
}

#[test]
fn where_the_old_worker_had_to_go_first_the_slot_goes_on_trying() {
    let mut rig = Rig::up(Policy {
        surge: 0,
        ..policy(1)
    });
    let update = rig.update(2);
    rig.drained(1).exit(1, 0);
    let last = rig.starve(2, 60);
    let failure = rig.failure(update);
    assert!(is_shortage(&failure.reason) && !failure.rolled_back);
    assert_eq!(rig.slot(0).generation, 1);
    rig.pass(secs(20)).serve(last + 1);
    assert_eq!(rig.app().status, AppStatus::Online);
    assert_eq!(rig.slot(0).unstable, 0);
}

#[test]
fn a_stop_does_not_wait_and_a_start_tries_at_once() {
    let mut rig = Rig::new();
    rig.start(policy(1));
    rig.starve(1, 5);
    let stop = rig.stop();
    assert!(rig.is_done(stop));
    assert_eq!(rig.engine.next_deadline(), None);
    rig.take();
    rig.start(policy(1));
    assert_eq!(rig.take().len(), 1, "a spawn, with no delay");
}

#[test]
fn a_crash_is_still_a_crash() {
    let mut rig = Rig::up(policy(1));
    rig.exit(1, 1).pass(secs(1)).defer(2).pass(secs(1));
    let slot = rig.slot(0);
    assert_eq!(
        (slot.unstable, slot.restarts),
        (1, 1),
        "a process under way"
    );
    rig.serve(3).exit(3, 1);
    assert_eq!(rig.slot(0).unstable, 2);
}

#[test]
fn it_survives_the_supervisor() {
    let mut rig = Rig::up(policy(1));
    let update = rig.update(2);
    rig.defer(2);
    let saved = serde_json::to_string(&rig.engine.save_app(crate::rig::APP)).unwrap();
    let shared = serde_json::to_string(&rig.engine.save_shared()).unwrap();
    let app = serde_json::from_str(&saved).unwrap();
    let shared = serde_json::from_str(&shared).unwrap();
    let (engine, left_out) = rota_engine::Engine::restore(Some(shared), [app]);
    assert!(left_out.is_empty() && engine == rig.engine);
    let mut next = rig.followed_by(engine);
    next.pass(secs(1));
    assert_eq!(next.take(), ["spawn 3"]);
    next.serve(3).drained(1).exit(1, 0);
    assert!(matches!(next.answer(update), Some(Outcome::Done(_))));
}
