//! Supervisors, started and killed as by the keeper.

use std::cell::Cell;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::Duration;

use rota_supervisor::shadow::{Ledger, Rescue, line, rescue};
use rota_sys::net::{InetOptions, listen_tcp, local_address};
use rota_sys::process::{kill, kill_group, pidfd_open, reap};
use rota_sys::scm;
use rota_sys::signal::Signal;
use rota_sys::spawn::Spawn;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, getpeername, socketpair};

use crate::supervisor::{CHANNEL_FD, LINE_FD, LISTENING_FD, OLD_LINES};

/// After this time something is wrong.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A supervisor, with what the keeper has of it.
pub struct Supervisor {
    pub pid: u32,
    pub shadow: u32,
    /// The worker's end of its channel.
    pub channel: OwnedFd,
    /// The line to the next one.
    pub line: OwnedFd,
    buried: Cell<bool>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // A failed test must leave nobody who keeps its output open.
        if !self.buried.get() {
            let _ = kill(self.pid, Signal::KILL);
        }
    }
}

pub fn listen() -> (OwnedFd, SocketAddr) {
    let any = InetOptions::new("127.0.0.1:0".parse().unwrap());
    let listening = listen_tcp(&any, 4096).unwrap();
    let address = local_address(&listening).unwrap().unwrap();
    (listening, address)
}

impl Supervisor {
    pub fn start(what: &str, listening: &OwnedFd) -> Self {
        Self::succeed(what, listening, 0, &[])
    }

    /// One that comes after others.
    pub fn succeed(what: &str, listening: &OwnedFd, generation: u64, old: &[&OwnedFd]) -> Self {
        let (shadows, line) = line().unwrap();
        let (channel, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        let mut process = Spawn::new(std::env::current_exe().unwrap());
        let (generation, lines) = (generation.to_string(), old.len().to_string());
        process.args = ["__supervisor", what, &generation, &lines]
            .map(Into::into)
            .to_vec();
        process.fds = vec![
            (listening.as_fd(), LISTENING_FD),
            (theirs.as_fd(), CHANNEL_FD),
            (shadows.as_fd(), LINE_FD),
        ];
        for (line, number) in old.iter().zip(OLD_LINES..) {
            process.fds.push((line.as_fd(), number));
        }
        let pid = process.start().unwrap();
        drop(theirs);
        let shadow = hear(&channel).map_or(0, |number| number as u32);
        Self {
            pid,
            shadow,
            channel,
            line,
            buried: Cell::new(false),
        }
    }

    /// What it says next.
    pub fn hear(&self) -> u64 {
        hear(&self.channel).unwrap()
    }

    /// Kills it, and does what the keeper does when it notices.
    pub fn kill(&self) {
        kill(self.pid, Signal::KILL).unwrap();
        self.bury();
    }

    /// It has ended or will, by itself.
    pub fn bury(&self) {
        let process = pidfd_open(self.pid).unwrap();
        wait(&process, PollFlags::IN);
        let _ = kill_group(self.pid, Signal::KILL);
        while reap(self.pid).unwrap().is_none() {}
        self.buried.set(true);
    }

    /// Waits until its shadow, an orphan, has ended.
    pub fn bury_shadow(&self) {
        let process = pidfd_open(self.shadow).unwrap();
        wait(&process, PollFlags::IN);
        while reap(self.shadow).unwrap().is_none() {}
    }

    pub fn rescue(&self) -> Rescue {
        rescue(Ledger::none(), vec![self.line.try_clone().unwrap()], LIMIT)
    }
}

/// The next number that comes through a channel; `None` at its end.
fn hear(channel: &OwnedFd) -> Option<u64> {
    wait(channel, PollFlags::IN);
    let mut buffer = [0; 8];
    let received = scm::recv(channel, &mut buffer).unwrap();
    (received.len == 8).then(|| u64::from_le_bytes(buffer))
}

pub fn wait(fd: impl AsFd, what: PollFlags) {
    let mut fds = [PollFd::new(&fd, what)];
    let limit = rustix::event::Timespec::try_from(LIMIT).unwrap();
    assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "nothing comes");
}

pub fn client(address: SocketAddr) -> (TcpStream, u16) {
    let client = TcpStream::connect(address).unwrap();
    let port = client.local_addr().unwrap().port();
    (client, port)
}

/// The client's port, as seen from our side of a connection.
pub fn port_of(connection: impl AsFd) -> u16 {
    let peer = getpeername(connection).unwrap().unwrap();
    SocketAddr::try_from(peer).unwrap().port()
}

/// A line of a process's `smaps_rollup`, in KiB.
pub fn memory(process: u32, what: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    let words = line.unwrap().trim_start_matches(':').split_whitespace();
    words.take(1).map(|kib| kib.parse::<u64>().unwrap()).sum()
}

/// Whether a process has that descriptor open.
pub fn has_fd(process: u32, fd: &OwnedFd) -> bool {
    let target = |path: String| fs::read_link(path).ok();
    let ours = target(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let theirs = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    theirs
        .map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .any(|target| target == ours)
}
