//! The supervisor's state, and the loop that turns events into effects.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rota_api::RunOptions;
use rota_engine::{AppId, CommandId, Engine, Event, Time};
use tokio::sync::{Notify, watch};

use crate::agent::{AgentFile, Heart};
use crate::apps::App;
use crate::checkpoint::Changes;
use crate::holding::Holding;
use crate::home::Home;
use crate::keeper::KeeperLink;
use crate::last_words::OomKills;
use crate::notify;
use crate::operations::Operations;
use crate::orders::Orders;
use crate::output::LogHub;
use crate::progress::RolloutPosition;
use crate::record::Recorder;
use crate::renewal::Renewals;
use crate::stored::Stored;
use crate::survivors::Survivors;
use crate::worker::Workers;

/// Everything that the main thread works on. Methods never wait: what takes time is a task that
/// comes back with an event.
pub struct Supervisor {
    /// Where things are.
    pub home: Home,
    /// Started by `rota run`.
    pub foreground: bool,
    /// How `rota run` was told to behave.
    pub(crate) run: RunOptions,
    /// The keeper's process.
    pub keeper_pid: u32,
    /// The version of the program that the keeper runs.
    pub keeper_version: String,
    /// Who has started the keeper keeps sockets for the next one.
    pub(crate) keeps_sockets: bool,
    /// When this supervisor began.
    pub started_at: u64,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// What it can do with control groups.
    pub holding: Holding,
    /// The line to the keeper.
    pub keeper: KeeperLink,
    /// The thread with the channels and listeners.
    pub dispatcher: Orders,
    /// What workers print.
    pub logs: LogHub,
    /// The agent's file; `None` when it could not be written.
    pub(crate) agent_file: Option<AgentFile>,
    /// The heartbeats of the workers.
    pub(crate) heart: Heart,
    /// What the next daemon finds if the keeper is killed.
    pub(crate) record: Recorder,
    /// Callers of the API.
    pub api_connections: crate::api::Connections,
    /// Notices of programs with a notify socket come in here.
    pub notices: notify::Sender,
    state: RefCell<State>,
    rearm: Notify,
    ended: Notify,
    exit_code: Cell<Option<u8>>,
}

/// What changes. Borrowed for the length of one event, never across an await.
pub struct State {
    /// Lifecycle policy.
    pub engine: Engine,
    /// The apps by number.
    pub apps: HashMap<AppId, App>,
    /// The last app number given out.
    pub last_app: u32,
    /// Live workers.
    pub workers: Workers,
    /// Workers that the kernel has killed for lack of memory.
    pub(crate) oom_kills: OomKills,
    /// Commands under way.
    pub operations: Operations,
    /// Where each app's rollout stands.
    pub positions: HashMap<AppId, RolloutPosition>,
    /// Workers that have ended and whose output is being read to its end.
    pub draining_output: HashMap<u64, watch::Receiver<bool>>,
    /// The daemon has been told to stop.
    pub stopping: bool,
    /// Since when, by the monotonic clock in milliseconds, if it has to end within a time.
    pub stopping_since: Option<u64>,
    /// What it exits with, if that is decided.
    pub exit_code: Option<u8>,
    /// The daemon ends, and sockets stay open for the next one.
    pub(crate) leaves_sockets: bool,
    /// Some worker ended by itself with something else than success (for the exit code of `rota run`).
    pub something_failed: bool,
    /// The command that has asked for another program.
    pub upgrading: Option<CommandId>,
    /// Workers that a daemon before has left behind.
    pub(crate) survivors: Survivors,
    /// Sockets that are open since a daemon before.
    pub(crate) stored: Stored,
    /// Files that are watched, and schedules that are kept.
    pub(crate) renewals: Renewals,
    /// What the keeper has not been told of yet.
    pub(crate) changes: Changes,
}

/// What [`Supervisor::new`] needs.
pub struct Parts {
    /// Where things are.
    pub home: Home,
    /// Started by `rota run`.
    pub foreground: bool,
    /// How `rota run` was told to behave.
    pub(crate) run: RunOptions,
    /// The keeper's process.
    pub keeper_pid: u32,
    /// The version of the program that the keeper runs.
    pub keeper_version: String,
    /// Who has started the keeper keeps sockets for the next one.
    pub(crate) keeps_sockets: bool,
    /// What it can do with control groups.
    pub holding: Holding,
    /// The line to the keeper.
    pub keeper: KeeperLink,
    /// The thread with the channels and listeners.
    pub dispatcher: Orders,
    /// What workers print.
    pub logs: LogHub,
    /// Where notices of programs with a notify socket go.
    pub notices: notify::Sender,
    /// Who writes down what the next daemon finds.
    pub(crate) record: Recorder,
    /// Lifecycle policy, as an earlier supervisor has left it.
    pub engine: Option<Engine>,
    /// Commands under way, as an earlier supervisor has left them.
    pub operations: Operations,
}

impl Supervisor {
    /// A supervisor without apps.
    pub fn new(parts: Parts) -> Rc<Self> {
        let seed = unix_millis() ^ u64::from(std::process::id());
        let agent_file = AgentFile::write(&parts.home.agent());
        let no_agent = agent_file.as_ref().err().map(ToString::to_string);
        let this = Rc::new(Self {
            home: parts.home,
            foreground: parts.foreground,
            run: parts.run,
            keeper_pid: parts.keeper_pid,
            keeper_version: parts.keeper_version,
            keeps_sockets: parts.keeps_sockets,
            holding: parts.holding,
            started_at: unix_millis(),
            cpus: u32::try_from(rota_sys::cpus::available()).unwrap_or(u32::MAX),
            keeper: parts.keeper,
            dispatcher: parts.dispatcher,
            logs: parts.logs,
            agent_file: agent_file.ok(),
            heart: Heart::default(),
            record: parts.record,
            api_connections: crate::api::Connections::default(),
            notices: parts.notices,
            state: RefCell::new(State {
                engine: parts.engine.unwrap_or_else(|| Engine::new(seed)),
                apps: HashMap::new(),
                last_app: 0,
                workers: HashMap::new(),
                oom_kills: OomKills::default(),
                operations: parts.operations,
                positions: HashMap::new(),
                draining_output: HashMap::new(),
                stopping: false,
                stopping_since: None,
                exit_code: None,
                leaves_sockets: false,
                something_failed: false,
                upgrading: None,
                survivors: Survivors::default(),
                stored: Stored::default(),
                renewals: Renewals::default(),
                changes: Changes::default(),
            }),
            rearm: Notify::new(),
            ended: Notify::new(),
            exit_code: Cell::new(None),
        });
        if let Some(error) = no_agent {
            this.say(&format!(
                "the agent cannot be written to {}: {error}; Node workers run without it",
                this.home.agent().display()
            ));
        }
        this
    }

    /// Reads or changes the state. Not to be nested, and nothing that it calls may feed events.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.borrow_mut())
    }

    /// The engine's time: the kernel's monotonic clock, which goes on from one supervisor to the next.
    pub fn now(&self) -> Time {
        Time::from_millis(monotonic_millis())
    }

    /// Gives an event to the engine and performs what comes of it. What the keeper is told of that is one transaction
    /// with the state that it leads to: a supervisor that dies in the middle has not heard of the event.
    pub fn feed(self: &Rc<Self>, event: Event) {
        self.transact(|| {
            let mut events = VecDeque::from([event]);
            while let Some(event) = events.pop_front() {
                let now = self.now();
                let effects = self.with(|state| state.engine.handle(now, event));
                for effect in effects {
                    events.extend(self.perform(effect));
                }
            }
        });
        self.tend_survivors();
        self.tend_stored();
        self.tend_renewals();
        self.wake();
    }

    /// The engine's next deadline may be another one.
    pub(crate) fn wake(&self) {
        self.rearm.notify_one();
    }

    /// Everything that `work` tells the keeper and the dispatcher is told when it is done, to the keeper as one
    /// transaction together with all state that has changed.
    pub fn transact<T>(self: &Rc<Self>, work: impl FnOnce() -> T) -> T {
        let outermost = self.keeper.hold();
        if outermost {
            self.dispatcher.hold();
        }
        let result = work();
        if outermost {
            self.save_changes();
            self.keeper.release();
            self.dispatcher.release();
        }
        result
    }

    /// Wakes the engine when it wants to be woken. There is no tick in between.
    pub async fn keep_time(self: Rc<Self>) {
        loop {
            match self.with(|state| state.engine.next_deadline()) {
                None => self.rearm.notified().await,
                Some(deadline) => {
                    let wait = deadline.since(self.now());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => self.feed(Event::Tick),
                        () = self.rearm.notified() => {}
                    }
                }
            }
        }
    }

    /// Ends the daemon: [`Self::ended`] resolves.
    pub fn end(&self, code: u8) {
        if self.exit_code.get().is_none() {
            self.exit_code.set(Some(code));
            self.ended.notify_one();
        }
    }

    /// Resolves to the exit code when the daemon is to end.
    pub async fn ended(&self) -> u8 {
        loop {
            if let Some(code) = self.exit_code.get() {
                return code;
            }
            self.ended.notified().await;
        }
    }

    /// A message of the daemon itself, for its log or the terminal of `rota run`.
    pub fn say(&self, text: &str) {
        if self.foreground {
            self.logs.say(&format!("rota: {text}"));
        } else {
            let now = humantime::format_rfc3339_millis(SystemTime::now());
            self.logs.say(&format!("{now} {text}"));
        }
    }
}

impl State {
    /// The name of an app; empty when it is gone.
    pub fn app_name(&self, app: AppId) -> String {
        self.apps.get(&app).map_or("", App::name).to_owned()
    }
}

/// The kernel's monotonic clock in milliseconds: the same for all processes since the machine has started.
pub fn monotonic_millis() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds
        .saturating_mul(1000)
        .saturating_add(nanos / 1_000_000)
}

/// Unix time in milliseconds.
pub fn unix_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
