//! The writing end of one worker's standard input.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// The writing end of one worker's standard input.
#[derive(Debug)]
pub(crate) struct Input {
    pipe: Arc<OwnedFd>,
    /// Only one writes at a time: what one writes in parts, because the pipe is full, is not torn by another.
    turn: Mutex<()>,
}

/// What has become of bytes that were to be written.
#[derive(Debug)]
pub(crate) struct Written {
    /// So many of them are in the pipe.
    pub(crate) bytes: usize,
    /// Why not all are.
    pub(crate) outcome: Result<(), NotWritten>,
}

/// Why bytes are not in the pipe.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// There was no room in time.
    Full,
    /// Nobody has its other end open any more.
    Closed,
    /// Something that should not happen.
    Failed(io::Error),
}

impl Input {
    /// The two ends of a new pipe: ours, and the one that the worker gets.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        // Of our end alone: programs expect that reading waits.
        ioctl_fionbio(&ours, true)?;
        Ok((ours, theirs))
    }

    /// By our end.
    pub(crate) fn new(ours: OwnedFd) -> Self {
        Self {
            pipe: Arc::new(ours),
            turn: Mutex::new(()),
        }
    }

    /// Writes what there is room for, and waits for more room until then. Up to 4096 bytes are written whole or not at all.
    pub(crate) async fn write(&self, bytes: &[u8], until: Instant) -> Written {
        let mut written = 0;
        // Tried at least once, also when the time is over.
        let outcome = timeout_at(until, self.put(bytes, &mut written)).await;
        Written {
            bytes: written,
            outcome: outcome.unwrap_or(Err(NotWritten::Full)),
        }
    }

    async fn put(&self, bytes: &[u8], written: &mut usize) -> Result<(), NotWritten> {
        let _turn = self.turn.lock().await;
        let mut room = None;
        loop {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            match rustix::io::write(&*self.pipe, rest) {
                Ok(count) => *written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let room = match &room {
                        Some(room) => room,
                        None => &*room.insert(self.watched().map_err(NotWritten::Failed)?),
                    };
                    let ready = room.writable().await;
                    ready.map_err(NotWritten::Failed)?.clear_ready();
                }
                Err(Errno::PIPE) => return Err(NotWritten::Closed),
                Err(errno) => return Err(NotWritten::Failed(errno.into())),
            }
        }
    }

    /// Watched only while somebody waits: a worker that reads shall wake nobody.
    fn watched(&self) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
        #[expect(
            deprecated,
            reason = "the safe way to register; an `Arc` of a descriptor keeps it what it is"
        )]
        AsyncFd::with_interest(Arc::clone(&self.pipe), Interest::WRITABLE)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::time::Duration;

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test)
    }

    fn pipe() -> (Input, File) {
        let (ours, theirs) = Input::pair().unwrap();
        (Input::new(ours), File::from(theirs))
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// More than any pipe holds unasked.
    const MUCH: usize = 1024 * 1024;

    #[test]
    fn what_is_written_comes_out_and_the_rest_is_told() {
        run(async {
            let (input, mut reader) = pipe();
            let written = input.write(b"hello\n", Instant::now()).await;
            assert!(written.bytes == 6 && written.outcome.is_ok(), "{written:?}");
            let written = input.write(&vec![b'x'; MUCH], Instant::now()).await;
            assert!(written.bytes > 0 && written.bytes < MUCH, "{written:?}");
            assert!(matches!(written.outcome, Err(NotWritten::Full)));
            let again = input.write(b"y", Instant::now()).await;
            assert!(again.bytes == 0 && matches!(again.outcome, Err(NotWritten::Full)));
            let mut seen = vec![0; 6 + written.bytes];
            reader.read_exact(&mut seen).unwrap();
            assert!(seen.starts_with(b"hello\nx") && seen.ends_with(b"x"));
        });
    }

    #[test]
    fn two_who_wait_for_room_do_not_tear_each_other() {
        let (input, mut reader) = pipe();
        let reading = std::thread::spawn(move || {
            let mut seen = Vec::new();
            reader.read_to_end(&mut seen).unwrap();
            seen
        });
        run(async {
            let (a, b) = (vec![b'a'; MUCH], vec![b'b'; MUCH]);
            let (first, second) = tokio::join!(input.write(&a, later()), input.write(&b, later()));
            assert!(first.outcome.is_ok() && second.outcome.is_ok());
            assert_eq!((first.bytes, second.bytes), (MUCH, MUCH));
        });
        drop(input);
        let seen = reading.join().unwrap();
        assert_eq!(seen.len(), 2 * MUCH);
        let changes = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 1);
    }

    #[test]
    fn a_reader_that_goes_is_noticed_also_while_room_is_waited_for() {
        run(async {
            let (input, reader) = pipe();
            input.write(&vec![0; MUCH], Instant::now()).await;
            let (written, ()) = tokio::join!(input.write(b"x", later()), async { drop(reader) });
            assert!(matches!(written.outcome, Err(NotWritten::Closed)));
            let written = input.write(b"x", later()).await;
            assert!(written.bytes == 0 && matches!(written.outcome, Err(NotWritten::Closed)));
        });
    }
}
