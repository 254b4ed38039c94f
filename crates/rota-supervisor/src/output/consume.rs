//! What was read of a pipe stays in it until it is written: a supervisor that is killed in between has lost nothing, the next
//! one reads it again.
//!
//! [`Peek`] copies what a pipe holds without taking it (`tee`), and [`Consume`] takes it when the writer is done with it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee};
use tokio::sync::Notify;

/// Looks into pipes.
pub(super) struct Peek {
    out: OwnedFd,
    into: OwnedFd,
    nowhere: Arc<OwnedFd>,
}

impl Peek {
    /// Needs three descriptors, once for all pipes.
    pub fn new(size: usize) -> io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Refused when the user's allowance is used up: then it takes more looks.
        let _ = fcntl_setpipe_size(&out, size);
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
        let nowhere = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
        Ok(Self {
            out,
            into,
            nowhere: Arc::new(nowhere),
        })
    }

    /// Copies what a pipe holds; zero at its end.
    pub fn look(&self, pipe: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let seen = loop {
            match tee(pipe, &self.into, buffer.len(), SpliceFlags::NONBLOCK) {
                Err(Errno::INTR) => {}
                result => break result?,
            }
        };
        let mut read = 0;
        while read < seen {
            match rustix::io::read(&self.out, &mut buffer[read..seen]) {
                Ok(0) => return Err(Errno::IO),
                Ok(bytes) => read += bytes,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    /// What will be taken out of a pipe.
    pub fn consume(&self, pipe: &Arc<OwnedFd>, bytes: usize) -> Arc<Consume> {
        Arc::new(Consume {
            pipe: Mutex::new(Some(Arc::clone(pipe))),
            nowhere: Arc::clone(&self.nowhere),
            bytes,
            taken: AtomicBool::new(false),
            done: Notify::new(),
        })
    }
}

/// So many bytes at the begin of a pipe, which somebody is done with once.
pub(super) struct Consume {
    /// Nobody has taken them yet, nor begun to.
    pipe: Mutex<Option<Arc<OwnedFd>>>,
    nowhere: Arc<OwnedFd>,
    bytes: usize,
    taken: AtomicBool,
    done: Notify,
}

impl Consume {
    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The writer's side: it is written, or counted as lost.
    pub fn written(&self) {
        if self.take() {
            self.done.notify_one();
        }
    }

    /// Waits for it. May be dropped, and called again.
    pub async fn done(&self) {
        while !self.taken.load(Ordering::Acquire) {
            self.done.notified().await;
        }
    }

    /// Nobody waits for the writer any longer: the bytes are taken at once, unless they have been.
    pub async fn give_up(&self) {
        if !self.take() {
            // The writer is at it: that takes microseconds.
            self.done().await;
        }
    }

    /// False if somebody else does it.
    fn take(&self) -> bool {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pipe) = pipe.take() else {
            return false;
        };
        let mut left = self.bytes;
        while left > 0 {
            match self.some(&pipe, left) {
                Ok(0) => break,
                Ok(bytes) => left -= bytes,
                Err(Errno::INTR) => {}
                // They were there a moment ago, and nobody else reads: nothing that can be mended.
                Err(_) => break,
            }
        }
        // It may be the last that holds the pipe open, and whoever is told may count on its end.
        drop(pipe);
        self.taken.store(true, Ordering::Release);
        true
    }

    fn some(&self, pipe: &OwnedFd, most: usize) -> Result<usize, Errno> {
        let flags = SpliceFlags::NONBLOCK;
        match splice(pipe, None, &self.nowhere, None, most, flags) {
            // Where this is forbidden, they are read.
            Err(Errno::INVAL | Errno::PERM | Errno::NOSYS) => {
                let mut scratch = [0; 4096];
                let most = most.min(scratch.len());
                rustix::io::read(pipe, &mut scratch[..most])
            }
            result => result,
        }
    }
}
