//! Who is compared, and how each of them starts, reloads and ends the sample server.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cleanup::{self, TAG};
use crate::context::{Context, Result};
use crate::node::Node;
use crate::process;

/// Longest time that a command of a manager may take.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// Longest time until all workers listen.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// Milliseconds that old workers have to leave in the comparison of reloads.
const LEAVE_MS: &str = "2000";
/// The name of the app at its manager.
const NAME: &str = "sample";

/// Numbers the homes within the run.
static HOMES: AtomicU32 = AtomicU32::new(0);

/// A manager in one of its modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// rota with a `--balance` mode.
    Rota(&'static str),
    /// `apps/primary.js` with a `NODE_CLUSTER_SCHED_POLICY`.
    Node(&'static str),
    /// PM2 in cluster mode.
    Pm2,
}

impl Contender {
    /// The modes of rota, the default first.
    pub(crate) const ROTA: [Self; 4] = [
        Self::Rota("round-robin"),
        Self::Rota("ip-hash"),
        Self::Rota("shared"),
        Self::Rota("reuseport"),
    ];
    /// What the others are measured against.
    pub(crate) const BASE: Self = Self::Node("rr");

    /// Those of the given that take part in this run.
    pub(crate) fn chosen(context: &Context, all: &[Self]) -> Vec<Self> {
        let takes_part = |contender: &Self| match contender {
            Self::Rota(mode) => {
                let wanted = context.modes.is_empty() || context.modes.iter().any(|m| m == mode);
                context.rota.is_some() && wanted
            }
            Self::Node(_) => context.node,
            Self::Pm2 => context.pm2.is_some(),
        };
        all.iter().copied().filter(takes_part).collect()
    }

    /// The name in tables.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Rota(mode) => format!("rota, {mode}"),
            Self::Node("none") => "Node cluster, SCHED_NONE".to_owned(),
            Self::Node(_) => "Node cluster, SCHED_RR".to_owned(),
            Self::Pm2 => "PM2".to_owned(),
        }
    }

    /// Flags by which an old worker that does not leave by itself is ended after [`LEAVE_MS`], whoever manages it
    /// (`primary.js` has the same number).
    pub(crate) fn equal_patience(self) -> &'static [&'static str] {
        match self {
            Self::Rota(_) => &["--drain-timeout", LEAVE_MS],
            Self::Pm2 => &["--kill-timeout", LEAVE_MS],
            Self::Node(_) => &[],
        }
    }

    pub(crate) fn is_rota(self) -> bool {
        matches!(self, Self::Rota(_))
    }
}

/// A home of its own for a manager that has not been started, and a port for its app.
pub(crate) struct Site<'c> {
    context: &'c Context,
    pub(crate) contender: Contender,
    home: PathBuf,
    pub(crate) address: SocketAddr,
    /// Another Node than the one on PATH.
    node: Option<Node>,
    /// A primary of Node's cluster, which is our child.
    child: Option<Child>,
}

impl<'c> Site<'c> {
    pub(crate) fn new(context: &'c Context, contender: Contender) -> Result<Self> {
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        let home = context.root().join(number.to_string());
        fs::create_dir(&home)?;
        Ok(Self {
            context,
            contender,
            home,
            address: free_address()?,
            node: None,
            child: None,
        })
    }

    /// Workers (and PM2's daemon) run by this version of Node.
    pub(crate) fn with_node(mut self, node: &Node) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// Its own folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.home
    }

    /// A command of this contender's manager; for Node's cluster, `node`.
    pub(crate) fn command(&self) -> Result<Command> {
        let missing = || format!("{} does not take part", self.contender.name());
        let program = match self.contender {
            Contender::Rota(_) => self.context.rota.clone().ok_or_else(missing)?,
            Contender::Pm2 => self.context.pm2.clone().ok_or_else(missing)?,
            Contender::Node(_) => {
                let node = self.node.as_ref();
                node.map_or_else(|| PathBuf::from("node"), |node| node.path.clone())
            }
        };
        let mut command = Command::new(program);
        command
            .current_dir(&self.context.apps)
            .env(TAG, &self.home)
            .env("PORT", self.address.port().to_string())
            .env("ROTA_HOME", &self.home)
            .env("PM2_HOME", &self.home)
            .env("PM2_DISCRETE_MODE", "true")
            .env_remove("NODE_OPTIONS")
            .stdin(Stdio::null());
        if let Contender::Node(policy) = self.contender {
            command.env("NODE_CLUSTER_SCHED_POLICY", policy);
        }
        if let Some(node) = &self.node {
            // PM2 is run by the `node` that is found first, and its workers by the same one.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders =
                std::iter::once(node.folder().to_owned()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders)?);
        }
        Ok(command)
    }

    /// The command that starts the app with its manager.
    pub(crate) fn start_command(&self, script: &str, workers: u32) -> Result<Command> {
        let mut command = self.command()?;
        let workers = workers.to_string();
        match self.contender {
            Contender::Rota(mode) => {
                command.args([
                    "start",
                    script,
                    "-i",
                    &workers,
                    "--name",
                    NAME,
                    "--balance",
                    mode,
                ]);
            }
            Contender::Pm2 => {
                command.args(["start", script, "-s", "-i", &workers, "--name", NAME]);
            }
            Contender::Node(_) => {
                command.args(["primary.js", script, &workers]);
            }
        }
        Ok(command)
    }

    /// Starts the app and waits until all its workers listen.
    pub(crate) fn start(self, script: &str, workers: u32) -> Result<Service<'c>> {
        let command = self.start_command(script, workers)?;
        self.start_by(command, workers)
    }

    /// As [`Site::start`], with more flags of the manager.
    pub(crate) fn start_with(
        self,
        script: &str,
        workers: u32,
        flags: &[&str],
    ) -> Result<Service<'c>> {
        let mut command = self.start_command(script, workers)?;
        command.args(flags);
        self.start_by(command, workers)
    }

    fn start_by(mut self, mut command: Command, workers: u32) -> Result<Service<'c>> {
        let ready = self.home.join("ready");
        fs::create_dir(&ready)?;
        command.env("BENCH_READY", &ready);
        if let Contender::Node(_) = self.contender {
            let mut command = in_session(&command);
            self.child = Some(spawn_into(&mut command, &self.home.join("out"))?);
        } else {
            process::run(&mut command, COMMAND_LIMIT)?;
        }
        let listening =
            || fs::read_dir(&ready).is_ok_and(|files| files.count() >= workers as usize);
        until("all workers listen", READY_LIMIT, listening)?;
        let managers = self.managers()?;
        Ok(Service {
            site: self,
            managers,
        })
    }

    /// The processes of rota's workers.
    fn rota_workers(&self) -> Result<Vec<u32>> {
        let text = process::run(
            self.command()?.args(["list", NAME, "--json"]),
            COMMAND_LIMIT,
        )?;
        let list: serde_json::Value = serde_json::from_str(&text)?;
        let workers = list
            .pointer("/apps/0/workers")
            .and_then(serde_json::Value::as_array);
        let pids = workers.into_iter().flatten();
        Ok(pids.filter_map(|worker| find_pid(worker, "pid")).collect())
    }

    /// The processes of the manager, without workers.
    pub(crate) fn managers(&self) -> Result<Vec<u32>> {
        match self.contender {
            Contender::Rota(_) => {
                let text =
                    process::run(self.command()?.args(["version", "--json"]), COMMAND_LIMIT)?;
                let version: serde_json::Value = serde_json::from_str(&text)?;
                ["keeper_pid", "supervisor_pid"]
                    .iter()
                    .map(|key| {
                        find_pid(&version, key).ok_or_else(|| format!("no {key} in {text}").into())
                    })
                    .collect()
            }
            Contender::Pm2 => {
                let text = fs::read_to_string(self.home.join("pm2.pid"))?;
                Ok(vec![text.trim().parse()?])
            }
            Contender::Node(_) => Ok(self.child.iter().map(Child::id).collect()),
        }
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        cleanup::kill_tagged(&self.home);
        if let Some(child) = &mut self.child {
            // It is dead already; this takes it out of the process table.
            let _status = child.wait();
        }
    }
}

/// An app that runs, all its workers listening; dropping it kills everything.
pub(crate) struct Service<'c> {
    pub(crate) site: Site<'c>,
    /// The processes of the manager, without workers.
    pub(crate) managers: Vec<u32>,
}

impl Service<'_> {
    pub(crate) fn address(&self) -> SocketAddr {
        self.site.address
    }

    /// The processes of rota's workers.
    pub(crate) fn rota_workers(&self) -> Result<Vec<u32>> {
        self.site.rota_workers()
    }

    /// The process that thinks: rota's supervisor of the moment, PM2's daemon.
    pub(crate) fn thinker(&self) -> Result<u32> {
        let managers = self.site.managers()?;
        let thinker = managers.last().copied();
        thinker.ok_or_else(|| format!("{} has none", self.site.contender.name()).into())
    }

    /// Waits until the manager's list command answers; returns how long it took.
    pub(crate) fn until_listed(&self) -> Result<Duration> {
        let begin = Instant::now();
        let argument = match self.site.contender {
            Contender::Pm2 => "jlist",
            Contender::Rota(_) | Contender::Node(_) => "list",
        };
        loop {
            match process::time(self.site.command()?.arg(argument), COMMAND_LIMIT) {
                Ok(_) => return Ok(begin.elapsed()),
                Err(error) if begin.elapsed() > COMMAND_LIMIT => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Replaces all workers in the way that the manager's guide says, and returns how long it took.
    pub(crate) fn reload(&self) -> Result<Duration> {
        let begin = Instant::now();
        match self.site.contender {
            Contender::Rota(_) | Contender::Pm2 => {
                process::run(self.site.command()?.args(["reload", NAME]), COMMAND_LIMIT)?;
            }
            Contender::Node(_) => self.reload_primary()?,
        }
        Ok(begin.elapsed())
    }

    fn reload_primary(&self) -> Result<()> {
        let out = self.site.home.join("out");
        let reloads = || fs::read_to_string(&out).map_or(0, |text| text.lines().count());
        let before = reloads();
        for pid in &self.managers {
            let pid = i32::try_from(*pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or("a bad pid")?;
            kill_process(pid, Signal::USR2)?;
        }
        until("the primary has reloaded", COMMAND_LIMIT, || {
            reloads() > before
        })
    }
}

/// Waits for a condition that nothing announces.
pub(crate) fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !holds() {
        if begin.elapsed() > limit {
            return Err(format!("{what}: not within {limit:?}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The command in a session of its own, where daemons are too: Linux shares the processor between
/// sessions (`sched_autogroup_enabled`), and the load client must not share with one contender only.
fn in_session(command: &Command) -> Command {
    let mut session = Command::new("setsid");
    session
        .arg(command.get_program())
        .args(command.get_args())
        .env_remove("NODE_OPTIONS")
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        session.current_dir(folder);
    }
    session
}

fn spawn_into(command: &mut Command, out: &Path) -> Result<Child> {
    let out = File::create(out)?;
    command.stdout(out.try_clone()?).stderr(out);
    command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}").into())
}

/// A free port below the range from which clients' ports are taken.
fn free_address() -> Result<SocketAddr> {
    for _ in 0..1000 {
        let port = fastrand::u16(10_000..30_000);
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
    Err("no free port between 10000 and 30000".into())
}

/// Finds a pid by its key, at the top level or one below.
fn find_pid(value: &serde_json::Value, key: &str) -> Option<u32> {
    let fields = value.as_object()?;
    let here = fields.get(key).and_then(serde_json::Value::as_u64);
    here.and_then(|pid| u32::try_from(pid).ok())
        .or_else(|| fields.values().find_map(|value| find_pid(value, key)))
}
