//! The supervisor dies again and again: a hang is found all the same, and nobody is wronged.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rota_engine::{PulseEffect, PulseSettings, Pulses, Sight, Time, Unanswered, WorkerId};

use crate::random::Random;

const STEP: u64 = 5;
const RUN: u64 = 120_000;
/// What one death may cost: what was not noted yet, and the first look of the next supervisor.
const LOSS: u64 = 250 + 100 + 100;

struct Worker {
    /// Until when it does not read; for ever from then on, if it is to hang.
    blocked_until: u64,
    blocked_since: u64,
    hangs_from: u64,
    /// Questions that it has not read, and answers that nobody has.
    questions: VecDeque<u64>,
    answers: VecDeque<u64>,
    /// For how long somebody was there while it hung, and how often that one died.
    supervised: u64,
    deaths: u64,
    left: Option<Unanswered>,
    /// An answer died with a supervisor since its last one that did not.
    robbed: bool,
}

struct World {
    now: u64,
    random: Random,
    settings: PulseSettings,
    workers: BTreeMap<WorkerId, Worker>,
    pulses: Option<Pulses>,
    /// When the supervisor dies, or the next one begins.
    turn: u64,
    longest_life: u64,
    found: u64,
}

type Check = Result<(), String>;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let now = 10_000;
        let worker = |id: u64, random: &mut Random| {
            let hangs = id == 1;
            let worker = Worker {
                blocked_until: 0,
                blocked_since: 0,
                hangs_from: if hangs {
                    now + random.between(0, 20_000)
                } else {
                    u64::MAX
                },
                questions: VecDeque::new(),
                answers: VecDeque::new(),
                supervised: 0,
                deaths: 0,
                left: None,
                robbed: false,
            };
            (WorkerId(id), worker)
        };
        let longest_life = *random.pick(&[1_500, 3_000, 30_000]);
        Self {
            now,
            workers: (1..=3).map(|id| worker(id, &mut random)).collect(),
            settings: PulseSettings::new(
                Duration::from_millis(2000),
                Duration::from_millis(*random.pick(&[500, 2000])),
                5,
            ),
            pulses: None,
            turn: now,
            longest_life,
            found: 0,
            random,
        }
    }

    fn limit(&self) -> u64 {
        u64::try_from(self.settings.limit().unwrap().as_millis()).unwrap()
    }

    fn run(mut self) -> Result<u64, String> {
        let end = self.now + RUN;
        while self.now < end && self.found == 0 {
            self.now += STEP;
            if self.now >= self.turn {
                self.change_supervisor();
            }
            self.live();
            self.supervise()?;
            self.check()?;
        }
        Ok(self.found)
    }

    fn change_supervisor(&mut self) {
        if self.pulses.take().is_some() {
            self.turn = self.now + self.random.between(STEP, 400);
            for worker in self.workers.values_mut() {
                worker.deaths += u64::from(self.now >= worker.hangs_from);
                // Read by the one, and never heard by the next.
                if self.random.percent(10) && worker.answers.pop_front().is_some() {
                    worker.robbed = true;
                }
            }
            return;
        }
        self.turn = self.now + self.random.between(1_300, self.longest_life);
        let mut pulses = Pulses::default();
        for (id, worker) in &self.workers {
            pulses.resume(Time(self.now), *id, self.settings, false, worker.left);
        }
        self.pulses = Some(pulses);
    }

    fn live(&mut self) {
        let now = self.now;
        for worker in self.workers.values_mut() {
            if now >= worker.hangs_from {
                worker.blocked_until = u64::MAX;
            } else if now >= worker.blocked_until && self.random.between(0, 999) == 0 {
                worker.blocked_until = now + self.random.between(5, 9_000);
            }
            if now >= worker.blocked_until {
                worker.blocked_since = now;
                worker.answers.append(&mut worker.questions);
            }
            if self.pulses.is_some() && now >= worker.hangs_from {
                worker.supervised += STEP;
            }
        }
    }

    fn supervise(&mut self) -> Check {
        let Some(pulses) = &mut self.pulses else {
            return Ok(());
        };
        let mut said = Vec::new();
        if pulses.next_deadline().is_some_and(|due| due.0 <= self.now) {
            said = pulses.tick(Time(self.now), |_| Some(Sight::default()));
        }
        for effect in said {
            match effect {
                PulseEffect::Ask { worker, n } => {
                    self.workers
                        .get_mut(&worker)
                        .unwrap()
                        .questions
                        .push_back(n);
                }
                PulseEffect::Note { worker } => {
                    self.workers.get_mut(&worker).unwrap().left = pulses.unanswered(worker);
                }
                PulseEffect::Hung { worker, .. } => {
                    let limit = u64::try_from(self.settings.limit().unwrap().as_millis()).unwrap();
                    let it = &self.workers[&worker];
                    let blocked = self.now - it.blocked_since;
                    // What an answer would have told is not known; that it had its chance is.
                    let enough = if it.robbed { 500 } else { limit };
                    if blocked + 2 * STEP < enough {
                        return Err(format!("{worker:?} is called hung after {blocked} ms"));
                    }
                    self.found += 1;
                }
                PulseEffect::Missed { .. }
                | PulseEffect::Suspect { .. }
                | PulseEffect::Postponed { .. } => {}
            }
        }
        for (id, worker) in &mut self.workers {
            for n in std::mem::take(&mut worker.answers) {
                let answer = pulses.answered(Time(self.now), *id, n);
                if answer.is_some_and(|answer| answer.noted) {
                    worker.left = pulses.unanswered(*id);
                }
                worker.robbed &= answer.is_none();
            }
        }
        Ok(())
    }

    /// However often the supervisor dies, the hang is found in the time for which there was one.
    fn check(&self) -> Check {
        let worker = &self.workers[&WorkerId(1)];
        let patience = self.limit() * 2 + 2_000 + (worker.deaths + 1) * LOSS;
        if worker.supervised <= patience {
            return Ok(());
        }
        Err(format!("not found in {} ms", worker.supervised))
    }
}

#[test]
fn a_hang_is_found_whatever_happens_to_the_supervisor_and_nobody_is_wronged() {
    let seed = std::env::var("ROTA_SIM_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse::<u64>().ok());
    for seed in seed.map_or(0..2000, |seed| seed..seed + 1) {
        let found = World::new(seed).run();
        let found = found.unwrap_or_else(|why| panic!("ROTA_SIM_SEED={seed}: {why}"));
        assert!(found > 0, "ROTA_SIM_SEED={seed}: it was never found");
    }
}
