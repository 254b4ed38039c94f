//! Connections that do not die with the supervisor.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use super::ledger::{Entry, Ledger};

/// A connection and its place in the ledger. When it is dropped, the place is cleared first, and then the
/// connection is closed (here; a worker that has got it has its own copy).
#[derive(Debug)]
pub struct Guarded {
    fd: OwnedFd,
    ledger: Ledger,
}

/// The ledger knows that somebody is being accepted from a socket. Ends when it is dropped.
#[derive(Debug)]
pub struct Accepting {
    ledger: Ledger,
    app: u32,
    socket: u64,
}

impl Ledger {
    /// To be called right before `accept4`: a connection that the kernel has opened and nobody has entered yet is
    /// found by its listening socket. Only one thread may accept at a time, and no connection may be closed between
    /// this call and the end of what it returns.
    #[inline]
    #[must_use]
    pub fn accept(&self, listening: impl AsFd, app: u32, socket: u64) -> Accepting {
        self.begin_to_accept(listening, app, socket);
        Accepting {
            ledger: *self,
            app,
            socket,
        }
    }
}

impl Accepting {
    /// This is whom `accept4` has returned.
    #[inline]
    #[must_use]
    pub fn accepted(self, fd: OwnedFd) -> Guarded {
        Guarded::hold(self.ledger, fd, self.app, self.socket)
    }
}

impl Drop for Accepting {
    #[inline]
    fn drop(&mut self) {
        self.ledger.end_to_accept();
    }
}

impl Guarded {
    /// A connection that nobody has been sent, from whichever source.
    #[inline]
    #[must_use]
    pub fn hold(ledger: Ledger, fd: OwnedFd, app: u32, socket: u64) -> Self {
        ledger.held(fd.as_raw_fd(), app, socket);
        Self { fd, ledger }
    }

    /// A connection that an earlier supervisor had, with its entry.
    pub(super) fn restore(ledger: Ledger, fd: OwnedFd, entry: Entry) -> Self {
        ledger.restore(fd.as_raw_fd(), entry);
        Self { fd, ledger }
    }

    /// Right before `sendmsg`: see [`Ledger::sending`].
    #[inline]
    pub fn sending(&self, worker: u64, seq: u64) {
        self.ledger.sending(self.number(), worker, seq);
    }

    /// `sendmsg` has taken it.
    #[inline]
    pub fn sent(&self) {
        self.ledger.sent(self.number());
    }

    /// `sendmsg` has failed, or the worker has refused it.
    #[inline]
    pub fn back(&self) {
        self.ledger.back(self.number());
    }

    fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Guarded {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Guarded {
    #[inline]
    fn drop(&mut self) {
        // Before the descriptor is closed, which the fields are dropped for: its number may be another's then.
        self.ledger.clear(self.number());
    }
}
