//! What waits to be sent to the supervisor.
//!
//! The keeper must go on reaping and handing out signals whatever its supervisor does, so sending never
//! blocks; what does not fit into the socket waits here. The queue is bounded without losing anything: above
//! [`ENOUGH`] no more requests are read, so there are no more answers to them, and the rest is bounded by
//! what there is to tell: one exit for each child, one of each signal, one entry for each key.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::link::Link;
use crate::log;
use crate::protocol::{self, FromKeeper, Outgoing};

/// Packets in the queue from which on no more requests are read.
const ENOUGH: usize = 1024;
/// How long to wait when the kernel has too many descriptors of this user on their way; it does not tell when
/// there are fewer.
const TOO_MANY_FDS_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Item {
    packet: Outgoing,
    fds: Rc<Vec<OwnedFd>>,
    signal: Option<i32>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    retry_at: Option<Instant>,
}

impl Outbox {
    /// Queues a message without descriptors.
    pub(crate) fn push(&mut self, message: &FromKeeper) {
        self.push_with(message, Rc::default());
    }

    /// Queues a message with descriptors.
    pub(crate) fn push_with(&mut self, message: &FromKeeper, fds: Rc<Vec<OwnedFd>>) {
        let signal = if let FromKeeper::Signal { number } = message {
            Some(*number)
        } else {
            None
        };
        if signal.is_some() && self.items.iter().any(|item| item.signal == signal) {
            return;
        }
        match protocol::encode(message, fds.len()) {
            Ok(packet) => self.items.push_back(Item {
                packet,
                fds,
                signal,
            }),
            // Only a message of more than 64 KiB can fail, when there is no descriptor left for its memfd.
            Err(error) => log(format_args!("a message to the supervisor is lost: {error}")),
        }
    }

    /// Empties the queue for the next supervisor; returns the signals that nobody has seen.
    pub(crate) fn reset(&mut self) -> Vec<i32> {
        self.retry_at = None;
        self.items
            .drain(..)
            .filter_map(|item| item.signal)
            .collect()
    }

    /// Whether requests may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.items.len() < ENOUGH
    }

    /// Whether to wait for the socket to become writable.
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.items.is_empty() && self.retry_at.is_none()
    }

    /// When to try again without having been told that the socket is writable.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self, link: &Link, now: Instant) {
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        while let Some(item) = self.items.front() {
            let fds: Vec<_> = item.fds.iter().map(|fd| fd.as_fd()).collect();
            match link.send_encoded(&item.packet, &fds) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if too_many(&error) => {
                    self.retry_at = Some(now + TOO_MANY_FDS_PAUSE);
                    return;
                }
                // The supervisor is gone. Its successor is told everything again.
                Err(error) if gone(&error) => return,
                Err(error) => log(format_args!("a message to the supervisor is lost: {error}")),
            }
            self.items.pop_front();
        }
    }
}

fn too_many(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let retry = [Errno::TOOMANYREFS, Errno::NOBUFS, Errno::NOMEM, Errno::INTR];
    retry
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Packet;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn nothing_is_lost_when_the_supervisor_does_not_read() {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let (ours, theirs) = (Link::new(a), Link::new(b));
        let mut outbox = Outbox::default();
        for child in 0..5000 {
            outbox.push(&FromKeeper::SignalFailed {
                child,
                signal: 1,
                errno: 3,
            });
        }
        outbox.flush(&ours, Instant::now());
        assert!(outbox.wants_to_write());
        assert!(!outbox.has_room());
        let mut seen = 0;
        while seen < 5000 {
            match theirs.recv::<FromKeeper>().map(|received| received.packet) {
                Ok(Packet::Message(FromKeeper::SignalFailed { child, .. }, _)) => {
                    assert_eq!(child, seen);
                    seen += 1;
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => outbox.flush(&ours, Instant::now()),
            }
        }
        assert!(!outbox.wants_to_write());
    }

    #[test]
    fn a_signal_waits_once_and_outlives_its_supervisor() {
        let mut outbox = Outbox::default();
        outbox.push(&FromKeeper::Signal { number: 15 });
        outbox.push(&FromKeeper::Restored);
        outbox.push(&FromKeeper::Signal { number: 15 });
        outbox.push(&FromKeeper::Signal { number: 12 });
        assert_eq!(outbox.reset(), [15, 12]);
        assert!(!outbox.wants_to_write());
    }
}
