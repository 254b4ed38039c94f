//! The shadow: waits for the supervisor's death and passes its connections on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rota_sys::heir::{Estate, Heir, fork_sharing_files};
use rota_sys::process::{pidfd_open, reap};
use rota_sys::scm;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::set_name;

use super::connection::{find_unseen, is_connection};
use super::ledger::{Entry, Ledger};
use super::packet::{self, BATCH};

/// How long the next supervisor may leave the line full before the shadow gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The supervisor's side of its shadow.
#[derive(Debug)]
pub struct Shadow {
    pid: u32,
    process: OwnedFd,
}

impl Shadow {
    /// Starts one: to be called while this process has one thread, and before the first connection is accepted.
    /// `line` is one end of [`super::line`]; the other belongs to the keeper. It is the shadow's from now on.
    ///
    /// The shadow is a child of the supervisor, not its sibling (`CLONE_PARENT`): so it can be given a process group
    /// of its own before this returns. The keeper kills the supervisor's group when that has died. It reaps
    /// the shadow all the same, as the subreaper.
    ///
    /// # Errors
    /// `InvalidInput` if there are several threads; otherwise when there are no processes or descriptors left.
    /// Connections are not protected then.
    pub fn start(ledger: Ledger, line: OwnedFd) -> io::Result<Self> {
        let pid = fork_sharing_files(move |heir| live(ledger, &line, heir))?;
        let process = pidfd_open(pid)?;
        Ok(Self { pid, process })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended, though the supervisor lives: connections are not protected any more. The
    /// descriptor of this value becomes readable when it does.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // An error means that it has been reaped.
        !matches!(reap(self.pid), Ok(None))
    }
}

impl AsFd for Shadow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

/// The shadow's whole life. Nothing is closed: at the end the kernel does it.
fn live(ledger: Ledger, line: &OwnedFd, heir: &Heir) -> u8 {
    // For those who look; it is known by nothing else.
    let _ = set_name(c"rota-shadow");
    let Some(estate) = heir.wait(line) else {
        // Nobody will ever read what could be said.
        return 0;
    };
    if ledger.has_said_farewell() {
        return 0;
    }
    let mut sender = Sender {
        line: line.as_fd(),
        until: Instant::now() + PATIENCE,
        entries: Vec::with_capacity(BATCH),
        fds: Vec::with_capacity(BATCH),
    };
    match send_all(&estate, ledger, &mut sender) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn send_all<'a>(estate: &'a Estate<'_>, ledger: Ledger, sender: &mut Sender<'a>) -> io::Result<()> {
    for (number, entry) in ledger.entries().chain(unseen(estate, ledger)) {
        if let Some(fd) = estate.get(number).filter(|fd| is_connection(*fd)) {
            sender.add(entry, fd)?;
        }
    }
    sender.flush()?;
    sender.send(&packet::end(), &[])
}

/// What the kernel had accepted and the supervisor had not entered.
fn unseen(estate: &Estate<'_>, ledger: Ledger) -> Option<(RawFd, Entry)> {
    let intent = ledger.accepting()?;
    let number = find_unseen(estate, ledger, intent)?;
    let entry = Entry::Held {
        app: intent.app,
        socket: intent.socket,
    };
    Some((number, entry))
}

struct Sender<'a> {
    line: BorrowedFd<'a>,
    until: Instant,
    entries: Vec<Entry>,
    fds: Vec<BorrowedFd<'a>>,
}

impl<'a> Sender<'a> {
    fn add(&mut self, entry: Entry, fd: BorrowedFd<'a>) -> io::Result<()> {
        self.entries.push(entry);
        self.fds.push(fd);
        if self.entries.len() == BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let sent = match self.send(&packet::encode(&self.entries), &self.fds) {
            Err(error) if !is_final(&error) => self.send_singly(),
            sent => sent,
        };
        self.entries.clear();
        self.fds.clear();
        sent
    }

    /// For a packet that the kernel refuses because of one of its connections: to a Unix socket its client may have
    /// sent a socket with a socket in it, and so on (`ETOOMANYREFS`). Such a one is lost, and no other.
    fn send_singly(&self) -> io::Result<()> {
        for (entry, fd) in self.entries.iter().zip(&self.fds) {
            match self.send(&packet::encode(&[*entry]), &[*fd]) {
                Err(error) if is_final(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends a packet, and waits for room if need be.
    fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            match scm::send(self.line, bytes, fds) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) => return Err(error),
            }
        }
    }

    fn wait_for_room(&self) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or_default();
        let mut fds = [PollFd::from_borrowed_fd(self.line, PollFlags::OUT)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            // An interruption, or room, or a line that is closed: the next attempt tells.
            _ => Ok(()),
        }
    }
}

/// Whether the line is of no use any more.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
    )
}
