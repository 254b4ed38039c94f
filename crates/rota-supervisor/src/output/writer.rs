//! The thread that writes the log files, so that a slow disk stops nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::consume::Consume;
use super::files::LogFiles;
use super::form::{self, Spoken};
use super::own::OwnLog;
use super::queue::Queue;
use super::readback::{Logs, Snapshot};
use super::route::Route;
use super::{Source, underway};

/// How many bytes may wait to be written.
pub(super) const WAITING_BYTES: usize = 256 * 1024;
/// The writer calls nothing deep; only a debug build needs so much, for times.
pub(super) const STACK: usize = 512 * 1024;

/// An order to the writer. They are carried out in order, so that what is read back is exactly what
/// was printed before.
pub(super) enum FileJob {
    Write(Box<Chunk>),
    /// The files as they are when everything before is written.
    Snapshot {
        logs: Logs,
        reply: oneshot::Sender<Snapshot>,
    },
    /// Empties the files.
    Empty {
        logs: Logs,
        reply: oneshot::Sender<(Emptied, oneshot::Receiver<()>)>,
    },
    /// A line of our own, for standard error (`daemon.log`).
    Say(String),
    Reopen,
    RemoveApp(Arc<str>),
    /// The app's files are written by other rules.
    Release(Arc<str>),
    /// Everything before is written.
    Flushed(oneshot::Sender<()>),
}

/// What one read has brought.
pub(super) struct Chunk {
    pub source: Arc<Source>,
    pub route: Arc<Route>,
    /// Whole lines, or a piece of a long one.
    pub bytes: Vec<u8>,
    pub lines: u64,
    /// Milliseconds since the Unix epoch.
    pub time: u64,
    pub continues: bool,
    pub broken: bool,
    /// What becomes of the pipe then.
    pub consume: Option<Arc<Consume>>,
}

/// What emptying files has led to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// How many files.
    pub files: u64,
    /// How much was in them, besides what was put aside of them.
    pub bytes: u64,
    /// Those that could not be emptied, and why.
    pub errors: Vec<String>,
}

/// Says a line on our own standard error. Unlike `eprintln!` it does not panic when that is closed or
/// the disk is full: then the line is lost. It may block; on the supervisor's thread use
/// [`LogHub::say`](super::LogHub::say).
pub fn tell(line: &str) {
    // One write, so that lines of several processes do not mix.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn start(queue: Arc<Queue<FileJob>>, mut files: LogFiles) -> io::Result<()> {
    // The supervisor before may have been killed in the middle of a write. Mostly there is nothing.
    let _ = underway::mend(files.dir());
    thread::Builder::new()
        .name("log-writer".into())
        .stack_size(STACK)
        .spawn(move || {
            let mut buffer = Vec::new();
            let mut own = OwnLog::new(files.dir().with_file_name("daemon.log"));
            while let Some((bytes, job)) = queue.next() {
                if let FileJob::Say(_) = &job {
                    own.before(files.tender());
                }
                carry_out(&mut files, &mut buffer, job);
                queue.done(bytes);
            }
        })
        .map(drop)
}

fn carry_out(files: &mut LogFiles, buffer: &mut Vec<u8>, job: FileJob) {
    match job {
        FileJob::Write(chunk) => {
            write(files, buffer, &chunk);
            if let Some(consume) = &chunk.consume {
                consume.written();
            }
        }
        FileJob::Snapshot { logs, reply } => {
            // Who asked may have gone.
            let _ = reply.send(Snapshot::take(files.dir(), &logs));
        }
        FileJob::Empty { logs, reply } => empty(files, &logs, reply),
        FileJob::Say(line) => tell(&line),
        FileJob::Reopen => files.reopen(),
        FileJob::RemoveApp(app) => files.remove_app(&app),
        FileJob::Release(app) => files.release(&app),
        FileJob::Flushed(reply) => {
            let _ = reply.send(());
        }
    }
}

fn write(files: &mut LogFiles, buffer: &mut Vec<u8>, chunk: &Chunk) {
    let spoken = Spoken {
        source: &chunk.source,
        time: chunk.time,
        continues: chunk.continues,
        broken: chunk.broken,
    };
    let bytes = if chunk.route.is_verbatim() {
        &chunk.bytes
    } else {
        buffer.clear();
        form::write(&chunk.route, spoken, &chunk.bytes, buffer);
        &*buffer
    };
    let now = Instant::now();
    for target in &chunk.route.files {
        files.append(target, bytes, chunk.lines, spoken, now);
    }
}

/// The files themselves at once, and what was put aside of them by the thread that may be working on it.
fn empty(
    files: &mut LogFiles,
    logs: &Logs,
    reply: oneshot::Sender<(Emptied, oneshot::Receiver<()>)>,
) {
    let mut emptied = Emptied::default();
    let paths = logs.paths(files.dir());
    for path in &paths {
        match files.empty(path) {
            Ok(bytes) => {
                emptied.files += 1;
                emptied.bytes += bytes;
            }
            Err(error) => emptied.errors.push(format!("{}: {error}", path.display())),
        }
    }
    let (done, discarded) = oneshot::channel();
    files.tender().discard(paths, done);
    let _ = reply.send((emptied, discarded));
}
