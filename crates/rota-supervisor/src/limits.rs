//! Limits of healthy workers: memory, requests, age. Who reaches one is replaced, the new worker first.
//!
//! The engine decides when: one worker of an app at a time, and not again and again when new workers do not start. Here
//! it is only told, once per worker.

use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::time::Duration;

use rota_config::LimitSpec;
use rota_engine::{Event, WorkerId, WorkerStatus};
use serde::{Deserialize, Serialize};

use crate::supervisor::{State, Supervisor};
use crate::words;
use crate::worker::Worker;

/// Memory is looked at so often, and whenever figures come from inside.
const LOOK: Duration = Duration::from_secs(5);
/// A worker that used too much memory before this age may have a limit that is too low for it.
const YOUNG: Duration = Duration::from_secs(60);
/// After such a one the next worker of its slot is let live for so long, doubled with each further one.
const REPRIEVE: Duration = Duration::from_secs(10);
/// The most that the reprieve is doubled: to some ten minutes.
const LEVEL_MAX: u32 = 7;

/// The limits of one worker, drawn at its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    memory: Option<u64>,
    requests: Option<u64>,
    age: Option<Duration>,
    /// The engine knows that one is reached.
    told: bool,
    /// How often they were drawn anew: whoever watches for older ones has nothing to do any more.
    #[serde(default)]
    edition: u32,
}

impl Limits {
    /// The limits of a new worker. Requests and age are shortened by up to a tenth, by chance: workers that were
    /// started together shall not reach them together.
    pub(crate) fn draw(spec: &LimitSpec) -> Self {
        // A hasher of its own kind is random enough, and needs nothing from elsewhere.
        Self::drawn(spec, RandomState::new().hash_one(spec.max_requests))
    }

    fn drawn(spec: &LimitSpec, chance: u64) -> Self {
        let age = spec
            .max_age
            .map(|age| shortened(age.millis(), chance >> 32));
        Self {
            memory: spec.max_memory.map(rota_config::Size::bytes),
            requests: spec.max_requests.map(|limit| shortened(limit, chance)),
            age: age.map(Duration::from_millis),
            told: false,
            edition: 0,
        }
    }

    /// Those of other settings, for the same worker. Limits that stay are not drawn again.
    pub(crate) fn redraw(&mut self, old: &LimitSpec, new: &LimitSpec) -> bool {
        if old == new {
            return false;
        }
        let drawn = Self::draw(new);
        *self = Self {
            edition: self.edition.wrapping_add(1),
            requests: match old.max_requests == new.max_requests {
                true => self.requests,
                false => drawn.requests,
            },
            age: match old.max_age == new.max_age {
                true => self.age,
                false => drawn.age,
            },
            ..drawn
        };
        true
    }

    /// Why a worker has to be replaced, by its requests or its memory.
    fn reached(
        &self,
        requests: u64,
        resident: Option<u64>,
        age: Duration,
        reprieve: Duration,
    ) -> Option<Reached> {
        if let Some(limit) = self.requests.filter(|limit| requests >= *limit) {
            let text = format!("had {requests} requests, its limit is {limit}");
            return Some(Reached::Requests(text));
        }
        let (limit, resident) = (self.memory?, resident?);
        if resident <= limit || age < reprieve {
            return None;
        }
        let mut text = format!(
            "used {}, more than {}",
            words::memory(resident),
            words::memory(limit)
        );
        if age < YOUNG {
            text.push_str(&format!(", only {} after its start", words::span(age)));
        }
        Some(Reached::Memory(text))
    }
}

/// Which limit, in words.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    Requests(String),
    Memory(String),
}

/// A limit, shortened by up to a tenth.
fn shortened(limit: u64, chance: u64) -> u64 {
    let off = u128::from(limit) * u128::from(chance % 1001) / 10_000;
    limit.saturating_sub(u64::try_from(off).unwrap_or(0)).max(1)
}

/// How often in a row the workers of a slot used too much memory soon after their start. A limit that no worker can
/// keep must not have them replaced all the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPace {
    level: u32,
}

impl MemoryPace {
    fn reprieve(self) -> Duration {
        match self.level.checked_sub(1) {
            Some(doublings) => REPRIEVE.saturating_mul(1 << doublings),
            None => Duration::ZERO,
        }
    }

    fn note(&mut self, age: Duration) {
        let young = age < YOUNG.max(self.reprieve().saturating_mul(2));
        self.level = match young {
            true => (self.level + 1).min(LEVEL_MAX),
            false => 0,
        };
    }
}

impl Supervisor {
    /// Watches a worker for what no message tells: its age, and its memory.
    pub(crate) fn watch_limits(self: &Rc<Self>, worker: u64) {
        let Some((limits, started)) = self.with(|state| {
            let worker = state.workers.get(&worker)?;
            Some((worker.limits.clone(), worker.started))
        }) else {
            return;
        };
        let edition = limits.edition;
        let mut tasks = Vec::new();
        if let Some(age) = limits.age {
            let this = Rc::clone(self);
            tasks.push(tokio::task::spawn_local(async move {
                tokio::time::sleep(age.saturating_sub(started.elapsed())).await;
                while this.limits_edition(worker) == Some(edition) && !this.recycle_old(worker, age)
                {
                    tokio::time::sleep(LOOK).await;
                }
            }));
        }
        if limits.memory.is_some() {
            let this = Rc::clone(self);
            tasks.push(tokio::task::spawn_local(async move {
                while this.limits_edition(worker) == Some(edition) {
                    this.check_limits(worker);
                    tokio::time::sleep(LOOK).await;
                }
            }));
        }
        self.update(worker, |w| w.tasks.extend(tasks));
    }

    /// Looks whether a worker has reached a limit.
    pub(crate) fn check_limits(self: &Rc<Self>, worker: u64) {
        let text = self.with(|state| {
            let entry = candidate(state, worker)?;
            let resident = entry.limits.memory.and(entry.pid).and_then(|pid| {
                let stat = rota_sys::procfs::stat(pid);
                stat.ok().map(|stat| stat.resident)
            });
            let age = entry.started.elapsed();
            let (slot, requests) = (entry.slot, entry.agent.inside.last.requests);
            let (app, limits) = (entry.app, entry.limits.clone());
            let paces = &mut state.apps.get_mut(&app)?.memory_paces;
            let reprieve = paces
                .get(&slot)
                .map_or(Duration::ZERO, |pace| pace.reprieve());
            match limits.reached(requests, resident, age, reprieve)? {
                Reached::Requests(text) => Some(text),
                Reached::Memory(text) => {
                    paces.entry(slot).or_default().note(age);
                    Some(text)
                }
            }
        });
        if let Some(text) = text {
            self.recycle(worker, text);
        }
    }

    fn limits_edition(&self, worker: u64) -> Option<u32> {
        self.with(|state| Some(state.workers.get(&worker)?.limits.edition))
    }

    /// A worker has reached its age. False: it is not the time for that yet.
    fn recycle_old(self: &Rc<Self>, worker: u64, limit: Duration) -> bool {
        let age = self.with(|state| Some(candidate(state, worker)?.started.elapsed()));
        let Some(age) = age else { return false };
        let (age, limit) = (words::span(age), words::span(limit));
        self.recycle(worker, format!("ran for {age}, its limit is {limit}"));
        true
    }

    fn recycle(self: &Rc<Self>, worker: u64, reason: String) {
        self.update(worker, |w| w.limits.told = true);
        self.transact(|| {
            self.save_worker(worker);
            let worker = WorkerId(worker);
            self.feed(Event::Recycle { worker, reason });
        });
    }
}

/// The worker, if it serves and the engine does not know yet that it has reached a limit.
fn candidate(state: &State, worker: u64) -> Option<&Worker> {
    let entry = state.workers.get(&worker)?;
    let status = state.engine.worker(WorkerId(worker))?.status;
    (!entry.limits.told && status == WorkerStatus::Ready).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_config::{Size, Span};

    const MIB: u64 = 1024 * 1024;

    fn limits() -> Limits {
        let spec = LimitSpec {
            max_memory: Some(Size::from_bytes(300 * MIB)),
            max_requests: Some(1000),
            max_age: Some(Span::new(Duration::from_secs(100))),
        };
        Limits::drawn(&spec, 0)
    }

    #[test]
    fn requests_and_age_are_shortened_by_up_to_a_tenth_and_memory_is_not() {
        let spec = LimitSpec {
            max_memory: Some(Size::from_bytes(300)),
            max_requests: Some(1000),
            max_age: Some(Span::new(Duration::from_secs(100))),
        };
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let limits = Limits::draw(&spec);
            let (requests, age) = (limits.requests.unwrap(), limits.age.unwrap());
            assert!((900..=1000).contains(&requests), "{requests}");
            assert!((90..=100).contains(&age.as_secs()), "{age:?}");
            assert_eq!(limits.memory, Some(300));
            seen.insert(requests);
        }
        assert!(seen.len() > 20, "{seen:?}");
        assert_eq!((shortened(1, 7), shortened(u64::MAX, 0)), (1, u64::MAX));
        assert_eq!(
            Limits::draw(&LimitSpec::default()),
            Limits::default(),
            "no limits, no limits"
        );
    }

    #[test]
    fn a_limit_that_is_reached_is_said_in_words() {
        let hour = Duration::from_secs(3600);
        let reached = |requests, mib: Option<u64>, age| {
            limits().reached(requests, mib.map(|mib| mib * MIB), age, Duration::ZERO)
        };
        assert_eq!(reached(999, Some(300), hour), None);
        assert_eq!(reached(0, None, hour), None);
        assert_eq!(
            reached(0, Some(312), hour),
            Some(Reached::Memory(
                "used 312 MiB, more than 300 MiB".to_owned()
            ))
        );
        assert_eq!(
            reached(0, Some(312), Duration::from_secs(2)),
            Some(Reached::Memory(
                "used 312 MiB, more than 300 MiB, only 2s after its start".to_owned()
            ))
        );
        assert_eq!(
            reached(1003, Some(312), hour),
            Some(Reached::Requests(
                "had 1003 requests, its limit is 1000".to_owned()
            ))
        );
    }

    #[test]
    fn workers_that_never_keep_the_memory_limit_are_let_live_longer_and_longer() {
        let mut pace = MemoryPace::default();
        let mut reprieves = Vec::new();
        for _ in 0..9 {
            let reprieve = pace.reprieve();
            reprieves.push(reprieve.as_secs());
            let grown = Some(500 * MIB);
            if !reprieve.is_zero() {
                let soon = reprieve - Duration::from_secs(1);
                assert_eq!(limits().reached(0, grown, soon, reprieve), None);
            }
            assert!(limits().reached(0, grown, reprieve, reprieve).is_some());
            pace.note(reprieve);
        }
        assert_eq!(reprieves, [0, 10, 20, 40, 80, 160, 320, 640, 640]);
        // One that took its time is an ordinary leak.
        pace.note(Duration::from_secs(7200));
        assert_eq!(pace.reprieve(), Duration::ZERO);
    }
}
