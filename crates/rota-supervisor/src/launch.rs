//! From a specification to a process: environment, descriptors, and what the supervisor keeps of them.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rota_engine::{AppId, Event, Generation, Slot, WorkerId};
use rota_sys::cgroup::Group;

use crate::agent::{Agent, AgentFile};
use crate::apps::Prepared;
use crate::attributes::ProcessAttributes;
use crate::checkpoint::{self, json};
use crate::dispatch::{Balance, ChannelKind, DispatchCommand};
use crate::holding::group_of;
use crate::identity::Person;
use crate::keeper::SpawnOrder;
use crate::last_words::LastWords;
use crate::limits::Limits;
use crate::listen::{ListenError, OwnSocket};
use crate::notify::{NotifyError, NotifySocket};
use crate::outfit::Outfit;
use crate::output::{self, Source, Stream};
use crate::reach;
use crate::saved::{SavedWorker, channel_key, worker_key};
use crate::shortage;
use crate::stdin::Input;
use crate::supervisor::Supervisor;
use crate::worker::{CpuSample, Readiness, Watchdog, Worker};

/// Why a process could not even be ordered.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A pipe or socket pair could not be made.
    #[error("no pipe or socket could be had for it: {0}")]
    Descriptors(#[from] io::Error),
    /// The notify socket could not be made.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// One of its sockets was lost and cannot be opened again.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The keeper would not do as it is told.
    #[error(
        "the daemon's keeper is of an older version that does not know its user and limits: rota kill, then start anew"
    )]
    OldKeeper,
    /// The app or its generation is not known any more.
    #[error("its app has been deleted")]
    Gone,
}

impl LaunchError {
    /// What is lacking is no matter of the app's.
    pub(crate) fn is_shortage(&self) -> bool {
        let number = match self {
            Self::Descriptors(error) | Self::Notify(NotifyError::Io { source: error, .. }) => {
                error.raw_os_error()
            }
            Self::Listen(error) => error.raw_os_error(),
            Self::Notify(_) | Self::OldKeeper | Self::Gone => None,
        };
        number.is_some_and(shortage::is_errno)
    }
}

/// Our ends of what a worker writes to.
pub(crate) struct Pipes {
    /// Of its standard output.
    pub(crate) out: OwnedFd,
    /// Of its standard error.
    pub(crate) err: OwnedFd,
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
        let prepared = self
            .with(|state| state.apps.get(&app)?.prepared(generation).cloned())
            .ok_or(LaunchError::Gone)?;
        self.have_sockets(app, &prepared.spec)?;
        let sockets = self.sockets_of(app, &prepared);
        let attributes = ProcessAttributes::of(&prepared);
        if !attributes.is_known_to(self.keeper.protocol()) {
            return Err(LaunchError::OldKeeper);
        }
        let group = group_of(&prepared.spec, slot);
        if !self.holding.is_known() && !group.needs().is_empty() {
            return Err(LaunchError::OldKeeper);
        }
        let place = self.with(|state| self.place(state, app, slot));
        let mut outfit = Outfit::new(&prepared, slot, place.as_ref());
        outfit.add_listen_sockets(&prepared, &sockets)?;
        let channel = if prepared.has_channel() {
            Some(outfit.add_channel(prepared.is_cluster().then_some(worker))?)
        } else {
            None
        };
        self.add_agent(&prepared, &mut outfit)?;
        let notify = self.notify_socket(&prepared, worker, &mut outfit)?;
        let input = outfit.add_input(&prepared)?;
        let (out, out_theirs) = output::worker_pipe()?;
        let (err, err_theirs) = output::worker_pipe()?;
        outfit.fds.push((out_theirs, 1));
        outfit.fds.push((err_theirs, 2));
        let mut kept = vec![out.try_clone()?, err.try_clone()?];
        if let Some(socket) = &notify {
            kept.extend(socket.copy()?);
        }
        kept.extend(input.as_ref().map(OwnedFd::try_clone).transpose()?);
        let kept_channel = channel.as_ref().map(OwnedFd::try_clone).transpose()?;

        let started = Instant::now();
        let mut entry = self.worker(
            &prepared,
            app,
            slot,
            generation,
            worker,
            Pipes { out, err },
            started,
        )?;
        entry.has_channel = channel.is_some();
        entry.input = input.map(Input::new).map(Rc::new);
        entry.notify = notify
            .map(|socket| socket.listen(self.notices.clone()))
            .transpose()?;
        let saved = json(&SavedWorker::of(&entry, checkpoint::started(&entry)));
        self.with(|state| state.workers.insert(worker.0, entry));
        self.keeper
            .put(&worker_key(worker), saved.unwrap_or_default(), kept);
        if let Some(channel) = kept_channel {
            self.keeper
                .put(&channel_key(worker), Vec::new(), vec![channel]);
        }
        if let Some(channel) = channel {
            self.dispatcher.send(DispatchCommand::ActAs {
                app: app.0,
                user: prepared.person.as_ref().map(Person::fs_user),
            });
            self.dispatcher.send(DispatchCommand::AddWorker {
                worker: worker.0,
                app: app.0,
                slot,
                kind: channel_kind(&prepared),
                inherits: sockets.iter().map(|socket| socket.number).collect(),
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
            attributes,
            group: self.holding.is_known().then(|| Box::new(group)),
        });
        Ok(())
    }

    /// The sockets that a worker inherits, in the order of its specification.
    fn sockets_of(&self, app: AppId, prepared: &Prepared) -> Vec<OwnSocket> {
        self.with(|state| {
            let app = state.apps.get(&app);
            let sockets = app.map(|app| app.sockets.of(&prepared.spec));
            let sockets = sockets.into_iter().flatten().flatten();
            sockets.cloned().collect()
        })
    }

    /// The agent, for Node processes that have a channel for it to speak on.
    fn add_agent(&self, prepared: &Prepared, outfit: &mut Outfit) -> io::Result<()> {
        if !prepared.is_node() || !prepared.spec.agent.enabled {
            return Ok(());
        }
        let file = match &prepared.person {
            // The file in our home is closed to it.
            Some(_) => Some(AgentFile::for_everybody(&reach::agent()?)?),
            None => self.agent_file.clone(),
        };
        let Some(file) = file else {
            return Ok(());
        };
        let env = file.env(&prepared.spec, prepared.is_cluster(), self.keeper_pid);
        outfit
            .env
            .retain(|(key, _)| !env.iter().any(|(name, _)| key == name));
        for (key, value) in env {
            outfit.set(key, value);
        }
        Ok(())
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
        let folder = self.notify_folder(prepared)?;
        let socket = match &prepared.person {
            Some(person) => NotifySocket::bind_for(&folder, worker.0, person.uid, person.gid)?,
            None => NotifySocket::bind(&folder, worker.0)?,
        };
        outfit.set("NOTIFY_SOCKET", socket.path().as_os_str());
        if let Some(span) = prepared.spec.readiness.watchdog {
            outfit.set("WATCHDOG_USEC", span.duration().as_micros().to_string());
            outfit.pid_env.push("WATCHDOG_PID".into());
        }
        Ok(Some(socket))
    }

    /// Where the notify sockets of such workers lie.
    pub(crate) fn notify_folder(&self, prepared: &Prepared) -> io::Result<PathBuf> {
        match prepared.person {
            Some(_) => reach::notify(self.keeper_pid),
            None => Ok(self.home.notify()),
        }
    }

    /// What is kept of a worker, whose output is read from now on.
    #[expect(clippy::too_many_arguments, reason = "the parts of one worker")]
    pub(crate) fn worker(
        &self,
        prepared: &Rc<Prepared>,
        app: AppId,
        slot: Slot,
        generation: Generation,
        worker: WorkerId,
        pipes: Pipes,
        started: Instant,
    ) -> io::Result<Worker> {
        let source = |stream| Source {
            app: Arc::from(prepared.spec.name.as_str()),
            slot,
            worker: worker.0,
            generation,
            stream,
        };
        let (logs, cwd) = (&prepared.spec.logs, &prepared.spec.cwd);
        let readers = vec![
            self.logs
                .attach(source(Stream::Out), logs, cwd, pipes.out)?,
            self.logs
                .attach(source(Stream::Err), logs, cwd, pipes.err)?,
        ];
        Ok(Worker {
            app,
            slot,
            generation,
            pid: None,
            identity: None,
            spawned_pid: None,
            group: None,
            started,
            probe_error: None,
            readiness: Readiness::of(prepared),
            told_ready: false,
            has_channel: false,
            disconnecting: false,
            output: readers,
            input: None,
            notify: None,
            status_text: None,
            watchdog: watchdog(prepared, Instant::now()),
            tasks: Vec::new(),
            last_words: LastWords::default(),
            agent: Agent::default(),
            cpu: CpuSample::new(started),
            gives_way: None,
            end: None,
            limits: Limits::draw(&prepared.spec.limits),
            prepared: Rc::clone(prepared),
        })
    }

    /// The process exists.
    pub(crate) fn spawned(self: &Rc<Self>, worker: u64, pid: u32, group: Option<String>) {
        self.update(worker, |w| {
            w.group = group.map(Group::at);
            w.pid = Some(pid);
            w.spawned_pid = Some(pid);
        });
        self.expect_last_words(worker, pid);
        self.write_pid_file(worker, pid);
        self.feed(Event::Spawned {
            worker: WorkerId(worker),
            pid,
        });
        self.give_way(worker);
        self.watch_limits(worker);
        self.await_readiness(worker);
    }

    /// Waits for the sign of readiness that does not come by itself.
    pub(crate) fn await_readiness(self: &Rc<Self>, worker: u64) {
        let readiness = self.with(|state| {
            let entry = state.workers.get(&worker)?;
            Some((entry.readiness, entry.prepared.spec.probe.clone()))
        });
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
            self.give_way_no_more(worker);
            self.start_watchdog(worker);
            self.transact(|| {
                self.save_worker(worker);
                self.feed(Event::Ready {
                    worker: WorkerId(worker),
                });
            });
        }
    }
}

fn watchdog(prepared: &Prepared, now: Instant) -> Option<Watchdog> {
    let span = prepared.spec.readiness.watchdog?.duration();
    (!prepared.is_cluster()).then_some(Watchdog { span, fed: now })
}

pub(crate) fn channel_kind(prepared: &Prepared) -> ChannelKind {
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
