//! What the daemon shows of itself, its apps and their workers. No environment anywhere.

use serde::{Deserialize, Serialize};

use crate::{
    AppStatus, CgroupsView, HealthView, HeldView, InsideView, LogsView, ProcessSettingsView,
    ProcessView, RenewalView, ResourcesView, WorkerStatus,
};

/// `GET /v1/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The supervisor's version, which is the daemon's.
    pub version: String,
    /// The keeper's version: after an upgrade it may be older. `None` from a daemon that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper_version: Option<String>,
    /// The process that serves this answer.
    pub supervisor_pid: u32,
    /// The parent of everything; signals go to this one.
    pub keeper_pid: u32,
    /// When the daemon was started, Unix time in milliseconds.
    pub started_at: u64,
    /// Its `ROTA_HOME`.
    pub home: String,
    /// Started by `rota run`.
    pub foreground: bool,
    /// What it can do with control groups. `None` from a daemon that does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<CgroupsView>,
    /// Workers of a daemon before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub survivors: Vec<SurvivorView>,
}

/// A worker of a daemon before this one, whose keeper was killed. It serves until this daemon's own do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurvivorView {
    /// Its app's name.
    pub app: String,
    /// Its slot.
    pub slot: u32,
    /// Its process.
    pub pid: u32,
    /// It has been asked to finish and leave.
    pub leaving: bool,
}

/// `GET /v1/apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppList {
    /// In the order in which they were first started.
    pub apps: Vec<AppView>,
    /// Workers of a daemon before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub survivors: Vec<SurvivorView>,
}

/// One app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppView {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its state as a whole.
    pub status: AppStatus,
    /// `cluster` or `fork`.
    pub mode: String,
    /// `round-robin`, `ip-hash`, `shared` or `reuseport`; only meaningful in cluster mode.
    pub balance: String,
    /// The script or command, as given.
    pub script: String,
    /// The program that runs it, resolved; absent if it is run directly.
    pub interpreter: Option<String>,
    /// Arguments of the script.
    pub args: Vec<String>,
    /// The absolute path of the script, or of the program if there is none.
    #[serde(default)]
    pub executed: String,
    /// Working directory.
    pub cwd: String,
    /// Wanted number of workers.
    pub instances: u32,
    /// The generation that new workers get.
    pub generation: u32,
    /// Where its workers listen, as far as rota knows: `127.0.0.1:3000`, `[::]:3000`, `/path.sock`,
    /// `udp 0.0.0.0:53`.
    pub listening: Vec<String>,
    /// When the app was first started, Unix time in milliseconds.
    pub created_at: u64,
    /// When its present generation was started, Unix time in milliseconds.
    pub started_at: u64,
    /// What holds for it.
    pub settings: SettingsView,
    /// The rollout that is running.
    pub rollout: Option<RolloutView>,
    /// What starts it anew without need, and when that was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalView>,
    /// Why it is `errored`.
    pub errored_reason: Option<String>,
    /// The last failure of a worker.
    pub last_failure: Option<FailureView>,
    /// The last failures of workers, newest first, at most ten.
    #[serde(default)]
    pub failures: Vec<FailureView>,
    /// One entry per slot, and one more for each old worker that is still leaving.
    pub workers: Vec<WorkerView>,
}

/// The effective settings of an app. Times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// The interpreter's own arguments.
    pub interpreter_args: Vec<String>,
    /// Readiness waits for the worker's own word.
    pub wait_ready: bool,
    /// Limit until ready.
    pub listen_timeout_ms: u64,
    /// How long the first new worker is watched.
    pub observe_ms: u64,
    /// Limit for finishing connections.
    pub drain_timeout_ms: u64,
    /// Limit between stop signal and SIGKILL.
    pub kill_timeout_ms: u64,
    /// The stop signal, such as `SIGTERM`.
    pub stop_signal: String,
    /// Whether crashed workers are started again.
    pub autorestart: bool,
    /// Unstable restarts in a row that are allowed.
    pub max_restarts: u32,
    /// A worker that lived for less is unstable.
    pub min_uptime_ms: u64,
    /// Fixed pause before each restart, 0 = none.
    pub restart_delay_ms: u64,
    /// The first pause of a back-off that grows by half with every restart; absent: rota's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// Exit codes that mean "done".
    pub stop_exit_codes: Vec<i32>,
    /// Addresses that rota listens on for it.
    pub listen: Vec<String>,
    /// The readiness probe's URL.
    pub probe: Option<String>,
    /// A worker is asked to stop by the message `shutdown` before the signal.
    #[serde(default)]
    pub stop_message: bool,
    /// Workers get the variables that PM2 sets.
    #[serde(default)]
    pub pm2_env: bool,
    /// The variable that tells a worker its number, if it is not `NODE_APP_INSTANCE`.
    #[serde(default)]
    pub instance_var: Option<String>,
    /// A variable to which each worker's number is added.
    #[serde(default)]
    pub increment_var: Option<String>,
    /// What workers have as standard input: `null`, `pipe`.
    #[serde(default)]
    pub stdin: String,
    /// When a healthy worker is replaced.
    #[serde(default)]
    pub limits: LimitsView,
    /// Who the workers are, and what they may use.
    #[serde(default)]
    pub process: ProcessSettingsView,
    /// What each worker may use together with everything that it starts.
    #[serde(default)]
    pub resources: ResourcesView,
    /// What becomes of its output; absent: the daemon is of a version that does not tell.
    #[serde(default)]
    pub logs: Option<LogsView>,
}

/// When a worker is replaced although nothing is wrong with it; absent: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsView {
    /// Resident memory.
    pub max_memory_bytes: Option<u64>,
    /// Requests.
    pub max_requests: Option<u64>,
    /// Time since its start.
    pub max_age_ms: Option<u64>,
}

/// A rollout that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutView {
    /// The step that is being done, from 1.
    pub step: u32,
    /// How many steps there are.
    pub steps: u32,
    /// What it is doing, in one or two words: `starting`, `observing`, `draining`, `rolling back`.
    pub phase: String,
    /// The generation that it brings.
    pub generation: u32,
}

/// A failure of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// Unix time in milliseconds.
    pub at: u64,
    /// Its slot.
    pub slot: u32,
    /// What happened, for people: `exit code 1`, `signal SIGSEGV`, `not ready after 30s`.
    pub status: String,
    /// How long it had lived, milliseconds.
    pub after_ms: u64,
    /// Why it counts as a failure, or what rota did.
    pub reason: String,
    /// The last lines that it wrote to stderr.
    pub stderr: Vec<String>,
    /// What kind of failure it is, for programs.
    #[serde(default)]
    pub kind: FailureKind,
    /// The exception that nobody caught.
    #[serde(default)]
    pub exception: Option<ExceptionView>,
    /// Where its JavaScript was when it hung, innermost function first.
    #[serde(default)]
    pub stack: Vec<String>,
    /// It hung, and why it is not known where.
    #[serde(default)]
    pub stack_missing: Option<String>,
    /// Resident memory when it was last looked at, in bytes.
    #[serde(default)]
    pub memory: Option<u64>,
    /// The most resident memory that it, or a program that it ran, ever had, in bytes.
    #[serde(default)]
    pub peak_memory: Option<u64>,
    /// The limit of its JavaScript heap, in bytes.
    #[serde(default)]
    pub heap_limit: Option<u64>,
    /// The most memory that it ever had together with everything that it had started, page cache included, in bytes: as
    /// its control group has counted.
    #[serde(default)]
    pub group_peak_memory: Option<u64>,
    /// The limit of that, in bytes (`--memory-max`).
    #[serde(default)]
    pub memory_limit: Option<u64>,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It ended by itself: an exception, an exit code, a signal.
    Crashed,
    /// It did not answer.
    Hung,
    /// It was not ready in time.
    NotReady,
    /// There was no process.
    NotStarted,
    /// It left the cluster as soon as it had started.
    Left,
    /// Its JavaScript heap was full.
    OutOfMemory,
    /// The kernel killed it for lack of memory.
    OomKilled,
    /// Something else.
    #[default]
    #[serde(other)]
    Other,
}

/// An exception that nobody caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionView {
    /// `uncaughtException` or `unhandledRejection`.
    pub origin: String,
    /// What it says.
    pub message: String,
    /// Its stack, if it has one.
    pub stack: Option<String>,
}

/// How a slot's last process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// Unix time in milliseconds.
    pub at: u64,
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal's name, if one ended it.
    pub signal: Option<String>,
    /// How long it had lived, milliseconds.
    pub after_ms: u64,
}

/// One worker, or a slot without one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    /// The id to name it by; the slot's, kept across restarts.
    pub id: u32,
    /// Its slot in the app, from 0.
    pub slot: u32,
    /// Its unique number (`cluster.worker.id`), never used again. Absent without a process.
    pub worker: Option<u64>,
    /// Its process.
    pub pid: Option<u32>,
    /// Its state.
    pub status: WorkerStatus,
    /// The generation that it belongs to.
    pub generation: u32,
    /// Restarts of the slot, all of them.
    pub restarts: u32,
    /// Unstable restarts in a row.
    pub unstable_restarts: u32,
    /// Milliseconds since it was started.
    pub uptime_ms: Option<u64>,
    /// Processor use in percent of one processor, over the last moment.
    pub cpu: Option<f64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
    /// Connections open now, where rota deals them.
    pub connections: Option<u64>,
    /// Connections handed over and not yet acknowledged.
    pub pending: Option<u64>,
    /// Connections handed over since it was started.
    pub connections_total: Option<u64>,
    /// The file that gets what it writes to its standard output.
    #[serde(default)]
    pub log_out: Option<String>,
    /// The same for standard error.
    #[serde(default)]
    pub log_err: Option<String>,
    /// How the slot's last process ended.
    pub last_exit: Option<LastExit>,
    /// Milliseconds until the next start, while waiting for it.
    pub next_restart_in_ms: Option<u64>,
    /// Why no process could be made for the slot at the last try, for lack of descriptors, processes or memory.
    /// It is tried again, and does not count as a restart.
    #[serde(default)]
    pub shortage: Option<String>,
    /// What it said of itself with `STATUS=`.
    pub status_text: Option<String>,
    /// What the kernel tells of its process.
    #[serde(default)]
    pub process: Option<ProcessView>,
    /// What its agent tells from inside.
    #[serde(default)]
    pub inside: Option<InsideView>,
    /// What the app said of its own health; absent if it never did.
    #[serde(default)]
    pub health: Option<HealthView>,
    /// What holds it and everything that it starts together; absent without a process.
    #[serde(default)]
    pub held: Option<HeldView>,
}
