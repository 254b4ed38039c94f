//! Other settings for an app as it is.

use rota_engine::{Command, CommandId, Effect, Outcome, Policy, Refusal};

use crate::rig::{APP, Rig, policy, secs};

fn define(rig: &mut Rig, policy: Policy, generation: u32) -> CommandId {
    rig.command(Command::Define {
        app: APP,
        policy,
        generation,
    })
}

fn patient(instances: u32) -> Policy {
    Policy {
        drain_timeout: secs(60),
        ..policy(instances)
    }
}

#[test]
fn workers_stay_and_have_the_new_settings() {
    let mut rig = Rig::up(policy(2));
    let defined = define(&mut rig, patient(2), 2);
    assert!(rig.is_done(defined));
    assert_eq!(
        rig.take(),
        ["reply 2", "retired 1"],
        "no process was touched"
    );
    let view = rig.app();
    assert_eq!(view.generation, 2);
    let workers = view.slots.iter().flat_map(|slot| &slot.workers);
    assert!(workers.into_iter().all(|worker| worker.generation == 2));
    rig.stop();
    rig.out.clear();
    rig.pass(secs(11));
    assert!(rig.take().is_empty(), "the new limit holds");
    rig.pass(secs(50));
    assert_eq!(rig.take(), ["signal 1", "signal 2"]);
}

#[test]
fn the_old_settings_are_retired() {
    let mut rig = Rig::up(policy(1));
    define(&mut rig, patient(1), 2);
    let retired = rig
        .out
        .iter()
        .any(|effect| matches!(effect, Effect::GenerationRetired { generation: 1, .. }));
    assert!(retired, "{:?}", rig.out);
}

#[test]
fn who_leaves_keeps_what_it_was_told() {
    let mut rig = Rig::up(policy(1));
    rig.reload();
    rig.serve(2);
    rig.out.clear();
    define(&mut rig, patient(1), 2);
    rig.out.clear();
    rig.pass(secs(11));
    assert_eq!(rig.take(), ["signal 1"]);
}

#[test]
fn a_new_app_is_at_rest_until_it_is_started() {
    let mut rig = Rig::new();
    let defined = define(&mut rig, policy(2), 1);
    assert!(rig.is_done(defined));
    rig.pass(secs(3600));
    assert_eq!(rig.take(), ["reply 1"]);
    assert_eq!(rig.app().slots.len(), 2);
    assert!(rig.app().slots.iter().all(|slot| !slot.wanted));
    let start = rig.start(policy(2));
    rig.serve(1).serve(2);
    assert!(rig.is_done(start));
}

#[test]
fn an_app_at_rest_stays_there_with_another_number_of_slots() {
    let mut rig = Rig::up(policy(2));
    rig.stop();
    rig.exit(1, 0).exit(2, 0);
    define(&mut rig, policy(3), 2);
    assert_eq!(rig.app().slots.len(), 3);
    define(&mut rig, policy(1), 3);
    assert_eq!(rig.app().slots.len(), 1);
    rig.pass(secs(100));
    assert!(rig.app().slots.iter().all(|slot| slot.workers.is_empty()));
    let none = define(&mut rig, policy(0), 4);
    let answer = rig.answer(none);
    assert!(matches!(
        answer,
        Some(Outcome::Refused(Refusal::NoInstances))
    ));
}

#[test]
fn it_waits_for_a_rollout() {
    let mut rig = Rig::up(policy(1));
    rig.update(2);
    let defined = define(&mut rig, patient(1), 3);
    assert!(rig.answer(defined).is_none());
    rig.serve(2);
    assert!(rig.is_done(defined));
    assert_eq!(rig.app().generation, 3);
}
