//! What a process gets beside its program: environment and descriptors.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

use rota_config::Stdin;
use rota_engine::{Slot, WorkerId};

use crate::apps::Prepared;
use crate::compat::Place;
use crate::environment;
use crate::listen::OwnSocket;
use crate::stdin::Input;

/// The first descriptor after stdin, stdout and stderr; `LISTEN_FDS` begin here by definition.
const FIRST_FD: u32 = 3;

/// What a process gets beside its program, while it is put together.
pub(crate) struct Outfit {
    /// Its whole environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Descriptors and the numbers that it gets them under.
    pub(crate) fds: Vec<(OwnedFd, u32)>,
    /// Variables that hold its own process id.
    pub(crate) pid_env: Vec<OsString>,
    next_fd: u32,
}

impl Outfit {
    /// What every process of the app gets.
    pub(crate) fn new(prepared: &Prepared, slot: Slot, place: Option<&Place>) -> Self {
        Self {
            env: environment::of(prepared, slot, place),
            fds: Vec::new(),
            pid_env: Vec::new(),
            next_fd: FIRST_FD,
        }
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.env.push((key.into(), value.into()));
    }

    /// Passes a descriptor under the next free number.
    fn add_fd(&mut self, fd: OwnedFd) -> u32 {
        let number = self.next_fd;
        self.next_fd += 1;
        self.fds.push((fd, number));
        number
    }

    /// systemd's socket activation.
    pub(crate) fn add_listen_sockets(
        &mut self,
        prepared: &Prepared,
        sockets: &[OwnSocket],
    ) -> io::Result<()> {
        if sockets.is_empty() {
            return Ok(());
        }
        for socket in sockets {
            self.add_fd(socket.fd.try_clone()?);
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

    /// Standard input; the writing end is returned, if there is one. Without it the keeper gives `/dev/null`.
    pub(crate) fn add_input(&mut self, prepared: &Prepared) -> io::Result<Option<OwnedFd>> {
        if prepared.spec.stdin == Stdin::Null {
            return Ok(None);
        }
        let (ours, theirs) = Input::pair()?;
        if let Some(person) = &prepared.person {
            // Programs open /dev/stdin, which only the owner may.
            std::os::unix::fs::fchown(&theirs, Some(person.uid), Some(person.gid))?;
        }
        self.fds.push((theirs, 0));
        Ok(Some(ours))
    }

    /// Node's IPC channel; the other end is returned.
    pub(crate) fn add_channel(&mut self, cluster_worker: Option<WorkerId>) -> io::Result<OwnedFd> {
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
