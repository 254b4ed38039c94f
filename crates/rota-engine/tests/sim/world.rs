//! The world around the engine: performs effects with delays and lets things happen.

use std::collections::BTreeMap;

use rota_engine::{
    AppId, Command, CommandId, Effect, Engine, Event, ExitStatus, Policy, Time, WorkerId,
};

use crate::check::Checker;
use crate::death::Death;
use crate::fate::{Fate, Quality};
use crate::growth::Growth;
use crate::operator;
use crate::random::Random;
use crate::shortage::Shortage;
use crate::totals::Totals;

/// What kind of schedule it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Chaos,
    Clean,
    Broken,
}

const APPS: u64 = 3;
/// Simulated time within which everything has to come to rest once faults have ceased.
const REST_WITHIN: u64 = 30 * 60_000;
/// Pauses between two commands are up to one of these.
const PAUSES: &[u64] = &[10, 300, 3000, 20_000];
/// The longest pause after a planned replacement that failed.
const RECYCLE_PAUSE: u64 = 16 * 60_000;

enum Happening {
    /// Told to the engine if the worker lives.
    Says(WorkerId, Event),
    /// Told to the engine in any case.
    Echo(Event),
    Dies(WorkerId, ExitStatus),
    Command(Command),
}

pub(crate) struct Actor {
    pub(crate) fate: Fate,
    pub(crate) alive: bool,
    /// When its process exists.
    pub(crate) exists_at: u64,
    /// From when on it is dealt connections.
    listens_at: Option<u64>,
}

pub struct World {
    mode: Mode,
    random: Random,
    pub(crate) now: u64,
    pub(crate) engine: Engine,
    agenda: BTreeMap<(u64, u64), Happening>,
    entries: u64,
    pub(crate) actors: BTreeMap<WorkerId, Actor>,
    qualities: BTreeMap<(AppId, u32), Quality>,
    generations: BTreeMap<AppId, u32>,
    last_command: u64,
    calm_from: u64,
    shortage: Shortage,
    /// Commands follow each other until so many events have been simulated, and what is saved is measured.
    long: Option<(u64, Growth)>,
    /// The latest time that the engine was told.
    told: u64,
    pub(crate) checker: Checker,
    pub(crate) death: Death,
    pub(crate) verbose: bool,
}

impl World {
    pub fn new(mode: Mode, seed: u64, death: Death, verbose: bool) -> Self {
        let mut random = Random::new(seed);
        let calm_from = random.between(10_000, 90_000);
        let now = random.between(0, 1_000_000);
        let shortage = Shortage::draw(now, &mut random);
        Self {
            shortage,
            mode,
            now,
            engine: Engine::new(seed),
            agenda: BTreeMap::new(),
            entries: 0,
            actors: BTreeMap::new(),
            qualities: BTreeMap::new(),
            generations: BTreeMap::new(),
            last_command: 0,
            calm_from: now + calm_from,
            long: None,
            told: 0,
            checker: Checker::new(mode),
            death,
            verbose,
            random,
        }
    }

    /// A schedule that goes on until so many events have been simulated.
    pub fn long(mut self, events: u64) -> Self {
        self.long = Some((events, Growth::new(events)));
        self.calm_from = u64::MAX;
        self
    }

    pub fn run(mut self) -> Result<Totals, String> {
        self.plan_commands();
        let early = self.long.is_none() && self.mode == Mode::Chaos && self.random.percent(10);
        if early {
            let time = self.random.between(self.now, self.calm_from);
            self.shut_down_at(time);
        }
        self.run_to_rest()?;
        if !early {
            self.checker.at_rest(&self.engine)?;
        }
        self.shut_down();
        self.run_to_rest()?;
        if let Some((_, growth)) = &self.long {
            growth.check()?;
        }
        self.checker.at_end(&self.engine)
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.entries += 1;
        self.agenda.insert((time, self.entries), happening);
    }

    fn plan_commands(&mut self) {
        for app in 1..=APPS {
            let app = AppId(u32::try_from(app).unwrap());
            let policy = operator::policy(self.mode, &mut self.random);
            self.generations.insert(app, 1);
            let start = Command::Start {
                app,
                policy,
                generation: 1,
            };
            self.at(self.now, Happening::Command(start));
        }
        let mut time = self.now + self.random.between(0, 8000);
        while time < self.calm_from {
            // The command is made up when its time comes: it depends on what there is then.
            self.at(time, Happening::Command(Command::Shutdown { now: false }));
            if self.long.is_some() {
                // The next one when this one's time has come.
                return;
            }
            time += self.pause();
        }
    }

    fn pause(&mut self) -> u64 {
        let most = *self.random.pick(PAUSES);
        self.random.between(0, most)
    }

    /// Puts the next command of a long schedule on the agenda, or lets faults cease.
    fn plan_next(&mut self) {
        let Some((events, _)) = self.long else { return };
        if self.checker.totals.events < events {
            let time = self.now + self.pause();
            self.at(time, Happening::Command(Command::Shutdown { now: false }));
        } else {
            self.calm_from = self.now;
        }
    }

    fn shut_down_at(&mut self, time: u64) {
        let now = self.random.percent(40);
        self.last_command += 1;
        let id = CommandId(self.last_command);
        let command = Command::Shutdown { now };
        self.at(time, Happening::Echo(Event::Command { id, command }));
    }

    fn shut_down(&mut self) {
        for _ in 0..self.random.between(1, 2) {
            let time = self.now + self.random.between(0, 400);
            self.shut_down_at(time);
        }
        // Too late for anything else.
        let late = Command::Reload {
            app: AppId(1),
            slots: None,
            update: None,
        };
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.at(
            self.now + 900,
            Happening::Echo(Event::Command { id, command: late }),
        );
    }

    /// Lets time pass until nothing more is going to happen by itself.
    fn run_to_rest(&mut self) -> Result<(), String> {
        let begin = self.now;
        loop {
            let happening = self.agenda.first_key_value().map(|(key, _)| key.0);
            let tick = self.engine.next_deadline().map(|due| due.0.max(self.now));
            // Timers are late, sometimes by much.
            let late = if self.random.percent(2) { 3000 } else { 15 };
            let tick = tick.map(|due| due + self.random.between(0, late));
            match (happening, tick) {
                (None, None) => return Ok(()),
                (Some(time), tick) if tick.is_none_or(|tick| time <= tick) => {
                    self.next_happening()?
                }
                (_, Some(tick)) => {
                    self.now = tick;
                    self.tell(Event::Tick)?;
                }
                (Some(_), None) => {}
            }
            // A version that mostly is not ready in time is tried again and again, with pauses.
            let failed = self.checker.totals.counts.get("recycle failed");
            let pauses = failed.copied().unwrap_or(0) * RECYCLE_PAUSE;
            let give_up = begin.max(self.calm_from).saturating_add(REST_WITHIN);
            if self.now > give_up.saturating_add(pauses) {
                return Err(format!("no rest at {}: {:#?}", self.now, self.engine));
            }
        }
    }

    fn next_happening(&mut self) -> Result<(), String> {
        let Some(((time, _), happening)) = self.agenda.pop_first() else {
            return Ok(());
        };
        self.now = self.now.max(time);
        if self.mode == Mode::Chaos && self.now < self.calm_from && self.random.percent(1) {
            // The machine slept, or the supervisor did not get the processor.
            self.now += self.random.between(0, 20_000);
        }
        match happening {
            Happening::Says(worker, event) => {
                if self.actors.get(&worker).is_some_and(|actor| actor.alive) {
                    self.tell(event)?;
                }
                Ok(())
            }
            Happening::Echo(event) => self.tell(event),
            Happening::Dies(worker, status) => self.die(worker, status),
            Happening::Command(Command::Shutdown { .. }) => self.make_up_command(),
            Happening::Command(command) => self.command(command),
        }
    }

    fn make_up_command(&mut self) -> Result<(), String> {
        let app = AppId(u32::try_from(self.random.between(1, APPS)).unwrap());
        let instances = self.engine.app(app).map_or(0, |view| view.instances);
        let mut generation = self.generations.get(&app).copied().unwrap_or(0);
        let view = self.engine.app(app);
        let settings = view.map(|view| view.policy.clone());
        let settings = settings.filter(|_| self.mode == Mode::Chaos && self.random.percent(8));
        let command = match settings {
            // Another number of restarts is nothing that a process has to know.
            Some(policy) => {
                generation += 1;
                Command::Define {
                    app,
                    policy: Policy {
                        max_restarts: policy.max_restarts.wrapping_add(1) % 7,
                        ..policy
                    },
                    generation,
                }
            }
            None => operator::command(self.mode, &mut self.random, app, instances, &mut generation),
        };
        self.generations.insert(app, generation);
        self.plan_next();
        let command = self.depending(command);
        self.command(command)
    }

    /// Some apps depend on those before them.
    fn depending(&mut self, mut command: Command) -> Command {
        if let Command::Start { app, policy, .. } = &mut command
            && app.0 > 1
            && self.random.percent(40)
        {
            policy.after.push(AppId(app.0 - 1));
        }
        command
    }

    fn command(&mut self, command: Command) -> Result<(), String> {
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.tell(Event::Command { id, command })
    }

    fn die(&mut self, worker: WorkerId, status: ExitStatus) -> Result<(), String> {
        let Some(actor) = self.actors.get_mut(&worker).filter(|actor| actor.alive) else {
            return Ok(());
        };
        actor.alive = false;
        if actor.fate.echoes {
            let echoes = [
                Event::Ready { worker },
                Event::Drained { worker },
                Event::Exited { worker, status },
                Event::Spawned { worker, pid: 1 },
                Event::Recycle {
                    worker,
                    reason: "echo".to_owned(),
                },
            ];
            for echo in echoes {
                let time = self.now + self.random.between(1, 2000);
                self.at(time, Happening::Echo(echo));
            }
        }
        self.tell(Event::Exited { worker, status })
    }

    /// Tells the engine, checks what it makes of it, and does it.
    fn tell(&mut self, event: Event) -> Result<(), String> {
        let mut time = self.now;
        if self.mode == Mode::Chaos && self.random.percent(1) {
            time = time.saturating_sub(self.random.between(0, 5000));
        }
        if self.verbose {
            println!("{time:>8} > {event:?}");
        }
        self.checker.totals.events += 1;
        self.told = self.told.max(time);
        let told = Time(self.told);
        self.checker.before(&self.engine, &event, told);
        let effects = self.engine.handle(Time(time), event);
        if self.verbose {
            for effect in &effects {
                println!("{:>8} < {effect:?}", "");
            }
        }
        self.checker.after(&self.engine, &effects, told)?;
        let effects = self.die_now_and_then(effects, told)?;
        for effect in effects {
            self.perform(effect);
        }
        if let Some((_, growth)) = &mut self.long {
            growth.note(&self.engine, self.checker.totals.events);
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn {
                worker,
                app,
                generation,
                ..
            } => {
                // It may have been asked for by an earlier supervisor.
                if !self.actors.contains_key(&worker) {
                    self.spawn(worker, app, generation);
                }
            }
            Effect::Drain { worker } => {
                let actor = self.actors.get(&worker);
                let listens = |actor: &Actor| actor.listens_at.is_some_and(|at| at <= self.now);
                let after = match actor {
                    // Where connections are dealt it is known that it has none.
                    Some(actor) if !listens(actor) => {
                        self.checker.totals.note("starting worker had nothing");
                        Some(1)
                    }
                    actor => actor.and_then(|actor| actor.fate.drained_after),
                };
                if let Some(after) = after {
                    self.says(worker, after, Event::Drained { worker });
                }
            }
            // Whoever ends by a signal ends by a message as well, or does not listen to messages.
            Effect::StopMessage { worker } if worker.0.is_multiple_of(2) => {}
            Effect::StopMessage { worker } | Effect::StopSignal { worker } => {
                let after = self
                    .actors
                    .get(&worker)
                    .and_then(|actor| actor.fate.stops_after);
                if let Some(after) = after {
                    let status = *self
                        .random
                        .pick(&[ExitStatus::Code(0), ExitStatus::Signal(15)]);
                    self.at(self.now + after, Happening::Dies(worker, status));
                }
            }
            Effect::Kill { worker } => {
                if let Some(actor) = self.actors.get_mut(&worker) {
                    if actor.fate.kills_lost > 0 {
                        actor.fate.kills_lost -= 1;
                        return;
                    }
                    let time = (self.now + actor.fate.dies_after).max(actor.exists_at + 1);
                    self.at(time, Happening::Dies(worker, ExitStatus::Signal(9)));
                }
            }
            Effect::Reply { .. }
            | Effect::Notice { .. }
            | Effect::GenerationRetired { .. }
            | Effect::AppRemoved { .. }
            | Effect::ShutdownComplete => {}
        }
    }

    fn spawn(&mut self, worker: WorkerId, app: AppId, generation: u32) {
        let calm = self.now >= self.calm_from;
        let (mode, random) = (self.mode, &mut self.random);
        let quality = self
            .qualities
            .entry((app, generation))
            .or_insert_with(|| Quality::draw(mode, generation == 1, random));
        let quality = if calm { Quality::Good } else { *quality };
        let mut fate = Fate::draw(quality, mode == Mode::Chaos && !calm, &mut self.random);
        if mode == Mode::Clean && !calm && self.random.percent(15) {
            fate.recycle_after = Some(self.random.between(0, 20_000));
        }
        if self.verbose {
            println!("{:>8}   {worker:?} {quality:?} {fate:?}", "");
        }
        self.checker.note_fate(worker, quality == Quality::Good);
        if self.shortage.lasts(self.now) {
            let reason = "too many open files".to_owned();
            let event = Event::SpawnDeferred { worker, reason };
            self.says(worker, fate.spawned_after, event);
            fate.spawn_fails = true;
        } else {
            self.stage(worker, &fate);
        }
        self.actors.insert(
            worker,
            Actor {
                exists_at: self.now + fate.spawned_after,
                listens_at: fate.listens_after.map(|after| self.now + after),
                alive: true,
                fate,
            },
        );
    }

    /// Puts what a new worker is going to do on the agenda.
    fn stage(&mut self, worker: WorkerId, fate: &Fate) {
        if fate.spawn_fails {
            let reason = "no such file".to_owned();
            let event = Event::SpawnFailed { worker, reason };
            // Nothing lives, but nobody knows that yet.
            self.says(worker, fate.spawned_after, event);
            return;
        }
        let pid = u32::try_from(worker.0).unwrap() + 1000;
        self.says(worker, fate.spawned_after, Event::Spawned { worker, pid });
        let reason = || "simulated".to_owned();
        if let Some(after) = fate.ready_after {
            self.says(worker, after, Event::Ready { worker });
            if fate.echoes {
                self.says(worker, after + 700, Event::Ready { worker });
                self.says(worker, after + 900, Event::Drained { worker });
            }
        }
        if let Some(after) = fate.hang_after {
            let reason = reason();
            self.says(worker, after, Event::Hung { worker, reason });
        }
        if let Some(after) = fate.recycle_after {
            let reason = reason();
            self.says(worker, after, Event::Recycle { worker, reason });
        }
        if let Some(after) = fate.crash_after {
            let status = *self.random.pick(&[
                ExitStatus::Code(1),
                ExitStatus::Code(0),
                ExitStatus::Code(7),
                ExitStatus::Signal(11),
            ]);
            let time = self.now + after.max(fate.spawned_after + 1);
            self.at(time, Happening::Dies(worker, status));
        }
        if let Some(after) = fate.leave_after {
            self.says(worker, after, Event::Leaving { worker });
            if self.random.percent(50) {
                let drained = after + self.random.between(0, 3000);
                self.says(worker, drained, Event::Drained { worker });
            }
            if self.random.percent(60) {
                let time = self.now + after + self.random.between(1, 6000);
                self.at(time, Happening::Dies(worker, ExitStatus::Code(0)));
            }
        }
    }

    fn says(&mut self, worker: WorkerId, after: u64, event: Event) {
        self.at(self.now + after, Happening::Says(worker, event));
    }
}
