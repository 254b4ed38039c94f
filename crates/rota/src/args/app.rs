//! The flags that describe an app: those of `start` and `run`.

use std::path::PathBuf;

use clap::Args;
use rota_config::{
    AppName, Balance, GuardLoss, Instances, ListenAddr, ProbeTarget, SignalName, Size, Span, Stdin,
};

use super::compat::CompatFlags;
use super::logs::LogFlags;
use super::process::ProcessFlags;
use super::renewal::RenewalFlags;
use super::resources::ResourceFlags;
use super::values::{EnvFlag, ExitCodes};

const RUNNING: &str = "How it runs";
const READY: &str = "When it is ready";
const STOPPING: &str = "How it stops";
const RESTART: &str = "When it exits by itself";
const WATCH: &str = "How Node workers are watched";
const LIMITS: &str = "When a healthy worker is replaced";

/// Flags that describe an app.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct AppFlags {
    /// Scripts or commands: app.js, server.py, ./binary, next, 'npm start'; or a configuration file [default: rota.toml]
    #[arg(value_name = "SCRIPT|FILE")]
    pub scripts: Vec<String>,

    /// Name of the app [default: the script's file name without its extension]
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<AppName>,

    /// Label to group apps by [default: default]
    #[arg(long, value_name = "LABEL")]
    pub namespace: Option<String>,

    /// Number of workers: 4, max (one per usable processor), -1 (max less one) [default: 1]
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, help_heading = RUNNING)]
    pub instances: Option<Instances>,

    /// Working directory [default: this one]
    #[arg(long, value_name = "FOLDER", help_heading = RUNNING)]
    pub cwd: Option<PathBuf>,

    /// Environment variable; may be repeated. The rest is taken from this shell. Of a configuration file: the profile
    #[arg(short, long, value_name = "KEY=VALUE|PROFILE", help_heading = RUNNING)]
    pub env: Vec<EnvFlag>,

    /// What runs the script: node, bun, deno, /opt/node-22/bin/node, none [default: by the script]
    #[arg(long, value_name = "PROGRAM", help_heading = RUNNING)]
    pub interpreter: Option<String>,

    /// Arguments for the interpreter, separated by blanks: '--max-old-space-size=512 --no-warnings'
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, visible_alias = "interpreter-args", help_heading = RUNNING)]
    pub node_args: Option<String>,

    /// Run Node scripts as plain processes instead of cluster workers
    #[arg(long, help_heading = RUNNING)]
    pub fork: bool,

    /// How connections are dealt: round-robin, ip-hash, shared, reuseport [default: round-robin]
    #[arg(long, value_name = "MODE", value_parser = balance, help_heading = RUNNING)]
    pub balance: Option<Balance>,

    /// Open this address and hand it over (LISTEN_FDS): 8080, 127.0.0.1:8080, /run/app.sock, web=8080; may be repeated
    #[arg(long, value_name = "ADDR", help_heading = RUNNING)]
    pub listen: Vec<ListenAddr>,

    /// Standard input of the workers: null, or pipe, for `rota send` and `rota attach` [default: null]
    #[arg(long, value_name = "WHAT", value_parser = stdin, help_heading = RUNNING)]
    pub stdin: Option<Stdin>,

    /// Start it only when these apps are ready; names, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = RUNNING)]
    pub depends_on: Vec<AppName>,

    /// Wait for the app's own word: process.send('ready'), or READY=1 (sd_notify)
    #[arg(long, help_heading = READY)]
    pub wait_ready: bool,

    /// Ready when this answers: tcp://127.0.0.1:5432, http://localhost:3000/health
    #[arg(long, value_name = "URL", help_heading = READY)]
    pub probe: Option<ProbeTarget>,

    /// Pause between two tries of the probe [default: 250ms]
    #[arg(long, value_name = "TIME", requires = "probe", help_heading = READY)]
    pub probe_interval: Option<Span>,

    /// Limit of one try of the probe [default: 2s]
    #[arg(long, value_name = "TIME", requires = "probe", help_heading = READY)]
    pub probe_timeout: Option<Span>,

    /// How long a worker may take until it is ready [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = READY)]
    pub listen_timeout: Option<Span>,

    /// How long the first new worker is watched before the next one's turn [default: 3s]
    #[arg(long, value_name = "TIME", help_heading = READY)]
    pub observe: Option<Span>,

    /// Replace a worker that does not say WATCHDOG=1 (sd_notify) more often than this [default: never]
    #[arg(long, value_name = "TIME", help_heading = READY)]
    pub watchdog: Option<Span>,

    /// How long a worker may take to finish its connections [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = STOPPING)]
    pub drain_timeout: Option<Span>,

    /// How long it may take after the stop signal, before SIGKILL [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = STOPPING)]
    pub kill_timeout: Option<Span>,

    /// The signal that asks it to stop: SIGINT, TERM, 15 [default: SIGTERM]
    #[arg(long, value_name = "SIGNAL", help_heading = STOPPING)]
    pub stop_signal: Option<SignalName>,

    /// Close kept connections of a leaving worker instead of handing them over to others
    #[arg(long, help_heading = STOPPING)]
    pub no_handover: bool,

    /// How long a connection that cannot be handed over may stay idle before it is closed [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = STOPPING)]
    pub idle_grace: Option<Span>,

    /// Do not start it again
    #[arg(long, help_heading = RESTART)]
    pub no_autorestart: bool,

    /// How many unstable restarts in a row are allowed [default: 16]
    #[arg(long, value_name = "N", help_heading = RESTART)]
    pub max_restarts: Option<u32>,

    /// A worker that lived for less is unstable [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = RESTART)]
    pub min_uptime: Option<Span>,

    /// Fixed pause before a restart [default: none, growing when it keeps crashing]
    #[arg(long, value_name = "TIME", help_heading = RESTART)]
    pub restart_delay: Option<Span>,

    /// First pause before a restart, which grows by half with every further one, to 15s; in place of --restart-delay
    #[arg(long, value_name = "TIME", visible_alias = "exp-backoff-restart-delay", help_heading = RESTART)]
    pub backoff: Option<Span>,

    /// Exit codes that mean "done", separated by commas: no restart after them
    #[arg(long, value_name = "CODES", help_heading = RESTART)]
    pub stop_exit_codes: Option<ExitCodes>,

    /// No agent in Node workers: no heartbeats, no figures from inside, no handover of connections
    #[arg(long, help_heading = WATCH)]
    pub no_agent: bool,

    /// How often a worker is asked for a sign of life [default: 2s]
    #[arg(long, value_name = "TIME", help_heading = WATCH)]
    pub heartbeat_interval: Option<Span>,

    /// How long its answer may take before the beat counts as missed [default: 2s]
    #[arg(long, value_name = "TIME", help_heading = WATCH)]
    pub heartbeat_timeout: Option<Span>,

    /// So many beats missed in a row, and the worker is hung; 0 = never [default: 5]
    #[arg(long, value_name = "N", help_heading = WATCH)]
    pub heartbeat_misses: Option<u32>,

    /// Warn when the event loop was blocked for so long; 0 = never [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = WATCH)]
    pub block_warning: Option<Span>,

    /// What a worker does when every process of rota is gone: exit, serve [default: exit]
    #[arg(long, value_name = "WHAT", value_parser = guard_loss, help_heading = WATCH)]
    pub guard_loss: Option<GuardLoss>,

    #[command(flatten)]
    pub renewal: RenewalFlags,

    /// Replace a worker that uses more memory: 300M, 1.5G
    #[arg(long, value_name = "SIZE", visible_alias = "max-memory-restart", help_heading = LIMITS)]
    pub max_memory: Option<Size>,

    /// Replace a worker after about so many requests
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub max_requests: Option<u64>,

    /// Replace a worker after about this time: 12h, 7d
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub max_age: Option<Span>,

    #[command(flatten)]
    pub compat: CompatFlags,

    #[command(flatten)]
    pub logs: LogFlags,

    #[command(flatten)]
    pub process: ProcessFlags,

    #[command(flatten)]
    pub resources: ResourceFlags,

    /// Arguments for the script
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

fn balance(text: &str) -> Result<Balance, String> {
    text.parse::<Balance>().map_err(|error| error.to_string())
}

fn stdin(text: &str) -> Result<Stdin, String> {
    text.parse::<Stdin>().map_err(|error| error.to_string())
}

fn guard_loss(text: &str) -> Result<GuardLoss, String> {
    text.parse::<GuardLoss>().map_err(|error| error.to_string())
}

impl AppFlags {
    /// True if there are flags that a stopped app, started again by its name, cannot take.
    pub fn describes_a_new_app(&self) -> bool {
        let known = Self {
            scripts: self.scripts.clone(),
            env: self.env.clone(),
            interpreter: self.interpreter.clone(),
            node_args: self.node_args.clone(),
            ..Self::default()
        };
        *self != known
    }
}
