//! The hub: where all output comes together and goes its ways.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rota_sys::signal::{Signal, Signals};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::files::{LogFiles, LossCounters};
use super::follow::Followers;
use super::inspector::InspectorWatch;
use super::names::FileKey;
use super::queue::Queue;
use super::reader::{READ_SIZE, Reader};
use super::split::{Piece, Splitter};
use super::tail::Tail;
use super::terminal::TerminalSink;
use super::writer::{self, FileJob};
use super::{
    FileTail, Filter, LineEnd, LogLine, LogTrouble, Source, Stream, Subscription, Terminal,
};

/// The number of SIGXFSZ, on every architecture that rota runs on.
const SIGXFSZ: i32 = 25;
/// How long a full queue is waited for where waiting must end: for what a dead worker left behind,
/// and at our own end.
pub(super) const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// How output is handled.
pub struct LogOptions {
    /// The folder of the log files. Made when the first line is written.
    pub dir: PathBuf,
    /// In foreground mode: where the output is shown, too.
    pub terminal: Option<Terminal>,
    /// Told when files cannot be written, and when they can be again. Called on the writer's thread.
    pub on_trouble: Box<dyn Fn(LogTrouble) + Send>,
}

/// Output that did not arrive where it should have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Lines missing in the log files, because of a disk that did not take them.
    pub lost_lines: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// Log files that cannot be written now.
    pub failing_files: u64,
    /// Lines that the terminal of the foreground mode did not take.
    pub terminal_lost_lines: u64,
}

/// Collects the output of all workers. Clones are the same hub.
#[derive(Clone)]
pub struct LogHub {
    pub(super) shared: Rc<Shared>,
}

/// What readers and the hub have in common; on one thread.
pub(super) struct Shared {
    files: Arc<Queue<FileJob>>,
    terminal: Option<TerminalSink>,
    losses: Arc<LossCounters>,
    tails: RefCell<HashMap<u64, Tail>>,
    inspectors: RefCell<HashMap<u64, Rc<InspectorWatch>>>,
    followers: RefCell<Followers>,
    /// One buffer for all pipes: it is used between two waits only.
    pub(super) scratch: RefCell<Box<[u8]>>,
    closed: Cell<bool>,
}

impl LogHub {
    /// Starts the threads that write. Blocks SIGXFSZ and SIGTTOU for the calling thread and all that
    /// it starts later: call it early.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started, or no descriptors are left.
    pub fn start(options: LogOptions) -> io::Result<Self> {
        block_signals_of_writing()?;
        let losses = Arc::new(LossCounters::default());
        let files = Arc::new(Queue::new(writer::WAITING_BYTES));
        let log_files = LogFiles::new(options.dir, Arc::clone(&losses), options.on_trouble);
        writer::start(Arc::clone(&files), log_files)?;
        let terminal = match options.terminal {
            Some(terminal) => Some(TerminalSink::start(terminal, Arc::clone(&losses))?),
            None => None,
        };
        let shared = Shared {
            files,
            terminal,
            losses,
            tails: RefCell::default(),
            inspectors: RefCell::default(),
            followers: RefCell::default(),
            scratch: RefCell::new(vec![0; READ_SIZE].into()),
            closed: Cell::new(false),
        };
        Ok(Self {
            shared: Rc::new(shared),
        })
    }

    /// Reads a pipe from now on, in a task of its own. Must be called within a `LocalSet`.
    ///
    /// # Errors
    ///
    /// When the descriptor is not the reading end of a pipe, or cannot be watched.
    pub fn attach(&self, source: Source, fd: OwnedFd) -> io::Result<Reader> {
        if let Some(terminal) = &self.shared.terminal {
            terminal.introduce(&source);
        }
        let inspector = (source.stream == Stream::Err).then(|| {
            let mut tails = self.shared.tails.borrow_mut();
            tails.entry(source.worker).or_default();
            let mut inspectors = self.shared.inspectors.borrow_mut();
            Rc::clone(inspectors.entry(source.worker).or_default())
        });
        Reader::start(Rc::clone(&self.shared), source, inspector, fd)
    }

    /// The last lines that the worker wrote to standard error.
    pub fn tail(&self, worker: u64) -> Vec<String> {
        let tails = self.shared.tails.borrow();
        tails.get(&worker).map(Tail::lines).unwrap_or_default()
    }

    /// The line with which V8 said why it gave up.
    pub(crate) fn fatal(&self, worker: u64) -> Option<String> {
        let tails = self.shared.tails.borrow();
        tails.get(&worker)?.fatal()
    }

    /// What the worker's standard error says of its inspector.
    pub(crate) fn inspector(&self, worker: u64) -> Option<Rc<InspectorWatch>> {
        self.shared.inspectors.borrow().get(&worker).map(Rc::clone)
    }

    /// Forgets the worker's last lines.
    pub fn forget(&self, worker: u64) {
        self.shared.tails.borrow_mut().remove(&worker);
        self.shared.inspectors.borrow_mut().remove(&worker);
    }

    /// Follows the output live, from now on.
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        self.shared.followers.borrow_mut().subscribe(filter)
    }

    /// The last lines of the log files up to this call (not up to the first poll of the future). A
    /// subscription made in the same turn goes on exactly there.
    pub fn read_back(
        &self,
        filter: Filter,
        lines: usize,
    ) -> impl Future<Output = Vec<FileTail>> + use<> {
        let (reply, answer) = oneshot::channel();
        self.order(FileJob::ReadBack {
            filter,
            lines,
            reply,
        });
        // Without an answer the hub is closed: there is nothing to show.
        async { answer.await.unwrap_or_default() }
    }

    /// Opens the files anew, by name: they may have been moved away.
    pub fn reopen(&self) {
        self.order(FileJob::Reopen);
    }

    /// The app is deleted: closes its files and keeps them.
    pub fn remove_app(&self, app: &str) {
        self.order(FileJob::RemoveApp(app.into()));
    }

    /// Foreground mode: from now on each line says whose it is, even while only one worker writes.
    /// Call it before the first of several workers starts.
    pub fn name_workers(&self) {
        if let Some(terminal) = &self.shared.terminal {
            terminal.name_workers();
        }
    }

    /// Says a line of the supervisor's own on standard error: the terminal in foreground mode, and
    /// `daemon.log` otherwise. Never fails and never blocks; the line is lost when nobody takes it.
    pub fn say(&self, line: &str) {
        if let Some(terminal) = &self.shared.terminal {
            terminal.send(Stream::Err, format!("{line}\n").into_bytes(), 1);
        } else if self.shared.files.has_room() {
            let job = FileJob::Say(line.to_owned());
            self.shared.files.push(line.len(), job);
        }
    }

    /// Figures about losses since the start.
    pub fn stats(&self) -> LogStats {
        let losses = &self.shared.losses;
        LogStats {
            lost_lines: losses.lines.load(Ordering::Relaxed),
            lost_bytes: losses.bytes.load(Ordering::Relaxed),
            failing_files: losses.failing_files.load(Ordering::Relaxed),
            terminal_lost_lines: losses.terminal_lines.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything that was read is in the files, but no longer than a blocked disk lets
    /// us hope.
    pub async fn flush(&self) {
        let (reply, answer) = oneshot::channel();
        self.order(FileJob::Flushed(reply));
        let _ = timeout(LAST_PATIENCE, answer).await;
        if let Some(terminal) = &self.shared.terminal {
            terminal.flushed().await;
        }
    }

    /// Flushes and ends. What is read later is lost.
    pub async fn close(&self) {
        self.flush().await;
        self.shared.close();
    }

    fn order(&self, job: FileJob) {
        self.shared.files.push(0, job);
    }
}

impl Shared {
    /// Can what is read now be passed on?
    pub(super) fn has_room(&self) -> bool {
        self.files.has_room() && self.terminal.as_ref().is_none_or(TerminalSink::has_room)
    }

    /// Waits until what is read next can be passed on.
    pub(super) async fn room(&self) {
        self.files.room().await;
        if let Some(terminal) = &self.terminal {
            terminal.room().await;
        }
    }

    /// Passes on what was read.
    pub(super) fn publish(&self, from: &Origin, splitter: &mut Splitter, input: &[u8]) {
        let mut batch = Batch::new(self, from, input.len());
        splitter.feed(input, &mut |piece| batch.add(piece));
        batch.send(input);
    }

    /// The output has ended: passes on the last, incomplete line.
    pub(super) fn publish_rest(&self, from: &Origin, splitter: &mut Splitter) {
        let mut batch = Batch::new(self, from, 0);
        splitter.finish(&mut |piece| batch.add(piece));
        batch.send(b"");
    }

    fn close(&self) {
        self.closed.set(true);
        self.files.close();
        if let Some(terminal) = &self.terminal {
            terminal.close();
        }
        self.followers.borrow_mut().end();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The threads end with the hub.
        self.close();
    }
}

/// Writing must neither end nor stop this process. A file that reaches the limit of `ulimit -f` would
/// end it by SIGXFSZ; blocked, the write fails with `EFBIG`, which is just another disk error. A
/// terminal with `stty tostop` would stop us by SIGTTOU, since we are in a process group of our own.
fn block_signals_of_writing() -> io::Result<()> {
    let file_size = Signal::from_number(SIGXFSZ);
    let signals: Vec<Signal> = file_size.into_iter().chain([Signal::TTOU]).collect();
    // The mask stays when the descriptor is closed. Workers start with nothing blocked.
    Signals::block(&signals).map(drop)
}

/// A source, with what is needed again and again.
pub(super) struct Origin {
    pub source: Arc<Source>,
    pub key: Arc<FileKey>,
    /// Only for standard error.
    pub inspector: Option<Rc<InspectorWatch>>,
}

/// What one read brings, on its way to everybody.
struct Batch<'a> {
    shared: &'a Shared,
    from: &'a Origin,
    followed: bool,
    named: bool,
    time: u64,
    file: Vec<u8>,
    terminal: Vec<u8>,
    lines: u64,
}

impl<'a> Batch<'a> {
    fn new(shared: &'a Shared, from: &'a Origin, size: usize) -> Self {
        let named = shared
            .terminal
            .as_ref()
            .is_some_and(TerminalSink::names_workers);
        Self {
            shared,
            from,
            followed: shared.followers.borrow().want(&from.source),
            named,
            time: now(),
            file: Vec::with_capacity(size),
            terminal: Vec::new(),
            lines: 0,
        }
    }

    fn add(&mut self, piece: Piece<'_>) {
        let open_end = piece.end == LineEnd::Broken;
        self.file.extend_from_slice(piece.bytes);
        if !open_end {
            self.file.push(b'\n');
            self.lines += 1;
        }
        let source = &self.from.source;
        if source.stream == Stream::Err {
            let mut tails = self.shared.tails.borrow_mut();
            if let Some(tail) = tails.get_mut(&source.worker) {
                tail.push(piece.bytes, open_end);
            }
        }
        if let Some(inspector) = &self.from.inspector {
            inspector.line(piece.bytes);
        }
        if self.followed {
            self.follow(piece);
        }
        if let (true, Some(terminal)) = (self.named, &self.shared.terminal) {
            terminal.format(source, piece, &mut self.terminal);
        }
    }

    fn follow(&self, piece: Piece<'_>) {
        let line = Arc::new(LogLine {
            source: Arc::clone(&self.from.source),
            time: self.time,
            bytes: piece
                .bytes
                .strip_suffix(b"\r")
                .unwrap_or(piece.bytes)
                .into(),
            end: piece.end,
        });
        self.shared.followers.borrow().publish(&line);
    }

    fn send(mut self, input: &[u8]) {
        let stream = self.from.source.stream;
        if let Some(terminal) = &self.shared.terminal {
            if !self.named {
                self.terminal.extend_from_slice(input);
            }
            if !self.terminal.is_empty() {
                terminal.send(stream, self.terminal, self.lines);
            }
        }
        if self.file.is_empty() {
            return;
        }
        let (size, lines) = (self.file.len(), self.lines);
        let job = FileJob::Write {
            key: Arc::clone(&self.from.key),
            bytes: self.file,
            lines,
        };
        if !self.shared.files.has_room() || !self.shared.files.push(size, job) {
            let losses = &self.shared.losses;
            losses.lines.fetch_add(lines, Ordering::Relaxed);
            losses.bytes.fetch_add(size as u64, Ordering::Relaxed);
        }
    }
}

/// Milliseconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
