//! Generated schedules: workers that come, leave, die, refuse, block and hand over what they have, in
//! every mode, while connections arrive and the primary itself dies. `ROTA_SIM_SEED` repeats one, `ROTA_SIM_SEEDS` says how many.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rota_node::Balance;
use rota_node::agent::DrainOrder;
use rota_node::primary::Saved;
use support::{FIRST, World};

const WINDOW: usize = 3;
const KEY: &str = "null:0:4:null:0";

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let length = from.len() as u64;
        (length > 0).then(|| from[self.below(length) as usize])
    }
}

struct Schedule {
    world: World,
    random: Random,
    last_worker: u64,
    /// Workers that live, and whether they may be dealt to.
    workers: BTreeMap<u64, bool>,
    /// Connections and the worker that has taken them.
    taken: BTreeMap<u32, u64>,
    /// Workers with an agent.
    agents: BTreeSet<u64>,
    /// Who has handed over a connection last.
    givers: BTreeMap<u32, u64>,
    /// Workers that leave, and the last message that they may have been sent before.
    left: BTreeMap<u64, u64>,
    accepted: BTreeSet<u32>,
    /// What was last saved, and the number of that state.
    saved: (u64, Saved),
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let world = World::new(WINDOW);
        Self {
            saved: (world.primary.structure(), world.primary.save()),
            world,
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            last_worker: 0,
            workers: BTreeMap::new(),
            taken: BTreeMap::new(),
            agents: BTreeSet::new(),
            givers: BTreeMap::new(),
            left: BTreeMap::new(),
            accepted: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        let workers: Vec<u64> = self.workers.keys().copied().collect();
        let worker = self.random.pick(&workers);
        match self.random.below(100) {
            0..4 => self.start(),
            4..40 => {
                let client = u8::try_from(self.random.below(20)).unwrap();
                self.accepted.extend(self.world.accept([10, 0, 0, client]));
            }
            40..70 => self.answer(worker, true),
            70..80 => self.hand_over(worker),
            80..84 => self.answer(worker, false),
            84..87 => self.end(worker),
            87..89 => self.leave(worker),
            89..91 => self.order(worker),
            91..93 => self.block(worker),
            93..94 => self.count(),
            94..95 => self.lose(worker),
            95..96 => self.die(),
            _ => {
                let time = self.random.below(150);
                self.world.pass(time);
            }
        }
        self.check();
    }

    fn start(&mut self) {
        if self.workers.len() >= 6 {
            return;
        }
        self.last_worker += 1;
        let modes = [
            Balance::RoundRobin,
            Balance::IpHash,
            Balance::Shared,
            Balance::ReusePort,
        ];
        let mode = self.random.pick(&modes).unwrap();
        let slot = u32::try_from(self.random.below(4)).unwrap();
        if self.random.below(3) > 0 {
            self.world.with_agent(self.last_worker, slot, mode);
            self.agents.insert(self.last_worker);
        } else {
            self.world.serving(self.last_worker, slot, mode);
        }
        self.workers.insert(self.last_worker, true);
    }

    /// The worker, whatever state it is in, wants to be rid of a connection.
    fn hand_over(&mut self, worker: Option<u64>) {
        let Some(worker) = worker else { return };
        let own = self.taken.iter().filter(|(_, of)| **of == worker);
        let own: Vec<u32> = own.map(|(number, _)| *number).collect();
        let Some(number) = self.random.pick(&own) else {
            return;
        };
        let client = u8::try_from(number % 20).unwrap();
        let peer = SocketAddr::from(([10, 0, 0, client], 1024 + u16::try_from(number).unwrap()));
        let able = |(of, live): (&u64, &bool)| *live && *of != worker && self.agents.contains(of);
        let somebody = self.workers.iter().any(able);
        // Some of the descriptors are none of its connections.
        let peer = (self.random.below(10) > 0).then_some(peer);
        if self.world.hand_over(worker, 1, number, peer) {
            assert!(somebody && peer.is_some() && self.agents.contains(&worker));
            self.taken.remove(&number);
            self.givers.insert(number, worker);
        }
    }

    fn answer(&mut self, worker: Option<u64>, accepted: bool) {
        let Some(worker) = worker else { return };
        // The model remembers before our copy is closed.
        let next = self.world.has(worker).first().copied();
        if let Some(number) = next.filter(|_| accepted) {
            let before = self.taken.insert(number, worker);
            assert_eq!(before, None, "connection {number} was taken twice");
        }
        self.world.answer(worker, accepted);
    }

    fn lose(&mut self, worker: Option<u64>) {
        if let Some(worker) = worker {
            self.world.lose(worker);
        }
    }

    /// The primary dies. Connections that were with it are closed; those that a worker has been sent may still be
    /// taken by that one.
    fn die(&mut self) {
        self.world.die();
        let taken = &self.taken;
        self.accepted.retain(|number| taken.contains_key(number));
        self.saved = (self.world.primary.structure(), self.world.primary.save());
        let violations =
            |world: &World| -> u64 { world.primary.workers().map(|w| w.violations).sum() };
        for worker in self.workers.keys() {
            if self.random.below(10) == 0 {
                self.world.hear(*worker, "the rest of a line\"}");
            }
            let lines = usize::try_from(self.random.below(4)).unwrap();
            self.world.repeat(*worker, lines);
        }
        assert_eq!(violations(&self.world), 0);
    }

    fn end(&mut self, worker: Option<u64>) {
        if let Some(worker) = worker {
            self.workers.remove(&worker);
            self.world.host.blocked.remove(&worker);
            self.world.remove(worker);
        }
    }

    fn leave(&mut self, worker: Option<u64>) {
        let Some(worker) = worker else { return };
        match self.random.below(4) {
            3 => {
                let order = DrainOrder {
                    timeout: 1,
                    grace: 1,
                    handover: true,
                    last: false,
                };
                let (now, host) = (self.world.now, &mut self.world.host);
                let told = self.world.primary.drain(worker, order, now, host);
                assert_eq!(told, self.agents.contains(&worker));
                if !told {
                    return;
                }
            }
            0 => self.world.say(
                worker,
                r#"{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":8}"#,
            ),
            1 => self.world.close_key(worker, KEY),
            _ => self
                .world
                .primary
                .disconnect(worker, self.world.now, &mut self.world.host),
        }
        self.workers.insert(worker, false);
        let dealt = self.world.host.dealt.get(&worker);
        let last = dealt
            .and_then(|dealt| dealt.last())
            .map_or(0, |(seq, _)| *seq);
        self.left.entry(worker).or_insert(last);
    }

    fn order(&mut self, worker: Option<u64>) {
        let Some(worker) = worker else { return };
        let (now, host) = (self.world.now, &mut self.world.host);
        if self.random.below(2) == 0 || self.left.contains_key(&worker) {
            self.world.primary.stop_dealing(worker, now, host);
        } else {
            self.world.primary.resume_dealing(worker, now, host);
        }
    }

    fn block(&mut self, worker: Option<u64>) {
        let Some(worker) = worker else { return };
        if self.world.host.blocked.remove(&worker) {
            let (now, host) = (self.world.now, &mut self.world.host);
            self.world.primary.writable(worker, now, host);
        } else {
            self.world.host.blocked.insert(worker);
        }
    }

    fn count(&mut self) {
        for (listener, _) in self.world.primary.to_reconcile(self.world.now) {
            let now = self.world.now;
            self.world
                .primary
                .reconcile(listener, now, std::iter::empty());
        }
    }

    fn check(&mut self) {
        let state = (self.world.primary.structure(), self.world.primary.save());
        if state.0 == self.saved.0 {
            assert_eq!(state.1, self.saved.1, "changed unnoticed");
        }
        self.saved = state;
        let mut held = BTreeSet::new();
        for worker in self.workers.keys() {
            let dealt = self.world.has(*worker);
            // What a dead primary had given it does not count.
            let ours = dealt.iter().filter(|n| self.accepted.contains(n)).count();
            assert!(ours <= WINDOW, "worker {worker} was given {dealt:?}");
            for number in dealt {
                assert!(
                    held.insert(number),
                    "connection {number} is with two workers"
                );
                assert!(
                    !self.taken.contains_key(&number),
                    "connection {number} is dealt again"
                );
                if let Some(giver) = self.givers.get(&number) {
                    assert_ne!(giver, worker, "connection {number} came back");
                    assert!(self.agents.contains(worker), "nobody there for {number}");
                }
            }
        }
        for (worker, last) in &self.left {
            let dealt = self.world.host.dealt.get(worker);
            let behind = dealt.into_iter().flatten().any(|(seq, _)| seq > last);
            assert!(!behind, "worker {worker} was dealt to behind its leave");
        }
        // Ours are closed exactly when they have been taken: none is lost, none is kept.
        let closed = self.world.closed.borrow();
        for number in &self.accepted {
            assert_eq!(
                closed.contains(number),
                self.taken.contains_key(number),
                "connection {number}"
            );
        }
        let views = self.world.primary.workers();
        assert!(views.map(|w| w.worker).eq(self.workers.keys().copied()));
    }

    /// Once there is a healthy worker everything that was accepted is taken.
    fn finish(&mut self) {
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            self.end(Some(worker));
        }
        self.check();
        self.last_worker += 1;
        self.world
            .with_agent(self.last_worker, 0, Balance::RoundRobin);
        self.agents.insert(self.last_worker);
        self.workers.insert(self.last_worker, true);
        for _ in 0..self.accepted.len() + 1 {
            self.answer(Some(self.last_worker), true);
            self.check();
        }
        let taken = |number| self.taken.contains_key(number);
        assert!(self.accepted.iter().all(taken), "some wait for ever");
        assert!(self.world.primary.room(FIRST, self.world.now) > 0);
    }
}

#[test]
fn no_connection_is_lost_or_given_twice() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("ROTA_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("ROTA_SIM_SEEDS").unwrap_or(600) + 1,
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let mut schedule = Schedule::new(seed);
            schedule.start();
            for _ in 0..300 {
                schedule.step();
            }
            schedule.finish();
        });
        assert!(run.is_ok(), "repeat with ROTA_SIM_SEED={seed}");
    }
}
