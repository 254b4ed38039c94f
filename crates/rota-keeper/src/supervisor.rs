//! The supervisor's process, from the keeper's side.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rota_sys::process::kill;
use rota_sys::procfs;
use rota_sys::signal::Signal;
use rota_sys::spawn::Spawn;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::backoff::{Backoff, Life};
use crate::link::Link;
use crate::log;
use crate::options::{SUPERVISOR_FD, Settings};
use crate::protocol::ExitInfo;

/// The size of each direction's buffer, in bytes; the kernel may grant less. It spares both sides waits when much
/// is handed back. The kernel doubles it, and counts at least 512 bytes for a packet: 2048 packets at most.
const SOCKET_BUFFER: usize = 512 * 1024;

/// Whether there is one.
#[derive(Debug)]
pub(crate) enum State {
    /// None; the next one starts at this time.
    Waiting { until: Instant },
    /// This one.
    Running {
        pid: u32,
        since: Instant,
        /// When it said that it has taken over.
        up: Option<Instant>,
    },
}

/// The supervisor of the moment, and the line to it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub state: State,
    /// The line; `None` once its other end has been closed and everything in it has been read.
    pub link: Option<Link>,
    /// How many have ended.
    pub deaths: u32,
    /// How the last one ended.
    pub last_exit: Option<ExitInfo>,
    /// It was killed because it hung, and had never been well.
    hung: bool,
    backoff: Backoff,
}

impl Supervisor {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            state: State::Waiting { until: now },
            link: None,
            deaths: 0,
            last_exit: None,
            hung: false,
            backoff: Backoff::default(),
        }
    }

    /// So many have ended that were started by other programs in this process. What they were says nothing of how
    /// this one's will do.
    pub(crate) fn again(deaths: u32, last_exit: Option<ExitInfo>) -> Self {
        Self {
            deaths,
            last_exit,
            ..Self::new(Instant::now())
        }
    }

    /// How many in a row have failed.
    pub(crate) fn series(&self) -> u32 {
        self.backoff.series()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid, .. } => Some(pid),
            State::Waiting { .. } => None,
        }
    }

    /// Whether there is one that has taken over.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Running { up: Some(_), .. }) && self.link.is_some()
    }

    /// Whether a debugger has stopped it.
    pub(crate) fn is_traced(&self) -> bool {
        let stat = self.pid().and_then(|pid| procfs::stat(pid).ok());
        stat.is_some_and(|stat| stat.state == 't')
    }

    /// When the next one is due, if there is none.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { .. } => None,
        }
    }

    /// It has taken over.
    pub(crate) fn came_up(&mut self, now: Instant) {
        if let State::Running { up, .. } = &mut self.state {
            up.get_or_insert(now);
        }
    }

    /// Starts one; false if that failed and is to be tried again later.
    pub(crate) fn start(&mut self, settings: &Settings, now: Instant) -> bool {
        match spawn(settings) {
            Ok((pid, link)) => {
                self.state = State::Running {
                    pid,
                    since: now,
                    up: None,
                };
                self.link = Some(link);
                true
            }
            Err(error) => {
                let wait = self.backoff.not_started();
                log(format_args!(
                    "cannot start the supervisor, next attempt {}: {error}",
                    when(wait)
                ));
                self.state = State::Waiting { until: now + wait };
                false
            }
        }
    }

    /// It has been reaped. What is left in the line stays to be read before the next one starts.
    /// An expected end is not spoken of, and says nothing of the next one's prospects.
    pub(crate) fn ended(&mut self, exit: ExitInfo, expected: bool, now: Instant) {
        let State::Running { pid, since, up } = self.state else {
            return;
        };
        let hung = std::mem::take(&mut self.hung);
        let wait = if expected {
            Duration::ZERO
        } else {
            self.backoff.after(Life {
                lived: now.duration_since(since),
                up: up.filter(|_| !hung).map(|up| now.duration_since(up)),
                killed: exit.status.is_kill() && !hung,
            })
        };
        self.deaths = self.deaths.saturating_add(1);
        self.last_exit = Some(exit);
        self.state = State::Waiting { until: now + wait };
        if expected {
            return;
        }
        log(format_args!(
            "the supervisor (pid {pid}) {}; the next one starts {}, all workers run on",
            exit.status,
            when(wait)
        ));
    }

    /// Ends it for it hangs; `well`: not from its beginning on. What it hung over may be what the next one will find.
    pub(crate) fn kill_hung(&mut self, well: bool) {
        self.hung = !well;
        self.kill();
    }

    /// Ends it, if there is one.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid() {
            // Not reaped yet, so it is it. Failure means that it is dead.
            let _ = kill(pid, Signal::KILL);
        }
    }
}

fn when(wait: Duration) -> String {
    if wait.is_zero() {
        "at once".to_owned()
    } else {
        format!("in {wait:?}")
    }
}

fn spawn(settings: &Settings) -> io::Result<(u32, Link)> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    for end in [&ours, &theirs] {
        // What the kernel has given is enough, too.
        let _ = set_socket_send_buffer_size(end, SOCKET_BUFFER);
    }
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    let mut process = Spawn::new(&settings.program);
    process.argv0 = Some("rota".into());
    process.args.clone_from(&settings.args);
    // What was handed to the keeper is not the supervisor's, whatever its number becomes.
    let inherited = std::env::vars_os();
    process.env = inherited
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"LISTEN_"))
        .collect();
    process.fds = vec![(theirs.as_fd(), SUPERVISOR_FD)];
    let pid = process.start().map_err(io::Error::other)?;
    Ok((pid, Link::new(ours)))
}
