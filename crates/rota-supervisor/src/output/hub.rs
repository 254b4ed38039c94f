//! The hub: where all output comes together and goes its ways.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rota_config::LogSpec;
use rota_sys::signal::{Signal, Signals};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch::{Batch, Origin};
use super::consume::{Consume, Peek};
use super::files::{LogFiles, LossCounters};
use super::follow::Followers;
use super::inspector::InspectorWatch;
use super::journal::Journal;
use super::queue::Queue;
use super::readback::{Logs, Past, Wanted};
use super::reader::{READ_SIZE, Reader};
use super::route::Route;
use super::split::{Piece, Splitter};
use super::tail::Tail;
use super::tend::Tender;
use super::terminal::TerminalSink;
use super::writer::{self, Emptied, FileJob};
use super::{Filter, LogTrouble, Source, Stream, Subscription, Terminal, readback};

/// How much a look into a pipe may show.
const PEEK_SIZE: usize = 256 * 1024;
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
    /// The socket of journald.
    pub journald: PathBuf,
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
    dir: PathBuf,
    pub(super) files: Arc<Queue<FileJob>>,
    pub(super) terminal: Option<TerminalSink>,
    pub(super) journal: Journal,
    pub(super) peek: Peek,
    pub(super) losses: Arc<LossCounters>,
    pub(super) tails: RefCell<HashMap<u64, Tail>>,
    inspectors: RefCell<HashMap<u64, Rc<InspectorWatch>>>,
    pub(super) followers: RefCell<Followers>,
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
        let tender = Tender::start(&options.dir)?;
        let log_files = LogFiles::new(
            options.dir.clone(),
            tender,
            Arc::clone(&losses),
            options.on_trouble,
        );
        writer::start(Arc::clone(&files), log_files)?;
        let terminal = match options.terminal {
            Some(terminal) => Some(TerminalSink::start(terminal, Arc::clone(&losses))?),
            None => None,
        };
        let shared = Shared {
            dir: options.dir,
            files,
            terminal,
            journal: Journal::new(options.journald),
            peek: Peek::new(PEEK_SIZE)?,
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

    /// Reads a pipe from now on, in a task of its own, and writes to the files that an app has by its specification;
    /// relative ones are in `cwd`. Must be called within a `LocalSet`.
    ///
    /// # Errors
    ///
    /// When the descriptor is not the reading end of a pipe, or cannot be watched.
    pub fn attach(
        &self,
        source: Source,
        logs: &LogSpec,
        cwd: &Path,
        fd: OwnedFd,
    ) -> io::Result<Reader> {
        let route = Route::of(&self.shared.dir, cwd, logs, &source);
        if let Some(terminal) = &self.shared.terminal {
            terminal.introduce(&source);
        }
        let inspector = (source.stream == Stream::Err).then(|| {
            let mut tails = self.shared.tails.borrow_mut();
            tails.entry(source.worker).or_default();
            let mut inspectors = self.shared.inspectors.borrow_mut();
            Rc::clone(inspectors.entry(source.worker).or_default())
        });
        Reader::start(Rc::clone(&self.shared), source, route, inspector, fd)
    }

    /// What the reader takes from now on goes where these settings say.
    pub fn redirect(&self, reader: &Reader, logs: &LogSpec, cwd: &Path) {
        let route = Route::of(&self.shared.dir, cwd, logs, reader.source());
        reader.redirect(route);
    }

    /// Closes the app's files: those that are still written are opened again at the next line, by the rules of then.
    pub fn release_files(&self, app: &str) {
        self.order(FileJob::Release(app.into()));
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

    /// Lines of the log files up to this call (not up to the first poll of the future). A subscription made in the same
    /// turn goes on exactly there. They are read by a thread of its own, no faster than they are taken.
    pub fn read_back(
        &self,
        logs: Logs,
        wanted: Wanted,
    ) -> impl Future<Output = io::Result<Past>> + use<> {
        let (reply, answer) = oneshot::channel();
        self.order(FileJob::Snapshot { logs, reply });
        async {
            match answer.await {
                Ok(snapshot) => readback::start(snapshot, wanted),
                // The hub is closed: there is nothing to show.
                Err(_) => readback::start(readback::Snapshot::default(), wanted),
            }
        }
    }

    /// Empties log files and removes what was put aside of them.
    pub fn empty(&self, logs: Logs) -> impl Future<Output = Emptied> + use<> {
        let (reply, answer) = oneshot::channel();
        self.order(FileJob::Empty { logs, reply });
        async {
            let Ok((emptied, discarded)) = answer.await else {
                return Emptied::default();
            };
            let _ = discarded.await;
            emptied
        }
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
    /// Waits until what is read next can be passed on.
    pub(super) async fn room(&self) {
        self.files.room().await;
        if let Some(terminal) = &self.terminal {
            terminal.room().await;
        }
    }

    /// Passes on what was read, with what becomes of the pipe then. True if somebody else sees to that.
    pub(super) fn publish(
        &self,
        from: &Origin,
        splitter: &mut Splitter,
        input: &[u8],
        consume: Option<&Arc<Consume>>,
    ) -> bool {
        let mut batch = Batch::new(self, from);
        if batch.looks_at_lines() || !splitter.is_empty() || input.last() != Some(&b'\n') {
            batch.file.reserve(input.len());
            splitter.feed(input, &mut |piece| batch.add(piece));
        } else {
            batch.file.extend_from_slice(input);
            batch.lines = memchr::memchr_iter(b'\n', input).count() as u64;
        }
        batch.send(input, consume)
    }

    /// Passes on one piece: a part of a long line, or the last one, which has no end.
    pub(super) fn publish_piece(
        &self,
        from: &Origin,
        piece: Piece<'_>,
        consume: Option<&Arc<Consume>>,
    ) -> bool {
        let mut batch = Batch::new(self, from);
        batch.add(piece);
        batch.send(piece.bytes, consume)
    }

    /// The output has ended: passes on the last, incomplete line.
    pub(super) fn publish_rest(&self, from: &Origin, splitter: &mut Splitter) {
        let mut batch = Batch::new(self, from);
        splitter.finish(&mut |piece| batch.add(piece));
        batch.send(b"", None);
    }

    /// A line that has not ended yet: on a terminal that shows what one worker writes it is seen at once.
    pub(super) fn show_begin(&self, from: &Origin, input: &[u8]) {
        let batch = Batch::new(self, from);
        if let (Some(terminal), None) = (&self.terminal, batch.show) {
            let new = input.get(from.shown.get()..).unwrap_or_default();
            if !new.is_empty() {
                terminal.send(from.source.stream, new.to_vec(), 0);
                from.shown.set(input.len());
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
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
