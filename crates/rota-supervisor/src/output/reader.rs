//! Reading one pipe.

use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep, timeout_at};

use super::Source;
use super::hub::{LAST_PATIENCE, Origin, Shared};
use super::inspector::{InspectorFilter, InspectorWatch};
use super::names::FileKey;
use super::split::Splitter;

/// How much is read at a time.
pub(super) const READ_SIZE: usize = 64 * 1024;
/// How much a worker's pipe may hold: `process.exit()` of Node loses what the pipe has not taken.
/// Not more, since a user's pipes share an allowance (`fs.pipe-user-pages-soft`, 64 MiB): beyond it
/// every new pipe of that user is tiny.
const PIPE_SIZE: usize = 256 * 1024;
/// What a pipe holds at most when it does not say.
const LARGEST_PIPE: usize = 1024 * 1024;
/// How long we wait for descendants of a dead worker that hold its pipe open and are about to end.
const GRACE: Duration = Duration::from_millis(100);

/// A pipe for the output of a worker: our end (non-blocking), and the worker's. Both are closed on exec.
///
/// # Errors
///
/// When there are no descriptors left.
pub fn worker_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    // Refused when the user's allowance is used up: the usual size will do.
    let _ = fcntl_setpipe_size(&ours, PIPE_SIZE);
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// The reading of one pipe. Dropped, it goes on until the pipe's end.
#[derive(Debug)]
pub struct Reader {
    task: JoinHandle<()>,
    finish: watch::Sender<bool>,
}

impl Reader {
    pub(super) fn start(
        shared: Rc<Shared>,
        source: Source,
        inspector: Option<Rc<InspectorWatch>>,
        fd: OwnedFd,
    ) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(fd)?;
        let (finish, finishing) = watch::channel(false);
        let task = Task {
            shared,
            from: Origin {
                key: Arc::new(FileKey::of(&source)),
                source: Arc::new(source),
                inspector: inspector.clone(),
            },
            pipe,
            intake: Intake {
                filter: InspectorFilter::new(inspector),
                splitter: Splitter::default(),
            },
        };
        Ok(Self {
            task: spawn_local(task.run(finishing)),
            finish,
        })
    }

    /// The process is gone: returns when everything that it wrote has been passed on. Descendants
    /// that hold the pipe open are not waited for: after a short grace the pipe is closed.
    pub async fn finish(self) {
        self.finish.send_replace(true);
        // The task ends by itself; it fails only with the whole runtime.
        let _ = self.task.await;
    }

    /// Has the pipe ended?
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Bytes(usize),
    /// Nothing is there now, or there is no room for it.
    Nothing,
    End,
}

struct Task {
    shared: Rc<Shared>,
    from: Origin,
    pipe: Receiver,
    intake: Intake,
}

/// What input goes through before it is passed on.
struct Intake {
    filter: InspectorFilter,
    splitter: Splitter,
}

impl Task {
    async fn run(mut self, mut finishing: watch::Receiver<bool>) {
        let ended = tokio::select! {
            biased;
            () = finish_ordered(&mut finishing) => false,
            () = self.read_to_end() => true,
        };
        if !ended {
            let patience = Instant::now() + LAST_PATIENCE;
            if !self.drain(patience).await {
                sleep(GRACE).await;
                self.drain(patience).await;
            }
        }
        let held = self.intake.filter.finish();
        let splitter = &mut self.intake.splitter;
        if !held.is_empty() {
            self.shared.publish(&self.from, splitter, &held);
        }
        self.shared.publish_rest(&self.from, splitter);
    }

    /// Reads until the last writer has closed the pipe. May be dropped at any wait: what has been
    /// read has been passed on.
    async fn read_to_end(&mut self) {
        loop {
            self.shared.room().await;
            match poll_fn(|context| self.poll_read(context)).await {
                // A flood must not keep the others waiting.
                Read::Bytes(READ_SIZE) => yield_now().await,
                Read::Bytes(_) | Read::Nothing => {}
                Read::End => return,
            }
        }
    }

    /// Waits for something to read, and passes it on at once: the buffer belongs to all.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Read> {
        if !self.shared.has_room() {
            // Others have filled the queue while we waited for the pipe.
            return Poll::Ready(Read::Nothing);
        }
        let mut scratch = self.shared.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        Poll::Ready(
            match ready!(Pin::new(&mut self.pipe).poll_read(context, &mut buffer)) {
                Ok(()) => pass_on(&self.shared, &self.from, &mut self.intake, buffer.filled()),
                Err(_) => Read::End,
            },
        )
    }

    /// Reads what is there: at most what a pipe can hold, since a descendant may go on writing.
    /// A full queue is waited for until the given time. True at the end of the pipe.
    async fn drain(&mut self, patience: Instant) -> bool {
        let most = fcntl_getpipe_size(&self.pipe).unwrap_or(LARGEST_PIPE);
        let mut taken = 0;
        while taken < most {
            // What has no room then is counted as lost.
            let _ = timeout_at(patience, self.shared.room()).await;
            match self.read_now() {
                Read::Bytes(bytes) => taken += bytes,
                Read::Nothing => return false,
                Read::End => return true,
            }
            yield_now().await;
        }
        false
    }

    fn read_now(&mut self) -> Read {
        let mut scratch = self.shared.scratch.borrow_mut();
        loop {
            match rustix::io::read(&self.pipe, &mut scratch[..]) {
                Ok(bytes) => {
                    let input = &scratch[..bytes];
                    return pass_on(&self.shared, &self.from, &mut self.intake, input);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Read::Nothing,
                // A pipe has no other errors; whatever it is, there is nothing more to read.
                Err(_) => return Read::End,
            }
        }
    }
}

/// What was read goes to everybody; nothing means the end.
fn pass_on(shared: &Shared, from: &Origin, intake: &mut Intake, input: &[u8]) -> Read {
    if input.is_empty() {
        return Read::End;
    }
    if intake.filter.is_active() {
        let left = intake.filter.feed(input);
        shared.publish(from, &mut intake.splitter, &left);
    } else {
        shared.publish(from, &mut intake.splitter, input);
    }
    Read::Bytes(input.len())
}

/// Waits for [`Reader::finish`]; for ever when the reader was dropped.
async fn finish_ordered(finishing: &mut watch::Receiver<bool>) {
    if finishing.wait_for(|&ordered| ordered).await.is_err() {
        pending::<()>().await;
    }
}
