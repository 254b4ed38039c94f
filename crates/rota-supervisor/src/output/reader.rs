//! Reading one pipe.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rota_config::LogFormat;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::batch::Origin;
use super::consume::Consume;
use super::form;
use super::hub::{LAST_PATIENCE, Shared};
use super::inspector::{InspectorFilter, InspectorWatch};
use super::route::{Route, Routing};
use super::split::{MAX_LINE, Piece, Splitter, character_boundary};
use super::{LineEnd, Source, Stream};

/// How much is read at a time: more than the longest line.
pub(super) const READ_SIZE: usize = 2 * MAX_LINE;
/// How long the lines of a stack trace are waited for, in JSON.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long they may be together.
const LONGEST_RECORD: usize = MAX_LINE / 2;
/// An incomplete line that is longer is looked at again only after a pause: each look is a copy of it.
const SHORT: usize = 4 * 1024;
/// That pause.
const PAUSE: Duration = Duration::from_millis(2);
/// Incomplete lines are looked at again after this time at the latest: not every kernel tells of what is added.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
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
    source: Arc<Source>,
    routing: Rc<Routing>,
}

impl Reader {
    pub(super) fn start(
        shared: Rc<Shared>,
        source: Source,
        route: Route,
        inspector: Option<Rc<InspectorWatch>>,
        fd: OwnedFd,
    ) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
        if kind != FileType::Fifo {
            return Err(io::Error::other("it is not a pipe"));
        }
        rustix::io::ioctl_fionbio(&fd, true)?;
        let pipe = Arc::new(fd);
        #[expect(
            deprecated,
            reason = "the safe way to register; an `Arc` of a descriptor keeps it what it is"
        )]
        let ready = AsyncFd::with_interest(Arc::clone(&pipe), Interest::READABLE)?;
        let (finish, finishing) = watch::channel(false);
        let source = Arc::new(source);
        let routing = Rc::new(Routing::new(route));
        let task = Task {
            shared,
            from: Origin {
                source: Arc::clone(&source),
                routing: Rc::clone(&routing),
                inspector: inspector.clone(),
                within_line: false.into(),
                shown: 0.into(),
            },
            pipe,
            ready,
            intake: Intake {
                filter: InspectorFilter::new(inspector),
                splitter: Splitter::default(),
            },
            under_way: None,
            seen: 0,
            seen_at: Instant::now(),
        };
        Ok(Self {
            task: spawn_local(task.run(finishing)),
            finish,
            source,
            routing,
        })
    }

    /// Whose output it is.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// What is passed on from now on goes this way.
    pub(super) fn redirect(&self, route: Route) {
        self.routing.change(route);
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

/// What a look into the pipe has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// So much was passed on.
    Bytes(usize),
    /// Nothing is there that can be passed on yet; look again after this time at the latest.
    Nothing(Duration),
    End,
}

struct Task {
    shared: Rc<Shared>,
    from: Origin,
    pipe: Arc<OwnedFd>,
    ready: AsyncFd<Arc<OwnedFd>>,
    intake: Intake,
    /// What was passed on and is not written yet: it still lies in the pipe.
    under_way: Option<Arc<Consume>>,
    /// How much lay in the pipe at the last look that led to nothing, and when that began.
    seen: usize,
    seen_at: Instant,
}

/// What input goes through before it is passed on, if it does not stay in the pipe.
struct Intake {
    filter: InspectorFilter,
    splitter: Splitter,
}

/// How much of what lies in a pipe is passed on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Whole lines.
    Lines(usize),
    /// A piece of a long line, or the last one.
    Piece(usize, LineEnd),
    /// All of it goes through memory.
    Loose,
    /// Nothing; look again after this time at the latest.
    Wait(Duration),
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
            if !self.drain(patience, false).await {
                sleep(GRACE).await;
                self.drain(patience, true).await;
            }
        }
        let held = self.intake.filter.finish();
        let splitter = &mut self.intake.splitter;
        if !held.is_empty() {
            self.shared.publish(&self.from, splitter, &held, None);
        }
        self.shared.publish_rest(&self.from, splitter);
    }

    /// Reads until the last writer has closed the pipe. May be dropped at any wait: what is under way is known.
    async fn read_to_end(&mut self) {
        loop {
            self.written().await;
            self.shared.room().await;
            match self.read(false) {
                // A flood must not keep the others waiting.
                Read::Bytes(_) => yield_now().await,
                Read::Nothing(at_most) => {
                    if self.seen > SHORT {
                        sleep(PAUSE).await;
                    }
                    let _ = timeout(at_most, self.readable()).await;
                }
                Read::End => return,
            }
        }
    }

    /// Waits until something is added.
    async fn readable(&self) {
        // It fails with the whole runtime.
        let _ = self.ready.readable().await;
    }

    /// Waits until what was passed on is written.
    async fn written(&mut self) {
        if let Some(consume) = &self.under_way {
            consume.done().await;
        }
        self.under_way = None;
    }

    /// Reads what is there: at most what a pipe can hold, since a descendant may go on writing.
    /// A full queue, and a slow disk, are waited for until the given time. True at the end of the pipe.
    async fn drain(&mut self, patience: Instant, all: bool) -> bool {
        let most = fcntl_getpipe_size(&*self.pipe).unwrap_or(LARGEST_PIPE);
        let mut taken = 0;
        loop {
            if timeout_at(patience, self.written()).await.is_err()
                && let Some(consume) = self.under_way.take()
            {
                consume.give_up().await;
            }
            if taken >= most {
                return false;
            }
            // What has no room then is counted as lost.
            let _ = timeout_at(patience, self.shared.room()).await;
            match self.read(all) {
                Read::Bytes(bytes) => taken += bytes,
                Read::Nothing(_) => return false,
                Read::End => return true,
            }
            yield_now().await;
        }
    }

    /// Looks into the pipe and passes on what can be. With `all` nothing is waited for.
    fn read(&mut self, all: bool) -> Read {
        if self.shared.is_closed() {
            // It stays in the pipe for whoever comes after us.
            return Read::End;
        }
        let shared = Rc::clone(&self.shared);
        let mut scratch = shared.scratch.borrow_mut();
        let there = rustix::io::ioctl_fionread(&*self.pipe).unwrap_or(0);
        let seen = match shared.peek.look(&self.pipe, &mut scratch) {
            Ok(0) => return Read::End,
            Ok(seen) => seen,
            Err(Errno::AGAIN) => return self.nothing(0, LOOK_AGAIN),
            // A pipe has no other errors; whatever it is, there is nothing more to read.
            Err(_) => return Read::End,
        };
        let input = &scratch[..seen];
        let (taken, sent) = match self.part(input, there, all) {
            Part::Wait(at_most) => {
                shared.show_begin(&self.from, input);
                return self.nothing(seen, at_most);
            }
            Part::Lines(bytes) => {
                let consume = shared.peek.consume(&self.pipe, bytes);
                let splitter = &mut self.intake.splitter;
                let lines = &input[..bytes];
                let sent = shared.publish(&self.from, splitter, lines, Some(&consume));
                (consume, sent)
            }
            Part::Piece(bytes, end) => {
                let consume = shared.peek.consume(&self.pipe, bytes);
                let bytes = &input[..bytes];
                let sent = shared.publish_piece(&self.from, Piece { bytes, end }, Some(&consume));
                (consume, sent)
            }
            Part::Loose => {
                let consume = shared.peek.consume(&self.pipe, seen);
                self.loose(input);
                (consume, false)
            }
        };
        self.seen = 0;
        let bytes = taken.bytes();
        match sent {
            true => self.under_way = Some(taken),
            false => taken.written(),
        }
        Read::Bytes(bytes)
    }

    fn nothing(&mut self, seen: usize, at_most: Duration) -> Read {
        if seen != self.seen {
            self.seen = seen;
            self.seen_at = Instant::now();
        }
        // Only what is added from now on wakes us.
        let mut nobody = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(mut ready)) = self.ready.poll_read_ready(&mut nobody) {
            ready.clear_ready();
        }
        Read::Nothing(at_most)
    }

    /// Node's words about an inspector are taken out, and lines that are larger than a pipe are put together.
    fn loose(&mut self, input: &[u8]) {
        let Intake { filter, splitter } = &mut self.intake;
        if filter.is_active() {
            let left = filter.feed(input);
            self.shared.publish(&self.from, splitter, &left, None);
        } else {
            self.shared.publish(&self.from, splitter, input, None);
        }
    }

    /// What lies in the pipe, and how much lay there before that look.
    fn part(&self, input: &[u8], there: u64, all: bool) -> Part {
        if self.intake.filter.is_active() || !self.intake.splitter.is_empty() {
            return Part::Loose;
        }
        if let Some(at) = memchr::memrchr(b'\n', input) {
            return match self.held_back(&input[..=at], input.len(), all) {
                Some((0, wait)) => Part::Wait(wait),
                Some((bytes, _)) => Part::Lines(bytes),
                None => Part::Lines(at + 1),
            };
        }
        if input.len() > MAX_LINE {
            let cut = character_boundary(&input[..MAX_LINE]);
            return Part::Piece(cut, LineEnd::Broken);
        }
        let room = fcntl_getpipe_size(&*self.pipe).unwrap_or(LARGEST_PIPE);
        if there > input.len() as u64 || (input.len() >= room / 4 && room / 4 < MAX_LINE) {
            // It cannot be seen whole, or would fill the pipe before it ends.
            return Part::Loose;
        }
        if all || self.has_no_writer() {
            return match rustix::io::ioctl_fionread(&*self.pipe) {
                // The last words came after the look.
                Ok(more) if more > input.len() as u64 && !all => Part::Wait(Duration::ZERO),
                _ => Part::Piece(input.len(), LineEnd::Eof),
            };
        }
        Part::Wait(LOOK_AGAIN)
    }

    /// In JSON a stack trace is one record: the last lines wait a moment for those that belong to them. How much is
    /// whole already, and how long the rest may wait.
    fn held_back(&self, lines: &[u8], seen: usize, all: bool) -> Option<(usize, Duration)> {
        let route = self.from.route();
        let traces = route.format == LogFormat::Json
            && !route.files.is_empty()
            && self.from.source.stream == Stream::Err;
        if !traces || all {
            return None;
        }
        let whole = form::last_record(lines);
        let since = match self.seen == seen {
            true => self.seen_at.elapsed(),
            false => Duration::ZERO,
        };
        let left = TOGETHER.checked_sub(since).filter(|left| !left.is_zero())?;
        let waits = lines.len() - whole < LONGEST_RECORD && !self.has_no_writer();
        waits.then_some((whole, left))
    }

    /// Has everybody closed the pipe who could write to it?
    fn has_no_writer(&self) -> bool {
        let mut watched = [PollFd::new(&self.pipe, PollFlags::IN)];
        let now = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut watched, Some(&now)).is_ok_and(|_| watched[0].revents().contains(PollFlags::HUP))
    }
}

/// Waits for [`Reader::finish`]; for ever when the reader was dropped.
async fn finish_ordered(finishing: &mut watch::Receiver<bool>) {
    if finishing.wait_for(|&ordered| ordered).await.is_err() {
        pending::<()>().await;
    }
}
