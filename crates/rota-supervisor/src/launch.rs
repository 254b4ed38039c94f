//! From a specification to a process: environment, descriptors, and what the supervisor keeps of them.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rota_engine::{AppId, Event, Generation, Slot, WorkerId};

use crate::agent::Agent;
use crate::apps::Prepared;
use crate::dispatch::{Balance, ChannelKind, DispatchCommand};
use crate::keeper::SpawnOrder;
use crate::last_words::LastWords;
use crate::limits::Limits;
use crate::notify::{NotifyError, NotifySocket};
use crate::output::{self, Source, Stream};
use crate::supervisor::Supervisor;
use crate::worker::{CpuSample, Readiness, Watchdog, Worker};

/// The first descriptor after stdin, stdout and stderr; `LISTEN_FDS` begin here by definition.
const FIRST_FD: u32 = 3;

/// Variables that belong to one process and would mislead another: those of rota's own starter
/// (systemd, or a Node process) and those that rota sets anew for each worker.
const NOT_INHERITED: [&str; 10] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NODE_APP_INSTANCE",
];

/// Why a process could not even be ordered.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A pipe or socket pair could not be made.
    #[error("no pipe or socket could be had for it: {0}")]
    Descriptors(#[from] io::Error),
    /// The notify socket could not be made.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The app or its generation is not known any more.
    #[error("its app has been deleted")]
    Gone,
}

/// What a process gets beside its program, while it is put together.
struct Outfit {
    env: Vec<(OsString, OsString)>,
    fds: Vec<(OwnedFd, u32)>,
    pid_env: Vec<OsString>,
    next_fd: u32,
}

impl Outfit {
    fn new(prepared: &Prepared, slot: Slot) -> Self {
        let inherited = |(key, value): (&str, &str)| {
            (!NOT_INHERITED.contains(&key)).then(|| (key.into(), value.into()))
        };
        let mut outfit = Self {
            env: prepared.spec.env.iter().filter_map(inherited).collect(),
            fds: Vec::new(),
            pid_env: Vec::new(),
            next_fd: FIRST_FD,
        };
        outfit.set("NODE_APP_INSTANCE", slot.to_string());
        let python = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("python");
        if prepared.launch.program.file_name().is_some_and(python) {
            // Python buffers whole blocks when its output is a pipe: its log would lag behind.
            outfit.set_default("PYTHONUNBUFFERED", "1");
        }
        outfit
    }

    fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.env.push((key.into(), value.into()));
    }

    fn set_default(&mut self, key: &str, value: &str) {
        if !self.env.iter().any(|(have, _)| have == key) {
            self.set(key, value);
        }
    }

    /// Passes a descriptor under the next free number.
    fn add_fd(&mut self, fd: OwnedFd) -> u32 {
        let number = self.next_fd;
        self.next_fd += 1;
        self.fds.push((fd, number));
        number
    }

    /// systemd's socket activation.
    fn add_listen_sockets(
        &mut self,
        prepared: &Prepared,
        sockets: &[Rc<OwnedFd>],
    ) -> io::Result<()> {
        if sockets.is_empty() {
            return Ok(());
        }
        for socket in sockets {
            self.add_fd(socket.try_clone()?);
        }
        let name = |address: &rota_config::ListenAddr| {
            address.name.clone().unwrap_or_else(|| "unknown".to_owned())
        };
        let names: Vec<String> = prepared.spec.listen.iter().map(name).collect();
        self.set("LISTEN_FDS", sockets.len().to_string());
        self.set("LISTEN_FDNAMES", names.join(":"));
        self.pid_env.push("LISTEN_PID".into());
        Ok(())
    }

    /// Node's IPC channel; the other end is returned.
    fn add_channel(&mut self, cluster_worker: Option<WorkerId>) -> io::Result<OwnedFd> {
        let (ours, theirs) = channel_pair()?;
        let number = self.add_fd(theirs);
        self.set("NODE_CHANNEL_FD", number.to_string());
        self.set("NODE_CHANNEL_SERIALIZATION_MODE", "json");
        if let Some(worker) = cluster_worker {
            self.set("NODE_UNIQUE_ID", worker.0.to_string());
        }
        Ok(ours)
    }
}

impl Supervisor {
    /// Puts a process together and orders it from the keeper.
    pub(crate) fn spawn(
        self: &Rc<Self>,
        worker: WorkerId,
        app: AppId,
        slot: Slot,
        generation: Generation,
    ) -> Result<(), LaunchError> {
        let (prepared, sockets) = self
            .with(|state| {
                let app = state.apps.get(&app)?;
                Some((Rc::clone(app.prepared(generation)?), app.sockets.clone()))
            })
            .ok_or(LaunchError::Gone)?;
        let mut outfit = Outfit::new(&prepared, slot);
        outfit.add_listen_sockets(&prepared, &sockets)?;
        let channel = if prepared.has_channel() {
            Some(outfit.add_channel(prepared.is_cluster().then_some(worker))?)
        } else {
            None
        };
        self.add_agent(&prepared, &mut outfit);
        let notify = self.notify_socket(&prepared, worker, &mut outfit)?;
        let (out, out_theirs) = output::worker_pipe()?;
        let (err, err_theirs) = output::worker_pipe()?;
        outfit.fds.push((out_theirs, 1));
        outfit.fds.push((err_theirs, 2));

        self.keep_worker(worker, app, slot, generation, channel.as_ref(), &out, &err)?;
        let source = |stream| Source {
            app: Arc::from(prepared.spec.name.as_str()),
            slot,
            worker: worker.0,
            generation,
            stream,
        };
        let readers = vec![
            self.logs.attach(source(Stream::Out), out)?,
            self.logs.attach(source(Stream::Err), err)?,
        ];
        let now = Instant::now();
        let entry = Worker {
            app,
            slot,
            pid: None,
            spawned_pid: None,
            started: now,
            probe_error: None,
            readiness: Readiness::of(&prepared),
            told_ready: false,
            has_channel: channel.is_some(),
            disconnecting: false,
            output: readers,
            notify,
            status_text: None,
            watchdog: watchdog(&prepared, now),
            tasks: Vec::new(),
            last_words: LastWords::default(),
            agent: Agent::default(),
            cpu: CpuSample::new(now),
            limits: Limits::draw(&prepared.spec.limits),
            prepared: Rc::clone(&prepared),
        };
        self.with(|state| state.workers.insert(worker.0, entry));
        if let Some(channel) = channel {
            self.dispatcher.send(DispatchCommand::AddWorker {
                worker: worker.0,
                app: app.0,
                slot,
                kind: channel_kind(&prepared),
                channel,
            });
        }
        self.keeper.spawn(SpawnOrder {
            worker: worker.0,
            program: prepared.launch.program.clone().into(),
            args: prepared.launch.args.iter().map(OsString::from).collect(),
            env: outfit.env,
            cwd: prepared.spec.cwd.clone(),
            fds: outfit.fds,
            pid_env: outfit.pid_env,
        });
        Ok(())
    }

    /// The agent, for Node processes that have a channel for it to speak on.
    fn add_agent(&self, prepared: &Prepared, outfit: &mut Outfit) {
        let Some(file) = self.agent_file.as_ref().filter(|_| prepared.is_node()) else {
            return;
        };
        let env = file.env(&prepared.spec, prepared.is_cluster(), self.keeper_pid);
        outfit
            .env
            .retain(|(key, _)| !env.iter().any(|(name, _)| key == name));
        for (key, value) in env {
            outfit.set(key, value);
        }
    }

    /// A notify socket for programs that are not cluster workers; those have their channel.
    fn notify_socket(
        &self,
        prepared: &Prepared,
        worker: WorkerId,
        outfit: &mut Outfit,
    ) -> Result<Option<NotifySocket>, LaunchError> {
        if prepared.is_cluster() {
            return Ok(None);
        }
        let socket = NotifySocket::bind(&self.home.notify(), worker.0)?;
        outfit.set("NOTIFY_SOCKET", socket.path().as_os_str());
        if let Some(span) = prepared.spec.readiness.watchdog {
            outfit.set("WATCHDOG_USEC", span.duration().as_micros().to_string());
            outfit.pid_env.push("WATCHDOG_PID".into());
        }
        Ok(Some(socket.listen(self.notices.clone())?))
    }

    /// Leaves with the keeper what the next supervisor would need.
    #[expect(clippy::too_many_arguments, reason = "the parts of one entry")]
    fn keep_worker(
        &self,
        worker: WorkerId,
        app: AppId,
        slot: Slot,
        generation: Generation,
        channel: Option<&OwnedFd>,
        out: &OwnedFd,
        err: &OwnedFd,
    ) -> io::Result<()> {
        let blob = serde_json::json!({
            "app": app.0, "slot": slot, "generation": generation, "channel": channel.is_some(),
        });
        let mut fds = vec![out.try_clone()?, err.try_clone()?];
        if let Some(channel) = channel {
            fds.push(channel.try_clone()?);
        }
        self.keeper
            .put(&worker_key(worker), blob.to_string().into_bytes(), fds);
        Ok(())
    }

    /// The process exists.
    pub(crate) fn spawned(self: &Rc<Self>, worker: u64, pid: u32) {
        let readiness = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            entry.pid = Some(pid);
            entry.spawned_pid = Some(pid);
            Some((entry.readiness, entry.prepared.spec.probe.clone()))
        });
        self.expect_last_words(worker, pid);
        self.feed(Event::Spawned {
            worker: WorkerId(worker),
            pid,
        });
        self.watch_limits(worker);
        let Some((readiness, probe)) = readiness else {
            return;
        };
        match (readiness, probe) {
            (Readiness::Spawned, _) => self.ready(worker),
            (Readiness::Probe, Some(probe)) => self.start_probe(worker, probe),
            _ => {}
        }
    }

    fn start_probe(self: &Rc<Self>, worker: u64, probe: rota_config::Probe) {
        let this = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let failed = |error: crate::probe::ProbeError| {
                this.update(worker, |w| w.probe_error = Some(error.describe()));
            };
            crate::probe::wait_until_ready(&probe, failed).await;
            this.ready(worker);
        });
        self.with(|state| {
            if let Some(entry) = state.workers.get_mut(&worker) {
                entry.tasks.push(task);
            }
        });
    }

    /// A worker is ready; told to the engine once.
    pub(crate) fn ready(self: &Rc<Self>, worker: u64) {
        let first = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            let first = !std::mem::replace(&mut entry.told_ready, true);
            // As with systemd the watchdog begins with readiness: until then the limit is another.
            if let Some(watchdog) = entry.watchdog.as_mut().filter(|_| first) {
                watchdog.fed = Instant::now();
            }
            Some(first)
        });
        if first == Some(true) {
            self.start_watchdog(worker);
            self.feed(Event::Ready {
                worker: WorkerId(worker),
            });
        }
    }
}

/// The two ends of an IPC channel, non-blocking and close-on-exec.
fn channel_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// The keeper's key for a worker's entry.
pub(crate) fn worker_key(worker: WorkerId) -> String {
    format!("worker/{}", worker.0)
}

fn watchdog(prepared: &Prepared, now: Instant) -> Option<Watchdog> {
    let span = prepared.spec.readiness.watchdog?.duration();
    (!prepared.is_cluster()).then_some(Watchdog { span, fed: now })
}

fn channel_kind(prepared: &Prepared) -> ChannelKind {
    if !prepared.is_cluster() {
        return ChannelKind::Plain;
    }
    let balance = match prepared.spec.balance {
        rota_config::Balance::RoundRobin => Balance::RoundRobin,
        rota_config::Balance::IpHash => Balance::IpHash,
        rota_config::Balance::Shared => Balance::Shared,
        rota_config::Balance::Reuseport => Balance::ReusePort,
    };
    ChannelKind::Cluster { balance }
}
