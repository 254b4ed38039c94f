//! Apps that depend on others.

use rota_engine::{
    AppId, AppStatus, Command, CommandId, Engine, FailReason, Outcome, Policy, SlotStatus,
};

use crate::rig::{APP as WEB, Rig, policy, secs};

const DB: AppId = AppId(3);

fn web() -> Policy {
    Policy {
        after: vec![DB],
        ..policy(1)
    }
}

fn start(rig: &mut Rig, app: AppId, policy: Policy) -> CommandId {
    rig.command(Command::Start {
        app,
        policy,
        generation: 1,
    })
}

fn stop(rig: &mut Rig, app: AppId) -> CommandId {
    rig.command(Command::Stop { app, slots: None })
}

/// Both run: the worker of db is 1, that of web 2.
fn both() -> Rig {
    let mut rig = Rig::new();
    start(&mut rig, DB, policy(1));
    start(&mut rig, WEB, web());
    rig.serve(1).serve(2);
    rig.out.clear();
    rig
}

/// The engine that follows.
fn reborn(rig: &Rig) -> Rig {
    let shared = serde_json::to_string(&rig.engine.save_shared()).unwrap();
    let app = |app| serde_json::to_string(&rig.engine.save_app(app)).unwrap();
    let apps = [DB, WEB].map(|id| serde_json::from_str(&app(id)).unwrap());
    let (engine, left_out) = Engine::restore(Some(serde_json::from_str(&shared).unwrap()), apps);
    assert!(left_out.is_empty(), "{left_out:?}");
    assert_eq!(engine, rig.engine);
    rig.followed_by(engine)
}

fn dependency(rig: &Rig, id: CommandId) -> Option<bool> {
    match rig.answer(id) {
        Some(Outcome::Failed(failure)) => match failure.reason {
            FailReason::Dependency { app: DB, resting } => Some(resting),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_start_waits_until_what_it_depends_on_serves() {
    let mut rig = Rig::new();
    let db = start(&mut rig, DB, policy(1));
    let web = start(&mut rig, WEB, web());
    rig.spawned(1);
    rig.pass(secs(15));
    assert_eq!(rig.take(), ["spawn 1"]);
    assert_eq!(rig.app().status, AppStatus::Launching);
    rig.ready(1);
    assert_eq!(rig.take(), ["reply 1", "spawn 2"]);
    rig.serve(2);
    assert!(rig.is_done(web));
    let _ = db;
}

#[test]
fn a_failure_is_told_at_once_and_it_starts_when_the_other_serves_after_all() {
    let mut rig = Rig::new();
    start(&mut rig, DB, policy(1));
    let web = start(&mut rig, WEB, web());
    rig.spawned(1).exit(1, 1);
    assert_eq!(dependency(&rig, web), Some(false));
    rig.out.clear();
    rig.pass(secs(1));
    rig.serve(2);
    assert_eq!(rig.take(), ["spawn 2", "spawn 3"], "db, and then web");
    rig.serve(3);
    assert_eq!(rig.app().status, AppStatus::Online);
}

#[test]
fn it_rests_when_the_other_is_stopped_meanwhile() {
    let mut rig = Rig::new();
    start(&mut rig, DB, policy(1));
    let web = start(&mut rig, WEB, web());
    stop(&mut rig, DB);
    assert_eq!(dependency(&rig, web), Some(true));
    assert_eq!(rig.app().slots[0].status, SlotStatus::Stopped);
    assert!(!rig.app().slots[0].wanted);
}

#[test]
fn a_chain_fails_as_a_whole() {
    let mut rig = Rig::new();
    let last = AppId(9);
    start(&mut rig, DB, policy(1));
    start(&mut rig, WEB, web());
    let policy = Policy {
        after: vec![WEB],
        ..policy(1)
    };
    let third = start(&mut rig, last, policy);
    rig.spawned(1).exit(1, 1);
    assert!(matches!(rig.answer(third), Some(Outcome::Failed(_))));
}

#[test]
fn a_job_that_is_done_is_enough() {
    let mut rig = Rig::new();
    let job = Policy {
        autorestart: false,
        ..policy(1)
    };
    start(&mut rig, DB, job);
    let web = start(&mut rig, WEB, web());
    rig.spawned(1).exit(1, 0);
    rig.serve(2);
    assert!(rig.is_done(web), "{:?}", rig.out);
}

#[test]
fn who_insists_does_not_wait() {
    for command in [
        Command::Restart {
            app: WEB,
            slots: None,
            update: None,
        },
        Command::Delete { app: WEB },
    ] {
        let mut rig = Rig::new();
        start(&mut rig, DB, policy(1));
        let web = start(&mut rig, WEB, web());
        rig.command(command);
        assert!(matches!(rig.answer(web), Some(Outcome::Failed(_))));
    }
}

#[test]
fn it_goes_on_waiting_in_the_next_engine() {
    let mut rig = Rig::new();
    start(&mut rig, DB, policy(1));
    start(&mut rig, WEB, web());
    rig.spawned(1);
    let mut next = reborn(&rig);
    next.ready(1);
    assert_eq!(next.take(), ["reply 1", "spawn 2"]);
}

#[test]
fn dependents_are_gone_before_what_they_depend_on_is_stopped() {
    let mut rig = both();
    let web = stop(&mut rig, WEB);
    let db = stop(&mut rig, DB);
    assert_eq!(rig.take(), ["drain 2"]);
    rig.exit(2, 0);
    assert!(rig.is_done(web));
    assert_eq!(rig.take(), ["reply 3", "drain 1"]);
    rig.exit(1, 0);
    assert!(rig.is_done(db));
}

#[test]
fn alone_it_is_stopped_at_once() {
    let mut rig = both();
    stop(&mut rig, DB);
    assert_eq!(rig.take(), ["drain 1"]);
}

#[test]
fn a_shutdown_takes_dependents_first() {
    let mut rig = both();
    rig.command(Command::Shutdown { now: false });
    assert_eq!(rig.take(), ["drain 2"]);
    rig.exit(2, 0);
    assert_eq!(rig.take(), ["drain 1"]);
    rig.exit(1, 0);
    assert_eq!(rig.take(), ["reply 3", "complete"]);
    let mut rig = both();
    rig.command(Command::Shutdown { now: true });
    assert_eq!(rig.take(), ["kill 1", "kill 2"]);
}

#[test]
fn those_that_depend_on_each_other_are_shut_down_together() {
    let mut rig = Rig::new();
    start(&mut rig, DB, policy(1));
    start(&mut rig, WEB, web());
    rig.serve(1).serve(2);
    let policy = Policy {
        after: vec![WEB],
        ..policy(1)
    };
    rig.command(Command::Define {
        app: DB,
        policy,
        generation: 2,
    });
    rig.out.clear();
    rig.command(Command::Shutdown { now: false });
    assert_eq!(rig.take(), ["drain 1", "drain 2"]);
}
