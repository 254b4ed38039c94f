//! What a supervisor that has died has left with the keeper: whatever the entries say, what is taken over can be left
//! behind and taken over again as the same, and goes on without a panic and within bounds.
//!
//! The first byte of the input says whose state it is. A primary's is one JSON text; the engine's is what the apps
//! share in the first line (or nothing), and an app in each other one.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use rota_engine::{AppId, Command, CommandId, Effect, Engine, Event, ExitStatus, RestoredApp, SavedShared, Time, WorkerId};
use rota_node::channel::Frame;
use rota_node::primary::{Bind, Delivery, Errno, Notice, Saved, SockName, SocketId, Stranger, Tuning, WorkerId as Worker};
use rota_node::{Host, Primary};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    if kind & 1 == 0 {
        primary(bytes, kind);
    } else {
        engine(bytes, kind);
    }
});

struct Nowhere;

impl Host for Nowhere {
    type Connection = u32;

    fn open(&mut self, _: SocketId, _: &str, _: &Bind) -> Result<SockName, Errno> {
        Ok(SockName::Ip(SocketAddr::from(([127, 0, 0, 1], 4000))))
    }
    fn close(&mut self, _: SocketId) {}
    fn send(&mut self, _: Worker, line: &[u8]) {
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
    }
    fn send_socket(&mut self, worker: Worker, line: &[u8], _: SocketId) {
        self.send(worker, line);
    }
    fn examine(&mut self, _: &u32, _: &SockName) -> Result<Option<SocketAddr>, Stranger> {
        Ok(None)
    }
    fn deal(&mut self, worker: Worker, _: u64, line: &[u8], _: &u32) -> Delivery {
        self.send(worker, line);
        Delivery::Sent
    }
    fn notice(&mut self, _: Worker, _: Notice<'_>) {}
}

fn primary(bytes: &[u8], kind: u8) {
    let Ok(saved) = Saved::from_json(bytes) else { return };
    assert_eq!(Saved::from_json(&saved.to_json()).expect("what was written can be read"), saved);
    let Ok(taken) = Primary::<u32>::restore(&saved, 1, Tuning::default(), 0) else { return };
    let left = taken.save();
    let again = Primary::<u32>::restore(&left, 1, Tuning::default(), 0);
    let mut primary = again.expect("what was taken over can be taken over again");
    assert_eq!(without_numbers(&primary.save()), without_numbers(&left));

    let host = &mut Nowhere;
    let places = primary.addresses();
    for (socket, ..) in places.iter().skip(usize::from(kind >> 4)).take(4) {
        primary.give_up(*socket, host);
    }
    let workers: Vec<Worker> = primary.workers().map(|worker| worker.worker).collect();
    for (number, worker) in workers.iter().enumerate() {
        let now = number as u64 * 100;
        for line in LINES {
            let frame = Frame::Line { bytes: line.as_bytes(), handle: None };
            primary.receive(*worker, frame, now, host);
        }
        for (socket, ..) in &places {
            if primary.room(*socket, now) > 0 {
                primary.accepted(*socket, 7, None, now, host);
            }
        }
        primary.tick(now, host);
        assert!(primary.next_deadline(now).is_none_or(|next| next > now));
        assert!(primary.workers().all(|worker| worker.pending <= 4 && worker.queued <= 256));
    }
    for worker in workers {
        primary.remove_worker(worker, u64::MAX / 2, host);
    }
    primary.close_all(host);
    assert_eq!((primary.workers().count(), primary.listeners().count()), (0, 0));
}

const LINES: [&str; 6] = [
    r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":0,"addressType":4,"seq":1}"#,
    r#"{"cmd":"NODE_ROTA","act":"hello","v":1,"node":"v20.0.0","pid":1}"#,
    r#"{"cmd":"NODE_ROTA","act":"server","id":1}"#,
    r#"{"cmd":"NODE_CLUSTER","ack":3,"accepted":false,"seq":2}"#,
    r#"{"cmd":"NODE_HANDLE_ACK"}"#,
    r#"{"cmd":"NODE_CLUSTER","act":"close","key":"null:0:4:null:0","seq":5}"#,
];

/// Numbers of messages go on from a bound, which is another one each time.
fn without_numbers(saved: &Saved) -> Value {
    let mut value = serde_json::to_value(saved).expect("it can be written");
    value["seq"] = Value::Null;
    value
}

fn engine(bytes: &[u8], kind: u8) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let shared = lines.next().and_then(|line| serde_json::from_slice::<SavedShared>(line).ok());
    let apps = lines.take(8).filter_map(|line| serde_json::from_slice::<RestoredApp>(line).ok());
    let (taken, _) = Engine::restore(shared, apps.collect::<Vec<_>>());
    let (mut engine, left_out) = again(&taken);
    assert_eq!(left_out, []);
    assert_eq!(engine.outstanding(), taken.outstanding());

    let shared = serde_json::to_value(engine.save_shared()).expect("it can be written");
    let mut now = Time(shared["now"].as_u64().expect("a time"));
    let mut effects = engine.outstanding();
    for step in 0..40_u64 {
        let spawned = effects.iter().filter(|effect| matches!(effect, Effect::Spawn { .. })).count();
        assert!(spawned <= 8 * 1024, "more than anybody may want");
        let events: Vec<Event> = effects.iter().take(64).filter_map(|effect| answer(effect, step, kind)).collect();
        if events.is_empty() {
            now = engine.next_deadline().unwrap_or(now).max(now);
        }
        effects = engine.handle(now, Event::Tick);
        for event in events {
            effects.extend(engine.handle(now, event));
        }
        if step == 20 {
            let app = engine.apps().next().map_or(AppId(1), |app| app.app);
            let command = Command::Reload { app, slots: None, update: None };
            effects.extend(engine.handle(now, Event::Command { id: CommandId(u64::MAX), command }));
        }
    }
    let (_, left_out) = again(&engine);
    assert_eq!(left_out, []);
}

/// The same engine in the next process.
fn again(engine: &Engine) -> (Engine, Vec<(AppId, String)>) {
    let apps = engine.apps().filter_map(|app| engine.save_app(app.app));
    let apps = apps.map(|saved| serde_json::to_vec(&saved).expect("it can be written"));
    let apps: Vec<RestoredApp> = apps.map(|json| serde_json::from_slice(&json).expect("it can be read")).collect();
    let shared = serde_json::to_vec(&engine.save_shared()).expect("it can be written");
    let shared = serde_json::from_slice(&shared).expect("it can be read");
    Engine::restore(Some(shared), apps)
}

/// What becomes of an effect.
fn answer(effect: &Effect, step: u64, kind: u8) -> Option<Event> {
    let ends = |worker: &WorkerId| Event::Exited { worker: *worker, status: ExitStatus::Code(1) };
    match effect {
        Effect::Spawn { worker, .. } if step & 7 == u64::from(kind >> 5) => {
            Some(Event::SpawnFailed { worker: *worker, reason: "no memory".to_owned() })
        }
        Effect::Spawn { worker, .. } if kind & 2 == 0 => Some(Event::Ready { worker: *worker }),
        Effect::Spawn { worker, .. } => Some(Event::Spawned { worker: *worker, pid: 7 }),
        Effect::Drain { worker } => Some(Event::Drained { worker: *worker }),
        Effect::StopSignal { worker } | Effect::Kill { worker } => Some(ends(worker)),
        _ => None,
    }
}
