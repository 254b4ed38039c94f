//! The rule in a machine where all kinds of things happen, with the invariants.

use std::collections::BTreeMap;

use rota_engine::{PulseEffect, PulseSettings, Pulses, Time, WorkerId};
use std::time::Duration;

use crate::machine::{Machine, STEP};
use crate::random::Random;

/// What a change of the world may cost in precision: a look, and what passes for punctual.
const BLUR: u64 = 250 + 100 + 2 * STEP;
const RUN: u64 = 180_000;

/// What has been said of a worker.
#[derive(Default)]
struct Said {
    asked: Option<u64>,
    answered: u64,
    out: bool,
    postponed: bool,
    suspected: bool,
    hung: bool,
}

#[derive(Default)]
struct Totals {
    hung: u64,
    postponed: u64,
    missed: u64,
    back: u64,
}

struct World {
    now: u64,
    pulses: Pulses,
    machine: Machine,
    said: BTreeMap<WorkerId, Said>,
    unread: Vec<(WorkerId, u64)>,
    settings: PulseSettings,
    totals: Totals,
    random: Random,
    /// How late the supervisor's timer is this time.
    delay: u64,
}

type Check = Result<(), String>;

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what()) }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut pick = |from: &[u64]| Duration::from_millis(*random.pick(from));
        let settings = PulseSettings::new(
            pick(&[200, 1000, 2000, 5000]),
            pick(&[200, 1500, 2000, 6000]),
            u32::try_from(pick(&[0, 1, 3, 5]).as_millis()).unwrap(),
        );
        let workers = random.between(1, 4);
        let machine = Machine::new(workers);
        let mut pulses = Pulses::default();
        for worker in machine.workers.keys() {
            pulses.watch(Time(random.between(0, 4000)), *worker, settings, false);
        }
        Self {
            now: 4000,
            said: machine
                .workers
                .keys()
                .map(|id| (*id, Said::default()))
                .collect(),
            unread: Vec::new(),
            pulses,
            machine,
            settings,
            totals: Totals::default(),
            random,
            delay: 0,
        }
    }

    fn run(mut self) -> Result<Totals, String> {
        let end = self.now + RUN;
        while self.now < end {
            self.machine.befall(&mut self.random);
            self.now += STEP;
            let answers = self.machine.step();
            self.shields();
            // They wait in the channel for as long as nobody reads it.
            self.unread.extend(answers);
            if self.machine.supervisor_runs() {
                let answers = std::mem::take(&mut self.unread);
                self.supervise(answers)?;
            }
            self.check()?;
        }
        Ok(self.totals)
    }

    fn shields(&mut self) {
        for (id, worker) in &self.machine.workers {
            self.pulses.shield(Time(self.now), *id, worker.shielded);
        }
    }

    /// The supervisor's turn: timers first, which is the harder order.
    fn supervise(&mut self, answers: Vec<(WorkerId, u64)>) -> Check {
        let due = self.pulses.next_deadline();
        if due.is_some_and(|due| due.0 + self.delay <= self.now) {
            self.delay = self.random.between(0, 30);
            let machine = &self.machine;
            let effects = self.pulses.tick(Time(self.now), |id| machine.sight(id));
            for effect in effects {
                self.note(effect)?;
            }
            let next = self.pulses.next_deadline();
            let now = self.now;
            ensure(next.is_none_or(|next| next.0 > now), || {
                format!("still due: {next:?}")
            })?;
        }
        for (worker, n) in answers {
            let said = self.said.get_mut(&worker).unwrap();
            *said = Said {
                answered: self.now,
                out: said.out,
                ..Said::default()
            };
            let answer = self.pulses.answered(Time(self.now), worker, n);
            let answer = answer.ok_or("an answer that means nothing")?;
            let said = self.said.get_mut(&worker).unwrap();
            ensure(std::mem::take(&mut said.out) == answer.missed, || {
                "back without having been out, or not back".to_owned()
            })?;
            self.totals.back += u64::from(answer.missed);
            ensure(!self.pulses.hangs(worker), || {
                "it has answered and hangs".to_owned()
            })?;
        }
        Ok(())
    }

    fn note(&mut self, effect: PulseEffect) -> Check {
        let limit = self.settings.limit().map(millis);
        match effect {
            PulseEffect::Ask { worker, n } => {
                let said = self.said.get_mut(&worker).unwrap();
                ensure(said.asked.is_none() && !said.out, || {
                    "asked although a question is not answered".to_owned()
                })?;
                said.asked = Some(self.now);
                let worker = self.machine.workers.get_mut(&worker).unwrap();
                (worker.surely, worker.maybe, worker.changes) = (0, 0, 0);
                worker.inbox = Some(n);
            }
            PulseEffect::Note { worker } => {
                ensure(self.pulses.unanswered(worker).is_some(), || {
                    "nothing to be noted".to_owned()
                })?;
            }
            PulseEffect::Missed { worker, .. } => {
                let said = self.said.get_mut(&worker).unwrap();
                ensure(!std::mem::replace(&mut said.out, true), || {
                    "out twice".to_owned()
                })?;
                let since = said.asked.ok_or("late with no question")?;
                ensure(self.now - since >= millis(self.settings.timeout()), || {
                    "late too early".to_owned()
                })?;
                self.totals.missed += 1;
            }
            PulseEffect::Suspect { worker } => {
                let said = self.said.get_mut(&worker).unwrap();
                ensure(!std::mem::replace(&mut said.suspected, true), || {
                    "suspected twice".to_owned()
                })?;
            }
            PulseEffect::Postponed { .. } => {
                for said in self.said.values_mut() {
                    ensure(said.out, || "postponed although one answers".to_owned())?;
                    said.postponed = true;
                }
                self.totals.postponed += 1;
            }
            PulseEffect::Hung { worker: id, .. } => {
                let said = self.said.get_mut(&id).unwrap();
                let worker = &self.machine.workers[&id];
                ensure(!std::mem::replace(&mut said.hung, true), || {
                    "hung twice".to_owned()
                })?;
                ensure(said.out && said.suspected, || {
                    "hung without warning".to_owned()
                })?;
                let limit = limit.ok_or("hung without a limit")?;
                let needed = limit * if said.postponed { 2 } else { 1 };
                ensure(
                    worker.maybe + worker.changes * BLUR + 2 * STEP >= needed,
                    || {
                        format!(
                            "{id:?} hung after {} of {needed} ms, {} changes",
                            worker.maybe, worker.changes
                        )
                    },
                )?;
                ensure(!worker.shielded, || "hung behind a shield".to_owned())?;
                self.totals.hung += 1;
            }
        }
        Ok(())
    }

    fn check(&self) -> Check {
        if !self.machine.supervisor_runs() {
            return Ok(());
        }
        for (id, said) in &self.said {
            let worker = &self.machine.workers[id];
            let blur = (worker.changes + 1) * BLUR;
            let patience = self.settings.limit().map(|limit| 2 * millis(limit));
            let interval = millis(self.settings.interval());
            let overdue = patience.is_some_and(|limit| worker.surely > limit + interval + blur);
            ensure(said.hung || !overdue || said.asked.is_none(), || {
                format!("{id:?} should be hung after {} ms", worker.surely)
            })?;
            let late = worker.surely > millis(self.settings.timeout()) + blur;
            ensure(said.out || !late || said.asked.is_none(), || {
                format!("{id:?} should be out after {} ms", worker.surely)
            })?;
            ensure(said.asked.is_some() == worker.inbox.is_some(), || {
                "the question is lost".to_owned()
            })?;
            let pause = self.now.saturating_sub(said.answered.max(4000));
            ensure(
                said.asked.is_some() || pause <= 2 * interval + 31_000,
                || format!("{id:?} is not asked any more"),
            )?;
            ensure(said.hung == self.pulses.hangs(*id), || {
                "not the same verdict".to_owned()
            })?;
        }
        Ok(())
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_false_alarm_and_no_hang_unseen() {
    let (first, count) = match number("ROTA_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (
            number("ROTA_SIM_FIRST").unwrap_or(0),
            number("ROTA_SIM_SEEDS").unwrap_or(300),
        ),
    };
    let mut totals = Totals::default();
    for seed in first..first + count {
        let result = World::new(seed).run();
        let run = result.unwrap_or_else(|why| panic!("ROTA_SIM_SEED={seed}: {why}"));
        totals.hung += run.hung;
        totals.postponed += run.postponed;
        totals.missed += run.missed;
        totals.back += run.back;
    }
    println!(
        "{count} seeds: {} hung, {} postponed, {} missed, {} back",
        totals.hung, totals.postponed, totals.missed, totals.back
    );
    if count >= 100 {
        let all = [totals.hung, totals.postponed, totals.missed, totals.back];
        assert!(all.iter().all(|seen| *seen > 0), "{all:?}");
    }
}
