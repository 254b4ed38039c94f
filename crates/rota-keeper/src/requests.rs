//! Carrying out the supervisor's requests.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::time::Instant;

use rota_sys::cgroup::Group;
use rota_sys::process::pidfd_open;
use rota_sys::procfs;
use rota_sys::signal::Signal;
use rota_sys::spawn::{Spawn, Stage};
use rustix::io::Errno;

use crate::groups::NoGroup;
use crate::keeper::Keeper;
use crate::link::Packet;
use crate::protocol::{FromKeeper, MARK, Refusal, SpawnSpec, SpawnStage, ToKeeper};

/// How far up a process's parents are looked for the worker that it claims to belong to.
const ANCESTORS_MAX: usize = 64;

/// What could not be done, and why.
struct Refused(Refusal, String, String);

impl Keeper {
    /// Carries out one packet.
    pub(crate) fn handle(&mut self, packet: Packet<ToKeeper>) {
        let refused = match packet {
            Packet::Message(message, fds) => self.perform(message, fds).err(),
            Packet::FdsLost(Some(ToKeeper::Spawn { request, child, .. })) => {
                let message = "too many open files in the keeper (ulimit -n)";
                self.spawn_failed(
                    request,
                    child,
                    SpawnStage::Request,
                    Errno::MFILE.raw_os_error(),
                    message,
                );
                None
            }
            Packet::FdsLost(message) => Some(Refused(
                Refusal::FdsLost,
                message.as_ref().map(about).unwrap_or_default(),
                "too many open files in the keeper (ulimit -n)".to_owned(),
            )),
            Packet::Undecodable(error) => Some(Refused(
                Refusal::Undecodable,
                String::new(),
                error.to_string(),
            )),
            Packet::Closed => None,
        };
        if let Some(Refused(reason, about, message)) = refused {
            self.outbox.push(&FromKeeper::Refused {
                reason,
                about,
                message,
            });
        }
    }

    fn perform(&mut self, message: ToKeeper, fds: Vec<OwnedFd>) -> Result<(), Refused> {
        match message {
            ToKeeper::Spawn {
                request,
                child,
                spec,
            } => self.spawn(request, child, &spec, &fds),
            ToKeeper::Signal {
                child,
                signal,
                group,
            } => self.signal(child, signal, group),
            ToKeeper::Put { key, blob } => self.put(key, blob, Some(fds))?,
            ToKeeper::PutBlob { key, blob } => self.put(key, blob, None)?,
            ToKeeper::Drop { key } => {
                if self.store.remove(&key) {
                    self.share_anew();
                }
            }
            ToKeeper::MainPid { child, pid } => self.main_pid(child, pid)?,
            ToKeeper::Forget { child } => {
                if !self.children.forget(child) {
                    let message = "its exit has not been announced yet".to_owned();
                    return Err(Refused(Refusal::StillRunning, child.to_string(), message));
                }
            }
            ToKeeper::Exit { code } => self.leave(code),
            ToKeeper::Up => {
                self.supervisor.came_up(Instant::now());
                self.upgrade.proven();
            }
            ToKeeper::Upgrade { program } => self.begin_upgrade(program.into()),
            ToKeeper::Notify { text } => self.manager.tell(text),
            ToKeeper::Share { key } => {
                if !self.store.is_shared(&key) && self.store.share(&key) {
                    self.share_anew();
                }
            }
            ToKeeper::Alive { number } => {
                if let Some(watchdog) = &mut self.watchdog {
                    watchdog.answered(number);
                }
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        key: String,
        blob: Vec<u8>,
        fds: Option<Vec<OwnedFd>>,
    ) -> Result<(), Refused> {
        let about = key.chars().take(64).collect();
        let shared = fds.is_some() && self.store.is_shared(&key);
        self.store
            .put(key, blob, fds)
            .map_err(|limit| Refused(Refusal::Limit, about, limit.to_owned()))?;
        if shared {
            self.share_anew();
        }
        Ok(())
    }

    /// Leaves with the manager what is shared now, and takes the rest back.
    fn share_anew(&mut self) {
        if self.manager.keeps_sockets() {
            self.manager.keep(self.store.shared());
        }
    }

    fn signal(&mut self, child: u64, signal: i32, group: bool) {
        let sent = match (Signal::from_number(signal), self.children.get(child)) {
            (None, _) => Err(Errno::INVAL.into()),
            (_, None) => Err(Errno::SRCH.into()),
            (Some(signal), Some(child)) => child.signal(signal, group),
        };
        if let Err(error) = sent {
            let errno = errno_of(&error);
            self.outbox.push(&FromKeeper::SignalFailed {
                child,
                signal,
                errno,
            });
        }
    }

    fn spawn(&mut self, request: u64, child: u64, spec: &SpawnSpec, fds: &[OwnedFd]) {
        let refused = if self.is_leaving() {
            Some((Errno::CANCELED, "the keeper is about to exit"))
        } else if self.children.get(child).is_some() {
            Some((Errno::EXIST, "the child's key is in use"))
        } else if self.children.is_full() {
            Some((Errno::AGAIN, "too many children"))
        } else if fds.len() != spec.targets.len() {
            Some((Errno::INVAL, "not as many descriptors as numbers for them"))
        } else {
            None
        };
        if let Some((errno, message)) = refused {
            return self.spawn_failed(
                request,
                child,
                SpawnStage::Request,
                errno.raw_os_error(),
                message,
            );
        }
        let (mut group, entrance) = match self.group(child, spec) {
            Ok(group) => group.unzip(),
            Err(NoGroup { errno, message }) => {
                return self.spawn_failed(request, child, SpawnStage::Group, errno, &message);
            }
        };
        let mut process = self.process(child, spec, fds);
        process.cgroup = entrance.as_ref().map(OwnedFd::as_fd);
        let mut started = process.start();
        if started
            .as_ref()
            .is_err_and(|error| error.stage() == Stage::Cgroup)
            && spec
                .group
                .as_ref()
                .is_some_and(|group| group.needs().is_empty())
        {
            // It is not what was asked for, only better.
            process.cgroup = None;
            started = process.start();
            if let Some(group) = group.take() {
                self.groups.not_entered(group);
            }
        }
        match started {
            Ok(pid) => {
                let path = group
                    .as_ref()
                    .map(|group| group.path().display().to_string());
                self.children.insert(child, pid, group);
                self.outbox.push(&FromKeeper::Spawned {
                    request,
                    child,
                    pid,
                    group: path,
                });
            }
            Err(error) => {
                if let Some(group) = group {
                    self.groups.discard(group);
                }
                let reason = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let message = format!("{error}{}", reason.unwrap_or_default());
                self.spawn_failed(
                    request,
                    child,
                    stage(error.stage()),
                    error.errno(),
                    &message,
                );
            }
        }
    }

    /// A control group for a child, and the way into it.
    fn group(&mut self, child: u64, spec: &SpawnSpec) -> Result<Option<(Group, OwnedFd)>, NoGroup> {
        let Some(wanted) = &spec.group else {
            return Ok(None);
        };
        let Some(group) = self.groups.make(child, wanted, spec.nice)? else {
            return Ok(None);
        };
        match group.entrance() {
            Ok(entrance) => Ok(Some((group, entrance))),
            Err(error) => {
                let message = format!("{} cannot be entered: {error}", group.path().display());
                self.groups.discard(group);
                let errno = errno_of(&error);
                Err(NoGroup { errno, message })
            }
        }
    }

    fn process<'fd>(&self, child: u64, spec: &SpawnSpec, fds: &'fd [OwnedFd]) -> Spawn<'fd> {
        let mut process = Spawn::new(&spec.program);
        process.args.clone_from(&spec.args);
        process.argv0.clone_from(&spec.argv0);
        process.env.clone_from(&spec.env.0);
        process
            .env
            .push((OsString::from(MARK), self.tag.of(child).into()));
        process.cwd = spec.cwd.as_ref().map(Into::into);
        // A number over i32::MAX becomes a negative one, which spawning refuses.
        let numbers = spec
            .targets
            .iter()
            .map(|number| RawFd::try_from(*number).unwrap_or(-1));
        process.fds = fds.iter().map(|fd| fd.as_fd()).zip(numbers).collect();
        process.new_session = spec.new_session;
        process.pid_env.clone_from(&spec.pid_env);
        process.umask = spec.umask;
        process.nice = spec.nice;
        if let Some(attributes) = &spec.attributes {
            process.attributes = attributes.to_sys();
        }
        process
    }

    fn spawn_failed(
        &mut self,
        request: u64,
        child: u64,
        stage: SpawnStage,
        errno: i32,
        message: &str,
    ) {
        let message = message.to_owned();
        self.outbox.push(&FromKeeper::SpawnFailed {
            request,
            child,
            stage,
            errno,
            message,
        });
    }

    fn main_pid(&mut self, key: u64, pid: u32) -> Result<(), Refused> {
        let refused =
            |reason, message: &str| Err(Refused(reason, key.to_string(), message.to_owned()));
        let Some(child) = self.children.get(key).filter(|child| child.runs()) else {
            return refused(Refusal::NoSuchChild, "no such child runs");
        };
        let leader = child.leader;
        // First the descriptor, then the look at who it is: what is verified is what is held.
        let pidfd = pidfd_open(pid);
        if pidfd
            .as_ref()
            .is_err_and(|error| errno_of(error) == Errno::SRCH.raw_os_error())
        {
            return refused(Refusal::NotADescendant, "no such process");
        }
        if !self.descends(pid, key, leader) {
            return refused(
                Refusal::NotADescendant,
                "that process is not a descendant of the child",
            );
        }
        self.children.set_main(key, pid, pidfd.ok());
        Ok(())
    }

    /// Whether a process comes from a child: by its parents, or, once orphaned, by its mark or session.
    fn descends(&self, pid: u32, key: u64, leader: u32) -> bool {
        let mut at = pid;
        for _ in 0..ANCESTORS_MAX {
            if at == leader {
                return true;
            }
            let Ok(stat) = procfs::stat(at) else {
                return false;
            };
            if stat.parent == std::process::id() {
                return stat.session == leader || self.tag.read(at) == Some(key);
            }
            at = stat.parent;
        }
        false
    }
}

fn about(message: &ToKeeper) -> String {
    match message {
        ToKeeper::Put { key, .. }
        | ToKeeper::PutBlob { key, .. }
        | ToKeeper::Drop { key }
        | ToKeeper::Share { key } => key.chars().take(64).collect(),
        ToKeeper::Spawn { child, .. }
        | ToKeeper::Signal { child, .. }
        | ToKeeper::MainPid { child, .. }
        | ToKeeper::Forget { child } => child.to_string(),
        ToKeeper::Exit { .. }
        | ToKeeper::Up
        | ToKeeper::Upgrade { .. }
        | ToKeeper::Notify { .. }
        | ToKeeper::Alive { .. } => String::new(),
    }
}

fn stage(stage: Stage) -> SpawnStage {
    match stage {
        Stage::Prepare => SpawnStage::Prepare,
        Stage::Fork => SpawnStage::Fork,
        Stage::Cgroup => SpawnStage::Group,
        Stage::Attributes => SpawnStage::Attributes,
        Stage::Cwd => SpawnStage::Cwd,
        Stage::Fds => SpawnStage::Fds,
        Stage::Exec => SpawnStage::Exec,
        Stage::Limits => SpawnStage::Limits,
        Stage::Priority => SpawnStage::Priority,
        Stage::Identity => SpawnStage::Identity,
        Stage::Privileges => SpawnStage::Privileges,
    }
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
}
