//! The supervisor's end of the line to the keeper.
//!
//! Not bound to a runtime: the descriptor is non-blocking, and `WouldBlock` comes out, so that it can sit
//! in tokio's `AsyncFd` or in a poll loop.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::link::{Link, Packet};
use crate::protocol::{FromKeeper, Mode, ToKeeper};

/// The supervisor's connection to its keeper.
#[derive(Debug)]
pub struct KeeperClient {
    link: Link,
}

impl KeeperClient {
    /// Takes the descriptor over and makes it non-blocking.
    ///
    /// # Errors
    /// When the descriptor is not one whose flags can be changed.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Self {
            link: Link::new(fd),
        })
    }

    /// A second handle on the same line, for another thread. It should send single requests only: held ones
    /// would become part of the other handle's transaction. A packet is sent whole or not at all, whoever else
    /// sends; what two handles receive is not shared out in any order, so only one should.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            link: self.link.try_clone()?,
        })
    }

    /// Sends a single request with its descriptors, all or nothing. The caller may close its copies afterwards.
    ///
    /// # Errors
    /// `WouldBlock` when the keeper has not yet read enough: try again when the descriptor is writable.
    /// `InvalidInput` for too many descriptors or too large a message. `BrokenPipe` when the keeper is gone.
    pub fn send(&self, message: &ToKeeper, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_as(Mode::Single, message, fds)
    }

    /// Sends a request as a single one, or as one of a transaction (see [`crate::protocol`]).
    ///
    /// # Errors
    /// As [`Self::send`]. After an error other than `WouldBlock` the transaction is still open, without this request.
    pub fn send_as(
        &self,
        mode: Mode,
        message: &ToKeeper,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        self.link.send(mode, message, fds)
    }

    /// Receives the next message with its descriptors; `None` when the keeper has gone away.
    /// Packets that cannot be understood (a keeper of another version) are skipped.
    ///
    /// # Errors
    /// `WouldBlock` when there is none yet. `OutOfMemory` (with a text) when descriptors were lost because
    /// this process may open no more files; the message's other packets are unharmed.
    pub fn try_recv(&self) -> io::Result<Option<(FromKeeper, Vec<OwnedFd>)>> {
        loop {
            match self.link.recv()?.packet {
                Packet::Message(message, fds) => return Ok(Some((message, fds))),
                Packet::Closed => return Ok(None),
                Packet::Undecodable(_) => {}
                Packet::FdsLost(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::OutOfMemory,
                        "the keeper's descriptors did not fit into the table of open files",
                    ));
                }
            }
        }
    }
}

impl AsFd for KeeperClient {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

impl AsRawFd for KeeperClient {
    fn as_raw_fd(&self) -> RawFd {
        self.link.as_fd().as_raw_fd()
    }
}
