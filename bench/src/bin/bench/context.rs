//! Arguments, the temporary folder, and where the programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use crate::node::Node;
use crate::{cleanup, pm2, process};

/// What can go wrong in a benchmark: told to the person who runs it, nothing is handled.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures rota beside Node's own cluster and PM2.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  cargo run --release -p rota-bench -- all --quick"
)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value = "all")]
    pub(crate) measure: Measure,
    /// Fewer and shorter repetitions: shows that it works, the figures are rough
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// The rota binary; without it the one beside this program, built if it is missing
    #[arg(long, value_name = "PATH")]
    rota: Option<PathBuf>,
    /// Who takes part, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Party::Rota, Party::Node, Party::Pm2])]
    only: Vec<Party>,
    /// Workers of each service
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// rota's balance modes that take part, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = ["round-robin", "ip-hash", "shared", "reuseport"])]
    modes: Vec<String>,
    /// How many reloads `reload-loss` makes under each load [default: 50; of the others at most 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    reloads: Option<u32>,
    /// Versions of Node in `reload-loss`, separated by commas; the others are measured with 20, or the first
    #[arg(long, value_delimiter = ',', default_values_t = [18, 20, 22, 24])]
    node: Vec<u32>,
    /// Apps in `reload-loss`, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [App::Naive, App::Polite])]
    apps: Vec<App>,
}

/// The sample server, by how it treats signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// No signal code
    Naive,
    /// SIGTERM and SIGINT close the server, then the process exits
    Polite,
}

impl App {
    /// Its file in `bench/apps`.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Naive => "server.js",
            Self::Polite => "graceful.js",
        }
    }

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Polite => "polite",
        }
    }
}

/// The managers that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Party {
    Rota,
    Node,
    Pm2,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Everything below
    All,
    /// Connections per second, one request each
    OneShot,
    /// Requests per second on kept connections
    KeepAlive,
    /// How evenly 200 kept connections are spread
    Share,
    /// Processor time of the manager per 100 000 connections (runs as part of one-shot too)
    Cpu,
    /// From no daemon to the first answer
    Start,
    /// Memory of the manager with 2 and with 50 workers
    Memory,
    /// Time of the list command
    List,
    /// Processor use between events
    Idle,
    /// Requests lost and connections closed by reloads under load
    #[value(alias = "reload")]
    ReloadLoss,
    /// What the agent in the workers costs
    AgentOverhead,
    /// What clients see when rota's supervisor, or PM2's daemon, is killed
    ManagerDeath,
    /// How fast lines get into log files
    LogThroughput,
}

impl Measure {
    /// The measures that this one stands for. `OneShot` reports the processor time of the same runs.
    pub(crate) fn parts(self) -> Vec<Self> {
        match self {
            Self::All => vec![
                Self::OneShot,
                Self::KeepAlive,
                Self::Share,
                Self::Start,
                Self::Memory,
                Self::List,
                Self::Idle,
                Self::ReloadLoss,
                Self::AgentOverhead,
                Self::ManagerDeath,
                Self::LogThroughput,
            ],
            one => vec![one],
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::All => "everything",
            Self::OneShot => "one connection per request",
            Self::KeepAlive => "requests on kept connections",
            Self::Share => "share of connections",
            Self::Cpu => "processor time of the manager",
            Self::Start => "start to first answer",
            Self::Memory => "memory of the manager",
            Self::List => "time of the list command",
            Self::Idle => "processor use when idle",
            Self::ReloadLoss => "requests lost by reloads",
            Self::AgentOverhead => "cost of the agent",
            Self::ManagerDeath => "the manager is killed",
            Self::LogThroughput => "lines into files",
        }
    }
}

/// What every measure needs.
pub(crate) struct Context {
    pub(crate) rota: Option<PathBuf>,
    pub(crate) pm2: Option<PathBuf>,
    /// Whether Node's own cluster takes part.
    pub(crate) node: bool,
    /// Folder of the sample servers.
    pub(crate) apps: PathBuf,
    pub(crate) quick: bool,
    pub(crate) workers: u32,
    /// `--reloads`.
    pub(crate) reloads: Option<u32>,
    /// rota's balance modes that take part; none given means all.
    pub(crate) modes: Vec<String>,
    /// Versions of Node for the reloads.
    pub(crate) nodes: Vec<Node>,
    /// Sample servers for the reloads.
    pub(crate) sample: Vec<App>,
    /// Removed at the end; every process that the benchmark starts is tagged with its path.
    root: TempDir,
}

impl Context {
    /// Finds, builds or installs the programs that take part.
    pub(crate) fn prepare(arguments: &Arguments) -> Result<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("the repository has no folder")?;
        let takes_part = |party| arguments.only.contains(&party);
        let rota = if takes_part(Party::Rota) {
            Some(find_rota(arguments.rota.as_deref(), repository)?)
        } else {
            None
        };
        let pm2 = if takes_part(Party::Pm2) {
            Some(pm2::install(&target_folder()?.join("bench").join("pm2"))?)
        } else {
            None
        };
        let nodes = match arguments.measure {
            Measure::All | Measure::ReloadLoss => arguments
                .node
                .iter()
                .map(|major| Node::find(repository, *major))
                .collect::<Result<Vec<_>>>()?,
            _ => Vec::new(),
        };
        // Short, because a Unix socket's path has 108 bytes at most.
        let root = tempfile::Builder::new().prefix("rb-").tempdir()?;
        cleanup::on_signal(root.path());
        Ok(Self {
            rota,
            pm2,
            node: takes_part(Party::Node),
            apps: repository.join("bench").join("apps"),
            quick: arguments.quick,
            workers: arguments.workers,
            reloads: arguments.reloads,
            modes: arguments.modes.clone(),
            nodes,
            sample: arguments.apps.clone(),
            root,
        })
    }

    /// The temporary folder, which is the tag of all processes too.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// One of two values: the full run's or the quick one's.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        cleanup::kill_tagged(self.root.path());
    }
}

/// The folder that cargo builds into: the outermost one around this program that carries cargo's mark
/// (the folder of the target triple within it has one too).
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program
        .ancestors()
        .filter(|folder| folder.join("CACHEDIR.TAG").exists());
    let folder = marked
        .last()
        .ok_or("this program is not in a cargo target folder; run it by cargo")?;
    Ok(folder.to_owned())
}

fn find_rota(given: Option<&Path>, repository: &Path) -> Result<PathBuf> {
    if let Some(path) = given {
        return path
            .canonicalize()
            .map_err(|error| format!("no rota binary at {}: {error}", path.display()).into());
    }
    let beside = std::env::current_exe()?.with_file_name("rota");
    if !beside.exists() {
        eprintln!("bench: building rota ...");
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--release", "-p", "rota", "--target-dir"])
            .arg(target_folder()?)
            .current_dir(repository);
        process::run(&mut cargo, Duration::from_secs(1800))?;
    }
    if beside.exists() {
        Ok(beside)
    } else {
        Err(format!(
            "there is no {}; run this benchmark with --release, or give --rota PATH",
            beside.display()
        )
        .into())
    }
}
