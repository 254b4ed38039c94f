//! What is saved and restored.

use rota_engine::{
    AppId, Command, Engine, Event, Policy, RestoredApp, SavedShared, StopReason, Time, WorkerId,
};
use serde_json::{Value, json};

use crate::rig::{APP, Rig, policy, secs};

/// What an earlier version wrote: has to be readable for ever.
const WRITTEN: &str = include_str!("data/app-v1.json");

fn saved(rig: &Rig) -> Value {
    serde_json::to_value(rig.engine.save_app(APP)).unwrap()
}

fn read(app: &Value) -> RestoredApp {
    serde_json::from_str(&app.to_string()).unwrap()
}

fn shared(rig: &Rig) -> SavedShared {
    let text = serde_json::to_string(&rig.engine.save_shared()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The engine that follows, which is the same.
fn reborn(rig: &Rig) -> Rig {
    let (engine, left_out) = Engine::restore(Some(shared(rig)), [read(&saved(rig))]);
    assert!(left_out.is_empty(), "{left_out:?}");
    assert_eq!(engine, rig.engine);
    rig.followed_by(engine)
}

/// Why an app is left out.
fn refusal(rig: &Rig, apps: &[Value]) -> String {
    let (_, left_out) = Engine::restore(Some(shared(rig)), apps.iter().map(read));
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    left_out[0].1.clone()
}

fn tampered(rig: &Rig, pointer: &str, value: Value) -> Value {
    let mut app = saved(rig);
    *app.pointer_mut(pointer).unwrap() = value;
    app
}

#[test]
fn a_rollout_goes_on_where_it_was() {
    let mut rig = Rig::up(policy(2));
    let reload = rig.update(2);
    rig.spawned(3);
    let mut rig = reborn(&rig);
    rig.ready(3);
    assert_eq!(rig.take(), ["drain 1", "spawn 4"]);
    rig.exit(1, 0).serve(4);
    reborn(&rig).exit(2, 0);
    rig.exit(2, 0);
    assert!(rig.is_done(reload));
}

#[test]
fn settings_are_saved_once() {
    let mut rig = Rig::up(policy(4));
    rig.update(2);
    let policies = saved(&rig)["policies"].clone();
    let keys: Vec<_> = policies.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["1", "2"]);
}

#[test]
fn a_generation_may_have_two_numbers_of_instances() {
    let mut rig = Rig::up(policy(2));
    rig.command(Command::Stop {
        app: APP,
        slots: Some(vec![1]),
    });
    rig.exit(2, 0);
    rig.start(policy(3));
    let policies = saved(&rig)["policies"].clone();
    let keys: Vec<_> = policies.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["1", "1.1"]);
    let rig = reborn(&rig);
    assert_eq!(rig.app().policy.instances, 3);
}

#[test]
fn what_an_earlier_version_wrote_is_read() {
    let app: RestoredApp = serde_json::from_str(WRITTEN).unwrap();
    let (engine, left_out) = Engine::restore(None, [app]);
    assert!(left_out.is_empty(), "{left_out:?}");
    let view = engine.app(APP).unwrap();
    assert_eq!(view.rollout.unwrap().to, 2);
    assert_eq!(view.slots[0].workers.len(), 2);
    // Everything that is written now was written then.
    let written: Value = serde_json::from_str(WRITTEN).unwrap();
    assert_eq!(serde_json::to_value(engine.save_app(APP)).unwrap(), written);
}

#[test]
fn unknown_fields_are_ignored_and_unknown_variants_are_not() {
    let rig = Rig::up(policy(1));
    let mut app = saved(&rig);
    app["later"] = json!(1);
    app["app"]["later"] = json!([2]);
    app["app"]["slots"]["0"]["later"] = json!({});
    app["policies"]["1"]["later"] = json!(null);
    let (engine, _) = Engine::restore(Some(shared(&rig)), [read(&app)]);
    assert_eq!(engine, rig.engine);
    app["app"]["life"] = json!("Later");
    assert!(serde_json::from_value::<RestoredApp>(app).is_err());
}

#[test]
fn settings_that_it_does_not_have_are_the_usual_ones() {
    let rig = Rig::up(policy(1));
    let mut app = saved(&rig);
    let settings = app["policies"]["1"].as_object_mut().unwrap();
    settings.remove("surge").unwrap();
    let (engine, _) = Engine::restore(Some(shared(&rig)), [read(&app)]);
    let surge = engine.app(APP).unwrap().policy.surge;
    assert_eq!(surge, Policy::default().surge);
    app["policies"].as_object_mut().unwrap().clear();
    assert!(serde_json::from_value::<RestoredApp>(app).is_err());
}

#[test]
fn contradictions_are_found() {
    let mut rig = Rig::up(policy(2));
    let nobody = json!({ "Filled": 9 });
    let told = [
        ("/app/slots/1/seat", nobody, "worker 2 has no place"),
        ("/app/slots/1/seat", json!("Empty"), "worker 2 has no place"),
        ("/app/workers/1/slot", json!(0), "worker 2 is in two slots"),
        (
            "/app/workers/1/started",
            json!(1_u64 << 40),
            "it speaks of the future as past",
        ),
        (
            "/app/workers/1/phase",
            json!({ "Killing": { "again": 1 } }),
            "worker 2 does not suit its place",
        ),
        (
            "/policies/1/instances",
            json!(u32::MAX),
            "4294967295 instances are too many",
        ),
    ];
    for (place, value, reason) in told {
        assert_eq!(refusal(&rig, &[tampered(&rig, place, value)]), reason);
    }
    let mut gap = saved(&rig);
    let slots = gap["app"]["slots"].as_object_mut().unwrap();
    let moved = slots.remove("1").unwrap();
    slots.insert("5".to_owned(), moved);
    assert_eq!(refusal(&rig, &[gap]), "there is a gap in its slots");
    rig.update(2);
    let no_step = tampered(&rig, "/app/operation/Rollout/steps", json!([]));
    let reason = refusal(&rig, &[no_step]);
    assert_eq!(reason, "a worker takes slot 0 by no step");
}

#[test]
fn apps_do_not_share_anything() {
    let rig = Rig::up(policy(1));
    let app = saved(&rig);
    let reason = refusal(&rig, &[app.clone(), app.clone()]);
    assert_eq!(reason, "it is there twice");
    let other = tampered(&rig, "/app/id", json!(8));
    let reason = refusal(&rig, &[app, other]);
    assert_eq!(reason, "worker 1 is another app's");
}

#[test]
fn a_slots_id_that_is_taken_is_replaced() {
    let rig = Rig::up(policy(2));
    let mut other = tampered(&rig, "/app/id", json!(8));
    other["app"]["workers"] = json!([]);
    for slot in ["0", "1"] {
        other["app"]["slots"][slot]["seat"] = json!("Empty");
    }
    let apps = [read(&saved(&rig)), read(&other)];
    let (mut engine, left_out) = Engine::restore(Some(shared(&rig)), apps);
    assert!(left_out.is_empty());
    let ids = engine.apps().flat_map(|view| view.slots);
    let ids: Vec<_> = ids.map(|slot| slot.id).collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert!(engine.take_changed().into_iter().eq([AppId(8)]));
}

#[test]
fn nothing_shared_is_left() {
    let mut rig = Rig::up(policy(2));
    rig.pass(secs(60));
    rig.exit(2, 1);
    let (engine, _) = Engine::restore(None, [read(&saved(&rig))]);
    let mut next = rig.followed_by(engine);
    // 3 is on its way already: its successor does not get a number that was used.
    assert_eq!(next.spawned(3).exit(3, 1).pass(secs(1)).take(), ["spawn 4"]);
}

#[test]
fn the_highest_worker_counts() {
    let rig = Rig::up(policy(1));
    let text = serde_json::to_string(&rig.engine.save_shared()).unwrap();
    let mut behind: Value = serde_json::from_str(&text).unwrap();
    behind["last_worker"] = json!(0);
    let behind = serde_json::from_value(behind).unwrap();
    let (engine, _) = Engine::restore(Some(behind), [read(&saved(&rig))]);
    assert_eq!(engine, rig.engine);
}

#[test]
fn a_shutdown_goes_on() {
    let mut rig = Rig::up(policy(1));
    let alive = saved(&rig);
    rig.command(Command::Shutdown { now: false });
    rig.out.clear();
    let mut next = reborn(&rig);
    let answer = ["reply 2", "complete"];
    assert_eq!(next.exit(1, 0).take(), answer);
    let reason = refusal(&next, &[alive]);
    assert_eq!(reason, "it goes on after the shutdown");
    // Nobody knows any more who asked for it.
    let (engine, _) = Engine::restore(None, [read(&saved(&rig))]);
    let mut next = rig.followed_by(engine);
    assert_eq!(next.exit(1, 0).take(), ["complete"]);
}

#[test]
fn spawns_drains_and_kills_are_outstanding() {
    let mut rig = Rig::up(policy(3));
    // 2 leaves by itself and has a successor, 3 does not react.
    rig.pass(secs(60));
    rig.tell(Event::Leaving {
        worker: WorkerId(2),
    });
    rig.tell(Event::Hung {
        worker: WorkerId(3),
        reason: "blocked".to_owned(),
    });
    rig.stop();
    rig.pass(secs(1)).take();
    let mut next = reborn(&rig);
    assert_eq!(rig.workers(0), [1]);
    next.out = next.engine.outstanding();
    let expected = [
        "drain 1", "kill 3", "spawn 4", "drain 4", "spawn 5", "drain 5",
    ];
    assert_eq!(next.take(), expected);
    // Their process is told, and what was decided about it meanwhile is done.
    assert_eq!(next.drained(4).spawned(4).take(), ["signal 4"]);
    let (of_2, left) = (next.slot(1).workers[0], Some(StopReason::Left));
    assert_eq!((of_2.worker, of_2.stopping), (WorkerId(2), left));
}

#[test]
fn nothing_is_outstanding_at_rest() {
    assert!(Rig::up(policy(3)).engine.outstanding().is_empty());
}

#[test]
fn changes_are_told_once() {
    let mut rig = Rig::up(policy(1));
    let changed = |rig: &mut Rig| !rig.engine.take_changed().is_empty();
    assert!(changed(&mut rig));
    assert!(!changed(&mut rig));
    rig.tell(Event::Tick);
    rig.ready(99);
    assert!(!changed(&mut rig));
    rig.exit(1, 1);
    assert!(changed(&mut rig));
    rig.command(Command::Delete { app: APP });
    rig.exit(2, 0);
    assert!(rig.engine.app(APP).is_none());
    assert!(changed(&mut rig));
    assert!(rig.engine.save_app(APP).is_none());
}

#[test]
fn deadlines_pass_while_nobody_is_there() {
    let mut rig = Rig::up(policy(1));
    rig.stop();
    let mut next = reborn(&rig);
    let due = next.engine.next_deadline().unwrap();
    assert_eq!(due, Time(rig.now + 10_000));
    next.now += 3_600_000;
    assert_eq!(next.tell(Event::Tick).take(), ["signal 1"]);
}
