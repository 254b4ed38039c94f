//! Every event in every state of a worker: what may happen, and that nothing else does.

use rota_engine::{Event, ExitStatus, WorkerId, WorkerStatus};

use crate::rig::{Rig, policy, secs};

/// A rig whose worker 1 has this status, as the only one in its slot or beside a newer one.
fn states() -> Vec<(&'static str, WorkerStatus, Rig)> {
    let mut starting = Rig::new();
    starting.start(policy(1));
    starting.take();
    let mut spawned = starting.clone();
    spawned.spawned(1).take();
    let ready = Rig::up(policy(1));
    let mut draining = ready.clone();
    draining.stop();
    draining.take();
    let mut replaced = ready.clone();
    replaced.reload();
    replaced.serve(2).take();
    let mut stopping = draining.clone();
    stopping.pass(secs(10)).take();
    let mut killing = stopping.clone();
    killing.pass(secs(5)).take();
    vec![
        ("starting", WorkerStatus::Starting, starting),
        ("spawned", WorkerStatus::Starting, spawned),
        ("ready", WorkerStatus::Ready, ready),
        ("draining", WorkerStatus::Draining, draining),
        ("replaced", WorkerStatus::Draining, replaced),
        ("stopping", WorkerStatus::Stopping, stopping),
        ("killing", WorkerStatus::Killing, killing),
    ]
}

fn events(worker: u64) -> Vec<(&'static str, Event)> {
    let worker = WorkerId(worker);
    let reason = || "simulated".to_owned();
    let status = ExitStatus::Code(1);
    vec![
        ("spawned", Event::Spawned { worker, pid: 77 }),
        (
            "failed",
            Event::SpawnFailed {
                worker,
                reason: reason(),
            },
        ),
        ("ready", Event::Ready { worker }),
        ("drained", Event::Drained { worker }),
        ("leaving", Event::Leaving { worker }),
        ("exited", Event::Exited { worker, status }),
        (
            "hung",
            Event::Hung {
                worker,
                reason: reason(),
            },
        ),
        (
            "recycle",
            Event::Recycle {
                worker,
                reason: reason(),
            },
        ),
        ("tick", Event::Tick),
    ]
}

/// What the event does to a worker in the state. `-`: nothing at all.
fn expected(state: &str, event: &str) -> &'static str {
    match (state, event) {
        (_, "tick") => "-",
        ("starting" | "spawned", "failed") => "reply 1",
        ("starting" | "spawned", "ready") => "reply 1",
        ("starting" | "spawned", "leaving") => "reply 1",
        ("starting" | "spawned", "exited") => "reply 1",
        ("starting", "hung") => "reply 1",
        ("spawned", "hung") => "signal 1, reply 1",
        ("starting" | "spawned", "recycle") => "-",
        ("ready", "failed" | "exited" | "leaving" | "drained" | "spawned" | "ready") => "-",
        ("ready", "hung") => "signal 1",
        ("ready", "recycle") => "spawn 2",
        ("draining" | "replaced", "drained" | "hung") => "signal 1",
        ("draining" | "replaced" | "stopping" | "killing", "failed" | "exited") => "reply 2",
        ("starting" | "spawned" | "draining" | "replaced" | "stopping" | "killing", _) => "-",
        _ => panic!("no rule for {event} while {state}"),
    }
}

#[test]
fn every_event_in_every_state() {
    for (state, status, rig) in states() {
        let view = rig.engine.worker(WorkerId(1)).unwrap();
        assert_eq!(view.status, status, "{state}");
        for (name, event) in events(1) {
            let mut rig = rig.clone();
            let said = rig.tell(event.clone()).take().join(", ");
            let said = if said.is_empty() { "-" } else { &said };
            assert_eq!(said, expected(state, name), "{name} while {state}");
            let gone = matches!(event, Event::Exited { .. } | Event::SpawnFailed { .. });
            assert_eq!(
                rig.engine.worker(WorkerId(1)).is_none(),
                gone,
                "{name} while {state}"
            );
        }
    }
}

#[test]
fn every_event_twice() {
    for (state, _, rig) in states() {
        for (first, event) in events(1) {
            for (second, again) in events(1) {
                let mut rig = rig.clone();
                rig.tell(event.clone()).tell(again.clone());
                assert!(rig.engine.next_deadline().is_none_or(|due| due.0 > rig.now));
                assert!(rig.workers(0).len() <= 2, "{first}, {second} while {state}");
            }
        }
    }
}

#[test]
fn unknown_workers_are_ignored() {
    for (state, _, rig) in states() {
        for (name, event) in events(99) {
            let mut rig = rig.clone();
            let before = rig.engine.clone();
            assert!(rig.tell(event).take().is_empty(), "{name} while {state}");
            assert_eq!(rig.engine, before, "{name} while {state}");
        }
    }
}
