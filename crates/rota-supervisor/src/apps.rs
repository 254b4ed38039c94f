//! The apps that this daemon knows: their specifications by generation, and what was seen of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use rota_api::{ExceptionView, FailureKind};
use rota_config::file::Origins;
use rota_config::{AppSpec, ExecMode, Kind, Launch};
use rota_engine::{AppId, Generation, Policy, Slot};
use serde::{Deserialize, Serialize};

use crate::identity::Person;
use crate::limits::MemoryPace;
use crate::listen::OwnSockets;
use crate::renewal::Renewed;
use crate::worker::Readiness;

/// A specification together with what it means on this machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepared {
    /// What the user asked for.
    pub spec: AppSpec,
    /// What is executed.
    pub launch: Launch,
    /// Who executes it, if not the daemon's own user.
    pub person: Option<Person>,
    /// Where its settings come from, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Origins>,
}

/// One app.
#[derive(Debug)]
pub struct App {
    /// Its number in the engine.
    pub id: AppId,
    /// Unix time of its first start, in milliseconds.
    pub created_at: u64,
    /// Unix time of the start of its newest generation, in milliseconds.
    pub started_at: u64,
    /// The specifications that workers may still be started with.
    pub generations: BTreeMap<Generation, Rc<Prepared>>,
    /// The last generation number given out.
    pub newest: Generation,
    /// The sockets of `--listen` that any of its generations names.
    pub sockets: OwnSockets,
    /// The last failures, oldest first.
    pub failures: Vec<Failure>,
    /// How soon the workers of each slot used too much memory.
    pub memory_paces: HashMap<u32, MemoryPace>,
    /// Slots that ran when a daemon before this one ended, until somebody says otherwise: `resurrect` starts them.
    pub due: BTreeSet<Slot>,
    /// Of the command line of `rota run`: it goes with that process, and nobody brings it back.
    pub transient: bool,
    /// When it was last started anew because of its files or of a schedule.
    pub renewed: Option<Renewed>,
}

/// How many failures of an app are remembered.
const FAILURES_KEPT: usize = 10;

/// Why a worker failed, with its last words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// Unix time in milliseconds.
    pub at: u64,
    /// The worker's slot.
    pub slot: u32,
    /// The worker.
    pub worker: u64,
    /// How its process ended, in words, once it has.
    pub status: String,
    /// How long after its start, in milliseconds.
    pub after_ms: u64,
    /// What happened, in words.
    pub reason: String,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The exception that nobody caught.
    pub exception: Option<ExceptionView>,
    /// Resident memory when it was last looked at, in bytes.
    pub memory: Option<u64>,
    /// The most resident memory that it ever had, in bytes.
    pub peak_memory: Option<u64>,
    /// The limit of its JavaScript heap, in bytes.
    pub heap_limit: Option<u64>,
    /// The most memory that its control group ever had, in bytes.
    pub group_peak_memory: Option<u64>,
    /// The limit of that, in bytes.
    pub memory_limit: Option<u64>,
    /// Where it hung, innermost function first.
    pub stack: Vec<String>,
    /// It hung, and why it is not known where.
    pub stack_missing: Option<String>,
}

impl App {
    /// An app whose first generation is `prepared`.
    pub fn new(id: AppId, created_at: u64, prepared: Rc<Prepared>) -> Self {
        Self {
            id,
            created_at,
            started_at: created_at,
            generations: BTreeMap::from([(1, prepared)]),
            newest: 1,
            sockets: OwnSockets::default(),
            failures: Vec::new(),
            memory_paces: HashMap::new(),
            due: BTreeSet::new(),
            transient: false,
            renewed: None,
        }
    }

    /// The specification of a generation, or the newest one if that has been retired.
    pub fn prepared(&self, generation: Generation) -> Option<&Rc<Prepared>> {
        self.generations
            .get(&generation)
            .or_else(|| self.generations.values().next_back())
    }

    /// The name under which users know it.
    pub fn name(&self) -> &str {
        self.generations
            .values()
            .next_back()
            .map_or("", |prepared| prepared.spec.name.as_str())
    }

    /// Adds a generation, at this time, and returns its number.
    pub fn add_generation(&mut self, prepared: Rc<Prepared>, now: u64) -> Generation {
        self.started_at = now;
        self.newest += 1;
        self.generations.insert(self.newest, prepared);
        self.newest
    }

    /// Forgets a generation, unless it is the only one left.
    pub fn retire(&mut self, generation: Generation) {
        if self.generations.len() > 1 {
            self.generations.remove(&generation);
        }
    }

    /// Remembers a failure.
    pub fn add_failure(&mut self, failure: Failure) {
        // Whoever left them may have kept more.
        while self.failures.len() >= FAILURES_KEPT {
            self.failures.remove(0);
        }
        self.failures.push(failure);
    }
}

impl Prepared {
    /// True for workers of Node's cluster.
    pub fn is_cluster(&self) -> bool {
        self.launch.mode == ExecMode::Cluster
    }

    /// True for Node itself, which can load the agent.
    pub fn is_node(&self) -> bool {
        self.launch.kind == Kind::Node
    }

    /// True for programs that can talk on Node's IPC channel.
    pub fn has_channel(&self) -> bool {
        self.launch.kind != Kind::Other
    }

    /// How long a start watches its first worker. One that has said that it is ready has proved
    /// itself; of one that merely exists, a start that fails at once should not be called a success.
    fn observe_start(&self) -> Duration {
        match Readiness::of(self) {
            Readiness::Spawned => {
                let observe = self.spec.readiness.observe.duration();
                observe.min(self.spec.restart.min_uptime.duration())
            }
            Readiness::Listening | Readiness::Word | Readiness::Probe => Duration::ZERO,
        }
    }

    /// How long a hung worker has after its stop signal. Handlers of a blocked event loop cannot run; a
    /// program that missed its own watchdog may well have something to say.
    fn hung_timeout(&self) -> Duration {
        let limit = self.spec.stop.kill_timeout.duration();
        if self.is_node() && self.spec.agent.enabled {
            limit.min(Duration::from_secs(1))
        } else {
            limit
        }
    }

    /// The engine's settings for this specification.
    pub fn policy(&self, cpus: u32) -> Policy {
        let spec = &self.spec;
        let cluster = self.is_cluster();
        Policy {
            instances: spec.instances.count(cpus),
            // Names become numbers when a command is given.
            after: Vec::new(),
            autorestart: spec.restart.autorestart,
            max_restarts: spec.restart.max_restarts,
            min_uptime: spec.restart.min_uptime.duration(),
            restart_delay: spec.restart.delay.duration(),
            stop_exit_codes: spec.restart.stop_exit_codes.clone(),
            ready_timeout: spec.readiness.listen_timeout.duration(),
            observe: spec.readiness.observe.duration(),
            observe_start: self.observe_start(),
            drain_timeout: spec.stop.drain_timeout.duration(),
            asks: spec.stop.message && self.has_channel(),
            kill_timeout: spec.stop.kill_timeout.duration(),
            hung_timeout: self.hung_timeout(),
            lenient_first_ready: cluster && !spec.readiness.wait_ready && spec.probe.is_none(),
            drains: cluster,
            // A program that binds its port by itself would find it taken by its predecessor.
            surge: u32::from(cluster || !spec.listen.is_empty()),
            max_missing: 0,
            backoff_base: Duration::from_millis(100),
            backoff_max: Duration::from_secs(15),
            backoff_reset: Duration::from_secs(30),
            backoff: spec
                .restart
                .backoff
                .map(rota_config::Span::duration)
                .filter(|backoff| !backoff.is_zero()),
        }
    }
}
