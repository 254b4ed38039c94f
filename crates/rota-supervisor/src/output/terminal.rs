//! `rota run`: the workers' output on our own standard output and error.
//!
//! A thread writes, since a terminal that was stopped with Ctrl-S, or a pipe that nobody reads,
//! blocks its writer. What is written slowly slows the workers down, as it would without rota. What
//! is not written at all for a while is given up: the workers go on, their lines are counted as lost
//! on the terminal, and are in the log files.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rota_config::ShowAs;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::time::timeout;

use super::files::LossCounters;
use super::form::{self, Spoken};
use super::queue::Queue;
use super::split::Piece;
use super::writer::STACK;
use super::{Source, Stream};

/// How many bytes may wait for the terminal.
const WAITING_BYTES: usize = 256 * 1024;
/// How long the workers wait for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Colours that are legible on dark and light ground; red is left to errors.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 96];

/// Where the output goes in foreground mode.
#[derive(Debug)]
pub struct Terminal {
    /// What workers write to standard output.
    pub out: OwnedFd,
    /// What workers write to standard error.
    pub err: OwnedFd,
    /// Coloured prefixes.
    pub colour: bool,
}

impl Terminal {
    /// Our own standard output and error. Coloured if standard output is a terminal and `NO_COLOR`
    /// is not set.
    ///
    /// # Errors
    ///
    /// When they cannot be duplicated: closed, or no descriptors left.
    pub fn stdio() -> io::Result<Self> {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Self {
            out: io::stdout().as_fd().try_clone_to_owned()?,
            err: io::stderr().as_fd().try_clone_to_owned()?,
            colour: io::stdout().is_terminal() && !no_colour,
        })
    }
}

struct TerminalJob {
    stream: Stream,
    bytes: Vec<u8>,
    lines: u64,
}

/// The supervisor's side of it.
pub(super) struct TerminalSink {
    queue: Arc<Queue<TerminalJob>>,
    losses: Arc<LossCounters>,
    colour: bool,
    /// Set while it takes nothing: how far it had got then.
    stalled_at: Cell<Option<u64>>,
    prefixes: RefCell<Prefixes>,
}

#[derive(Default)]
struct Prefixes {
    /// Decided by the supervisor, or by what was seen.
    on: bool,
    places: Vec<(Arc<str>, u32)>,
    width: usize,
}

impl TerminalSink {
    /// Starts the thread.
    pub fn start(terminal: Terminal, losses: Arc<LossCounters>) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(WAITING_BYTES));
        let sink = Self {
            queue: Arc::clone(&queue),
            losses: Arc::clone(&losses),
            colour: terminal.colour,
            stalled_at: Cell::new(None),
            prefixes: RefCell::default(),
        };
        thread::Builder::new()
            .name("terminal".into())
            .stack_size(STACK)
            .spawn(move || write_all(&queue, &terminal, &losses))?;
        Ok(sink)
    }

    /// From now on each line says whose it is.
    pub fn name_workers(&self) {
        self.prefixes.borrow_mut().on = true;
    }

    /// A worker begins: the second place that writes turns prefixes on.
    pub fn introduce(&self, source: &Source) {
        let mut prefixes = self.prefixes.borrow_mut();
        let known = prefixes
            .places
            .iter()
            .any(|(app, slot)| *app == source.app && *slot == source.slot);
        if !known {
            prefixes.width = prefixes.width.max(name(source).chars().count());
            prefixes.places.push((Arc::clone(&source.app), source.slot));
            prefixes.on |= prefixes.places.len() > 1;
        }
    }

    /// Do lines need a prefix? If not, output is passed on as it was read.
    pub fn names_workers(&self) -> bool {
        self.prefixes.borrow().on
    }

    /// Is there room, or is the terminal one that takes nothing and is not worth waiting for?
    pub fn has_room(&self) -> bool {
        self.queue.has_room() || self.stalled_at.get() == Some(self.queue.progress())
    }

    /// Waits for room, but not for a terminal that takes nothing.
    pub async fn room(&self) {
        if self.has_room() {
            return;
        }
        let mut seen = self.queue.progress();
        while timeout(PATIENCE, self.queue.room()).await.is_err() {
            let now = self.queue.progress();
            if now == seen {
                self.stalled_at.set(Some(now));
                return;
            }
            seen = now;
        }
    }

    /// Appends a line with its prefix, or as an object, to what will be sent.
    pub fn format(
        &self,
        source: &Source,
        show: ShowAs,
        time: u64,
        piece: Piece<'_>,
        into: &mut Vec<u8>,
    ) {
        if show == ShowAs::Json {
            let spoken = Spoken {
                source,
                time,
                continues: false,
                broken: false,
            };
            return form::object(&form::head(spoken), piece, into);
        }
        let prefixes = self.prefixes.borrow();
        let (name, width) = (name(source), prefixes.width);
        if self.colour {
            let place = prefixes
                .places
                .iter()
                .position(|(app, slot)| *app == source.app && *slot == source.slot)
                .unwrap_or(0);
            let colour = COLOURS[place % COLOURS.len()];
            // Resets colours, too, that the line before left on.
            let _ = write!(into, "\x1b[0;{colour}m{name:<width$} |\x1b[0m ");
        } else {
            let _ = write!(into, "{name:<width$} | ");
        }
        into.extend_from_slice(piece.bytes);
        into.push(b'\n');
    }

    /// Sends bytes; those that do not fit are lost.
    pub fn send(&self, stream: Stream, bytes: Vec<u8>, lines: u64) {
        let size = bytes.len();
        let job = TerminalJob {
            stream,
            bytes,
            lines,
        };
        if !self.queue.has_room() || !self.queue.push(size, job) {
            self.losses
                .terminal_lines
                .fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Is everything written? Waits as long as there is progress.
    pub async fn flushed(&self) {
        while !self.queue.is_idle() {
            let seen = self.queue.progress();
            if timeout(PATIENCE, self.queue.idle()).await.is_err() && self.queue.progress() == seen
            {
                return;
            }
        }
    }
}

fn name(source: &Source) -> String {
    format!("{}:{}", source.app, source.slot)
}

/// The thread. A closed pipe or a terminal that is gone ends nothing: the workers' lines are still
/// in their files.
fn write_all(queue: &Queue<TerminalJob>, terminal: &Terminal, losses: &LossCounters) {
    let (mut out_gone, mut err_gone) = (false, false);
    while let Some((bytes, job)) = queue.next() {
        let (fd, gone) = match job.stream {
            Stream::Out => (&terminal.out, &mut out_gone),
            Stream::Err => (&terminal.err, &mut err_gone),
        };
        *gone = *gone || write_to(fd, &job.bytes).is_err();
        if *gone {
            losses
                .terminal_lines
                .fetch_add(job.lines, Ordering::Relaxed);
        }
        queue.done(bytes);
    }
}

fn write_to(fd: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(fd, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            // Somebody who shares the terminal made it non-blocking.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(fd, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
