//! The thread that writes the log files, so that a slow disk stops nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::files::LogFiles;
use super::names::FileKey;
use super::queue::Queue;
use super::readback::read_back;
use super::{FileTail, Filter};

/// How many bytes may wait to be written.
pub(super) const WAITING_BYTES: usize = 256 * 1024;
/// The writer calls nothing deep.
pub(super) const STACK: usize = 128 * 1024;

/// An order to the writer. They are carried out in order, so that what is read back is exactly what
/// was printed before.
pub(super) enum FileJob {
    Write {
        key: Arc<FileKey>,
        bytes: Vec<u8>,
        lines: u64,
    },
    ReadBack {
        filter: Filter,
        lines: usize,
        reply: oneshot::Sender<Vec<FileTail>>,
    },
    /// A line of our own, for standard error (`daemon.log`).
    Say(String),
    Reopen,
    RemoveApp(Arc<str>),
    /// Everything before is written.
    Flushed(oneshot::Sender<()>),
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
    thread::Builder::new()
        .name("log-writer".into())
        .stack_size(STACK)
        .spawn(move || {
            while let Some((bytes, job)) = queue.next() {
                carry_out(&mut files, job);
                queue.done(bytes);
            }
        })
        .map(drop)
}

fn carry_out(files: &mut LogFiles, job: FileJob) {
    match job {
        FileJob::Write { key, bytes, lines } => files.append(&key, &bytes, lines, Instant::now()),
        FileJob::ReadBack {
            filter,
            lines,
            reply,
        } => {
            // Who asked may have gone.
            let _ = reply.send(read_back(files.dir(), &filter, lines));
        }
        FileJob::Say(line) => tell(&line),
        FileJob::Reopen => files.reopen(),
        FileJob::RemoveApp(app) => files.remove_app(&app),
        FileJob::Flushed(reply) => {
            let _ = reply.send(());
        }
    }
}
