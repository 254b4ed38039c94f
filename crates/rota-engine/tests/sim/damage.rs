//! States that were damaged: whatever is read from them, the engine neither panics nor hangs.

use std::collections::{BTreeMap, BTreeSet};

use rota_engine::{
    AppFacts, AppId, Command, CommandId, Engine, Event, ExitStatus, RestoredApp, SavedShared, Time,
    WorkerId,
};
use serde_json::Value;

use crate::random::Random;

const STEPS: u64 = 40;

/// Damages an app's state (now and then what is shared, too) and lives with what can be read of
/// it. Says whether anything could.
pub fn endure(
    shared: &str,
    apps: &BTreeMap<AppId, String>,
    facts: AppFacts,
    random: &mut Random,
) -> bool {
    let mut shared = shared.to_owned();
    if random.percent(20) {
        shared = damaged(&shared, random);
    }
    let shared: Option<SavedShared> = serde_json::from_str(&shared).ok();
    let mut read = Vec::new();
    for (id, text) in apps {
        let text = match *id == facts.app {
            true => damaged(text, random),
            false => text.clone(),
        };
        read.extend(serde_json::from_str::<RestoredApp>(&text));
    }
    let legible: BTreeSet<_> = read.iter().map(RestoredApp::app).collect();
    let (mut engine, left_out) = Engine::restore(shared, read);
    for (id, reason) in &left_out {
        assert!(!reason.is_empty() && legible.contains(id));
    }
    let accepted = engine.app(facts.app).is_some();
    let now = random.between(0, 2_000_000);
    let _ = (engine.outstanding(), engine.adopt(Time(now), facts));
    live_on(engine, now, random);
    accepted
}

fn live_on(mut engine: Engine, mut now: u64, random: &mut Random) {
    for step in 0..STEPS {
        let event = match engine.next_deadline().filter(|_| random.percent(40)) {
            Some(due) => {
                now = now.max(due.0);
                Event::Tick
            }
            None => some_event(&engine, step, random),
        };
        now = now.saturating_add(random.between(0, 3000));
        let _ = engine.handle(Time(now), event);
    }
    let apps: Vec<_> = engine.apps().map(|view| view.app).collect();
    for app in apps {
        serde_json::to_string(&engine.save_app(app)).unwrap();
    }
}

fn some_event(engine: &Engine, step: u64, random: &mut Random) -> Event {
    let slots = engine.apps().flat_map(|view| view.slots);
    let workers = slots.flat_map(|slot| slot.workers);
    let workers: Vec<_> = workers.map(|worker| worker.worker).collect();
    if workers.is_empty() || random.percent(20) {
        let id = CommandId(1_000_000 + step);
        let command = some_command(engine, random);
        return Event::Command { id, command };
    }
    worker_event(*random.pick(&workers), random)
}

fn worker_event(worker: WorkerId, random: &mut Random) -> Event {
    let reason = "damaged".to_owned();
    match random.between(0, 9) {
        0 | 1 => Event::Spawned { worker, pid: 7 },
        2 | 3 => Event::Ready { worker },
        4 => Event::Drained { worker },
        5 => Event::Leaving { worker },
        6 => Event::Hung { worker, reason },
        7 => Event::Recycle { worker, reason },
        8 => Event::SpawnFailed { worker, reason },
        _ => Event::Exited {
            worker,
            status: ExitStatus::Code(1),
        },
    }
}

fn some_command(engine: &Engine, random: &mut Random) -> Command {
    let apps: Vec<_> = engine.apps().map(|view| view.app).collect();
    let Some(app) = apps.first().map(|_| *random.pick(&apps)) else {
        return Command::Shutdown { now: false };
    };
    let view = engine.app(app).unwrap();
    let (policy, generation) = (view.policy.clone(), view.generation);
    let (slots, update) = (None, None);
    match random.between(0, 11) {
        0 => Command::Stop { app, slots },
        1 => Command::Delete { app },
        2 => Command::Shutdown { now: false },
        3 | 4 => Command::Scale { app, instances: 3 },
        5 | 6 => Command::Restart { app, slots, update },
        7 | 8 => Command::Start {
            app,
            policy,
            generation,
        },
        _ => Command::Reload { app, slots, update },
    }
}

/// The text with a few things in it that are not as they were.
fn damaged(text: &str, random: &mut Random) -> String {
    if random.percent(10) {
        let mut bytes = text.as_bytes().to_vec();
        let last = u64::try_from(bytes.len() - 1).unwrap();
        let at = usize::try_from(random.between(0, last)).unwrap();
        bytes[at] = *random.pick(b"0123456789\"{}[]:,-.etfn");
        return String::from_utf8(bytes).unwrap();
    }
    let mut value: Value = serde_json::from_str(text).unwrap();
    let mut scalars = Vec::new();
    collect(&value, &mut scalars);
    for _ in 0..random.between(1, 4) {
        damage(&mut value, &scalars, random);
    }
    value.to_string()
}

fn collect(value: &Value, scalars: &mut Vec<Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|it| collect(it, scalars)),
        Value::Object(map) => map.values().for_each(|it| collect(it, scalars)),
        scalar => scalars.push(scalar.clone()),
    }
}

/// Walks down to some place, and changes what is there.
fn damage(value: &mut Value, scalars: &[Value], random: &mut Random) {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let last = u64::try_from(list.len() - 1).unwrap();
            let at = usize::try_from(random.between(0, last)).unwrap();
            match random.between(0, 9) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => damage(&mut list[at], scalars, random),
            }
        }
        Value::Object(map) if !map.is_empty() => {
            let keys: Vec<_> = map.keys().cloned().collect();
            let key = random.pick(&keys).clone();
            match random.between(0, 19) {
                0 => drop(map.remove(&key)),
                1 => {
                    let other = random.pick(&keys).clone();
                    let moved = map[&other].clone();
                    map.insert(key, moved);
                }
                2 => {
                    // Another slot, or another generation.
                    let moved = map.remove(&key).unwrap();
                    map.insert(random.between(0, 4).to_string(), moved);
                }
                _ => damage(map.get_mut(&key).unwrap(), scalars, random),
            }
        }
        other => *other = replacement(other, scalars, random),
    }
}

fn replacement(value: &Value, scalars: &[Value], random: &mut Random) -> Value {
    let same_kind =
        |other: &&Value| std::mem::discriminant(*other) == std::mem::discriminant(value);
    match value {
        Value::Number(_) if random.percent(60) => {
            let near = value.as_u64().unwrap_or_default();
            let next = near.saturating_add(1);
            let extremes = [
                0,
                1,
                2,
                next,
                near / 2,
                u64::from(u32::MAX),
                u64::MAX >> 1,
                u64::MAX,
            ];
            (*random.pick(&extremes)).into()
        }
        Value::Bool(bool) => (!bool).into(),
        _ => {
            let fitting: Vec<_> = scalars.iter().filter(same_kind).collect();
            match fitting.is_empty() {
                true => Value::Null,
                false => (*random.pick(&fitting)).clone(),
            }
        }
    }
}
