//! An engine with an app, and short words for what happens to it.

use std::time::Duration;

use rota_engine::{
    AppId, AppView, Command, CommandId, Effect, Engine, Event, ExitStatus, FailReason, Failure,
    Outcome, Policy, Slot, SlotView, Time, WorkerId,
};

pub const APP: AppId = AppId(7);

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A policy with round numbers and no observation.
pub fn policy(instances: u32) -> Policy {
    Policy {
        instances,
        observe: Duration::ZERO,
        ready_timeout: secs(20),
        drain_timeout: secs(10),
        kill_timeout: secs(5),
        lenient_first_ready: false,
        ..Policy::default()
    }
}

#[derive(Clone)]
pub struct Rig {
    pub engine: Engine,
    pub now: u64,
    commands: u64,
    /// Everything that came out since the last `take`.
    pub out: Vec<Effect>,
}

impl Rig {
    pub fn new() -> Self {
        Self {
            engine: Engine::new(1),
            now: 1000,
            commands: 0,
            out: Vec::new(),
        }
    }

    /// An app all of whose workers serve; they are 1..=instances.
    pub fn up(policy: Policy) -> Self {
        let mut rig = Self::new();
        let (instances, observe) = (policy.instances, policy.observe_start);
        let start = rig.start(policy);
        for worker in 1..=u64::from(instances) {
            rig.spawned(worker);
            rig.ready(worker);
        }
        rig.pass(observe);
        assert!(matches!(rig.answer(start), Some(Outcome::Done(_))));
        rig.out.clear();
        rig
    }

    /// The same at the same time, with another engine; nothing has come out of that yet.
    pub fn followed_by(&self, engine: Engine) -> Self {
        Self {
            engine,
            now: self.now,
            commands: self.commands,
            out: Vec::new(),
        }
    }

    pub fn tell(&mut self, event: Event) -> &mut Self {
        let effects = self.engine.handle(Time(self.now), event);
        self.out.extend(effects);
        self
    }

    /// Lets time pass, with every tick that is due on the way.
    pub fn pass(&mut self, span: Duration) -> &mut Self {
        let end = self.now + u64::try_from(span.as_millis()).unwrap();
        while let Some(due) = self.engine.next_deadline().filter(|due| due.0 <= end) {
            self.now = due.0.max(self.now);
            self.tell(Event::Tick);
        }
        self.now = end;
        self
    }

    pub fn command(&mut self, command: Command) -> CommandId {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.tell(Event::Command { id, command });
        id
    }

    pub fn start(&mut self, policy: Policy) -> CommandId {
        self.command(Command::Start {
            app: APP,
            policy,
            generation: 1,
        })
    }

    pub fn stop(&mut self) -> CommandId {
        self.command(Command::Stop {
            app: APP,
            slots: None,
        })
    }

    pub fn reload(&mut self) -> CommandId {
        self.command(Command::Reload {
            app: APP,
            slots: None,
            update: None,
        })
    }

    /// A reload to a new generation with the same settings.
    pub fn update(&mut self, generation: u32) -> CommandId {
        let policy = self.app().policy.clone();
        self.command(Command::Reload {
            app: APP,
            slots: None,
            update: Some((policy, generation)),
        })
    }

    pub fn scale(&mut self, instances: u32) -> CommandId {
        self.command(Command::Scale {
            app: APP,
            instances,
        })
    }

    pub fn spawned(&mut self, worker: u64) -> &mut Self {
        let pid = 1000 + u32::try_from(worker).unwrap();
        let worker = WorkerId(worker);
        self.tell(Event::Spawned { worker, pid })
    }

    pub fn ready(&mut self, worker: u64) -> &mut Self {
        let worker = WorkerId(worker);
        self.tell(Event::Ready { worker })
    }

    /// It has nothing left to finish, or never had anything.
    pub fn drained(&mut self, worker: u64) -> &mut Self {
        let worker = WorkerId(worker);
        self.tell(Event::Drained { worker })
    }

    /// Spawned and ready.
    pub fn serve(&mut self, worker: u64) -> &mut Self {
        self.spawned(worker).ready(worker)
    }

    pub fn exit(&mut self, worker: u64, code: i32) -> &mut Self {
        let worker = WorkerId(worker);
        let status = ExitStatus::Code(code);
        self.tell(Event::Exited { worker, status })
    }

    pub fn app(&self) -> AppView<'_> {
        self.engine.app(APP).unwrap()
    }

    pub fn slot(&self, slot: Slot) -> SlotView<'_> {
        let index = usize::try_from(slot).unwrap();
        self.app().slots.into_iter().nth(index).unwrap()
    }

    /// The live workers of a slot.
    pub fn workers(&self, slot: Slot) -> Vec<u64> {
        let workers = self.slot(slot).workers;
        workers.iter().map(|worker| worker.worker.0).collect()
    }

    /// What came out since the last time, without notices: `["spawn 3", "drain 1"]`.
    pub fn take(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.out);
        effects.iter().filter_map(word).collect()
    }

    /// The answer to a command, if it is among what came out since the last `take`.
    pub fn answer(&self, id: CommandId) -> Option<Outcome> {
        let mut answers = self.out.iter().filter_map(|effect| match effect {
            Effect::Reply { command, outcome } if *command == id => Some(outcome.clone()),
            _ => None,
        });
        let answer = answers.next();
        assert!(answers.next().is_none(), "{id:?} was answered twice");
        answer
    }

    pub fn is_done(&self, id: CommandId) -> bool {
        matches!(self.answer(id), Some(Outcome::Done(_)))
    }

    pub fn failure(&self, id: CommandId) -> Failure {
        match self.answer(id) {
            Some(Outcome::Failed(failure)) => failure,
            other => panic!("not a failure: {other:?}"),
        }
    }

    pub fn is_superseded(&self, id: CommandId) -> bool {
        matches!(self.failure(id).reason, FailReason::Superseded { .. })
    }
}

fn word(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Spawn { worker, .. } => format!("spawn {}", worker.0),
        Effect::Drain { worker } => format!("drain {}", worker.0),
        Effect::StopMessage { worker } => format!("ask {}", worker.0),
        Effect::StopSignal { worker } => format!("signal {}", worker.0),
        Effect::Kill { worker } => format!("kill {}", worker.0),
        Effect::Reply { command, .. } => format!("reply {}", command.0),
        Effect::GenerationRetired { generation, .. } => format!("retired {generation}"),
        Effect::AppRemoved { .. } => "removed".to_owned(),
        Effect::ShutdownComplete => "complete".to_owned(),
        Effect::Notice { .. } => return None,
    })
}
