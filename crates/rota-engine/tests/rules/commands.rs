//! Commands, and commands while others are being carried out.

use rota_engine::{AppId, AppStatus, Command, Engine, FailReason, Outcome, Refusal, Time, Verb};

use crate::rig::{APP, Rig, policy, secs};

fn refusal(rig: &mut Rig, command: Command) -> Refusal {
    let id = rig.command(command);
    match rig.answer(id) {
        Some(Outcome::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn some(slots: &[u32]) -> Option<Vec<u32>> {
    Some(slots.to_vec())
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut rig = Rig::up(policy(2));
    let app = APP;
    let start = |instances, generation| Command::Start {
        app,
        policy: policy(instances),
        generation,
    };
    let stop = |app, slots| Command::Stop { app, slots };
    assert_eq!(refusal(&mut rig, stop(AppId(1), None)), Refusal::UnknownApp);
    assert_eq!(
        refusal(&mut rig, stop(app, some(&[0, 5]))),
        Refusal::UnknownSlot { slot: 5 }
    );
    assert_eq!(refusal(&mut rig, start(2, 2)), Refusal::AlreadyRunning);
    let scale = |instances| Command::Scale { app, instances };
    assert_eq!(refusal(&mut rig, scale(0)), Refusal::NoInstances);
    rig.stop();
    rig.exit(1, 0).exit(2, 0);
    assert_eq!(refusal(&mut rig, scale(3)), Refusal::NotRunning);
    assert_eq!(refusal(&mut rig, start(0, 3)), Refusal::NoInstances);
    rig.command(Command::Shutdown { now: false });
    assert_eq!(refusal(&mut rig, start(1, 4)), Refusal::ShuttingDown);
}

#[test]
fn a_refused_generation_is_retired() {
    let mut rig = Rig::up(policy(1));
    rig.command(Command::Start {
        app: APP,
        policy: policy(1),
        generation: 2,
    });
    assert_eq!(rig.take(), ["reply 2", "retired 2"]);
    rig.command(Command::Start {
        app: AppId(9),
        policy: policy(0),
        generation: 1,
    });
    assert_eq!(rig.take(), ["reply 3", "retired 1"]);
}

#[test]
fn a_stop_interrupts_a_rollout_and_everything_that_waits() {
    let mut rig = Rig::up(policy(2));
    let (update, scale) = (rig.update(2), rig.scale(3));
    rig.spawned(3);
    let stop = rig.stop();
    assert!(rig.is_superseded(update) && rig.is_superseded(scale));
    rig.exit(1, 0).exit(2, 0);
    assert_eq!(rig.answer(stop), None);
    rig.exit(3, 0);
    assert!(rig.is_done(stop));
    assert_eq!(rig.app().status, AppStatus::Stopped);
    assert_eq!(rig.engine.next_deadline(), None);
}

#[test]
fn a_stop_of_one_slot_takes_it_out_of_the_rollout() {
    let mut rig = Rig::up(policy(2));
    let update = rig.update(2);
    rig.spawned(3);
    rig.command(Command::Stop {
        app: APP,
        slots: some(&[0]),
    });
    rig.exit(1, 0).exit(3, 0).serve(4).exit(2, 0);
    assert!(rig.is_done(update));
    assert_eq!(rig.workers(0), [0; 0]);
    assert_eq!(rig.workers(1), [4]);
}

#[test]
fn a_rollout_without_slots_left_is_superseded() {
    let mut rig = Rig::up(policy(2));
    let one = rig.command(Command::Reload {
        app: APP,
        slots: some(&[0]),
        update: None,
    });
    rig.command(Command::Stop {
        app: APP,
        slots: some(&[0]),
    });
    assert!(rig.is_superseded(one));
}

#[test]
fn a_delete_removes_the_app_when_all_is_gone() {
    let mut rig = Rig::up(policy(1));
    let first = rig.command(Command::Delete { app: APP });
    let second = rig.command(Command::Delete { app: APP });
    assert_eq!(rig.app().status, AppStatus::Stopping);
    let reload = Command::Reload {
        app: APP,
        slots: None,
        update: None,
    };
    assert_eq!(refusal(&mut rig, reload), Refusal::Deleting);
    rig.exit(1, 0);
    assert!(rig.is_done(first) && rig.is_done(second));
    assert!(rig.engine.app(APP).is_none());
    assert_eq!(
        rig.take()[2..],
        ["reply 2", "reply 3", "retired 1", "removed"]
    );
}

#[test]
fn a_restart_stops_all_at_once_and_starts_them_again() {
    let mut rig = Rig::up(policy(2));
    let restart = rig.command(Command::Restart {
        app: APP,
        slots: None,
        update: Some((policy(2), 2)),
    });
    assert_eq!(rig.take(), ["drain 1", "drain 2"]);
    assert_eq!(rig.exit(1, 0).take(), ["spawn 3"]);
    rig.exit(2, 0).serve(3).serve(4);
    assert!(rig.is_done(restart));
    assert_eq!(rig.take(), ["spawn 4", "retired 1", "reply 2"]);
}

#[test]
fn a_restart_interrupts_a_rollout_and_starts_what_was_accepted() {
    let mut rig = Rig::up(policy(1));
    let update = rig.update(2);
    rig.spawned(2);
    let restart = rig.command(Command::Restart {
        app: APP,
        slots: None,
        update: None,
    });
    assert!(rig.is_superseded(update));
    assert!(matches!(
        rig.failure(update).reason,
        FailReason::Superseded { by: Verb::Restart }
    ));
    rig.exit(1, 0).exit(2, 0).serve(3);
    assert!(rig.is_done(restart));
    assert_eq!(rig.slot(0).workers[0].generation, 1);
}

#[test]
fn a_restart_of_one_slot_waits_for_the_rollout() {
    let mut rig = Rig::up(policy(2));
    rig.reload();
    let restart = rig.command(Command::Restart {
        app: APP,
        slots: some(&[1]),
        update: None,
    });
    rig.serve(3).exit(1, 0).serve(4).exit(2, 0).take();
    assert_eq!(rig.app().status, AppStatus::Launching);
    rig.exit(4, 0).serve(5);
    assert!(rig.is_done(restart));
}

#[test]
fn a_restart_revives_what_was_given_up() {
    let mut rig = Rig::up(rota_engine::Policy {
        max_restarts: 0,
        ..policy(1)
    });
    rig.exit(1, 1).take();
    let restart = rig.command(Command::Restart {
        app: APP,
        slots: None,
        update: None,
    });
    assert_eq!(rig.serve(2).take(), ["spawn 2", "reply 2"]);
    let _ = restart;
    assert_eq!(rig.slot(0).unstable, 0);
    assert_eq!(rig.app().errored, None);
}

#[test]
fn reloads_of_what_is_on_disk_are_one_reload_after_the_running_one() {
    let mut rig = Rig::up(policy(1));
    let first = rig.reload();
    let (second, third) = (rig.reload(), rig.reload());
    assert_eq!(rig.app().queued, 2);
    rig.serve(2).exit(1, 0);
    assert!(rig.is_done(first) && rig.answer(second).is_none());
    rig.serve(3).exit(2, 0);
    assert!(rig.is_done(second) && rig.is_done(third));
    assert_eq!(rig.workers(0), [3]);
    assert_eq!(rig.app().queued, 0);
}

#[test]
fn of_several_updates_that_wait_the_last_wins() {
    let mut rig = Rig::up(policy(1));
    rig.update(2);
    let disk = rig.reload();
    let (third, fourth) = (rig.update(3), rig.update(4));
    assert!(rig.is_superseded(third));
    rig.serve(2).exit(1, 0).serve(3).exit(2, 0);
    assert!(rig.is_done(disk) && rig.is_done(fourth));
    assert_eq!(rig.app().generation, 4);
}

#[test]
fn scaling_up_starts_and_scaling_down_drains_the_highest() {
    let mut rig = Rig::up(policy(1));
    let up = rig.scale(3);
    assert_eq!(rig.take(), ["spawn 2", "spawn 3"]);
    rig.serve(2).serve(3);
    assert!(rig.is_done(up));
    rig.take();
    let down = rig.scale(2);
    assert_eq!(rig.take(), ["drain 3"]);
    assert_eq!(rig.app().instances, 2);
    rig.exit(3, 0);
    assert!(rig.is_done(down));
    assert_eq!(rig.app().slots.len(), 2);
    let same = rig.scale(2);
    assert!(rig.is_done(same));
}

#[test]
fn scaling_waits_for_a_rollout_and_then_uses_its_generation() {
    let mut rig = Rig::up(policy(1));
    rig.update(2);
    let up = rig.scale(2);
    rig.serve(2).exit(1, 0).take();
    assert_eq!(rig.slot(1).generation, 2);
    rig.serve(3);
    assert!(rig.is_done(up));
}

#[test]
fn growing_again_before_the_old_worker_has_gone_uses_the_slot_again() {
    let mut rig = Rig::up(policy(2));
    rig.scale(1);
    let id = rig.slot(1).id;
    let up = rig.scale(2);
    assert_eq!(rig.slot(1).id, id);
    rig.take();
    assert_eq!(rig.exit(2, 0).take(), ["spawn 3", "reply 2"]);
    rig.serve(3);
    assert!(rig.is_done(up));
}

#[test]
fn a_start_of_the_rest_leaves_what_runs() {
    let mut rig = Rig::up(policy(2));
    rig.command(Command::Stop {
        app: APP,
        slots: some(&[1]),
    });
    rig.exit(2, 0).take();
    let start = rig.start(policy(2));
    assert_eq!(rig.serve(3).take(), ["spawn 3", "reply 3"]);
    let _ = start;
    assert_eq!(rig.workers(0), [1]);
}

#[test]
fn a_start_after_a_stop_takes_the_policys_number() {
    let mut rig = Rig::up(policy(2));
    rig.stop();
    rig.exit(1, 0).exit(2, 0).take();
    rig.start(policy(1));
    assert_eq!(rig.take(), ["spawn 3"]);
    assert_eq!(rig.app().slots.len(), 1);
}

#[test]
fn a_start_while_the_last_process_is_still_going_waits_for_it() {
    let mut rig = Rig::up(policy(1));
    let stop = rig.stop();
    let start = rig.start(policy(1));
    rig.take();
    rig.exit(1, 0);
    assert!(rig.is_done(stop));
    assert_eq!(rig.take(), ["spawn 2", "reply 2"]);
    rig.serve(2);
    assert!(rig.is_done(start));
}

#[test]
fn ids_are_the_lowest_that_are_free() {
    let mut rig = Rig::up(policy(2));
    let other = AppId(8);
    rig.command(Command::Start {
        app: other,
        policy: policy(2),
        generation: 1,
    });
    let ids = |engine: &Engine, app| -> Vec<u32> {
        let view = engine.app(app).unwrap();
        view.slots.iter().map(|slot| slot.id).collect()
    };
    assert_eq!(
        (ids(&rig.engine, APP), ids(&rig.engine, other)),
        (vec![0, 1], vec![2, 3])
    );
    rig.scale(1);
    rig.exit(2, 0);
    rig.command(Command::Scale {
        app: other,
        instances: 3,
    });
    rig.serve(3).serve(4);
    assert_eq!(rig.app().slots.len(), 1);
    rig.scale(2);
    let all: Vec<_> = [APP, other]
        .iter()
        .flat_map(|app| ids(&rig.engine, *app))
        .collect();
    assert_eq!(all, [0, 4, 2, 3, 1]);
}

#[test]
fn no_slots_chosen_is_done_at_once() {
    let mut rig = Rig::up(policy(2));
    let restart = rig.command(Command::Restart {
        app: APP,
        slots: some(&[]),
        update: None,
    });
    let reload = rig.command(Command::Reload {
        app: APP,
        slots: some(&[]),
        update: None,
    });
    assert!(rig.is_done(restart) && rig.is_done(reload));
}

#[test]
fn a_clock_that_steps_back_changes_nothing() {
    let mut rig = Rig::up(policy(1));
    rig.stop();
    let before = rig.engine.clone();
    let effects = rig.engine.handle(Time(0), rota_engine::Event::Tick);
    assert!(effects.is_empty());
    assert_eq!(rig.engine, before);
    rig.pass(secs(10));
    assert_eq!(rig.take(), ["drain 1", "signal 1"]);
}
