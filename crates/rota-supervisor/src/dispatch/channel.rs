//! Our end of a worker's channel: lines out, with a bounded queue, and bytes in.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown,
};

/// Bytes that wait for a worker beyond which nothing is read from it any more: what it asks for
/// produces answers that it does not read.
const STOP_READING: usize = 256 * 1024;
/// Bytes that wait for a worker beyond which messages for it are dropped.
const MAX_QUEUED: usize = 1024 * 1024;

/// A line, or the rest of it, that the channel did not take yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    done: usize,
    fd: Option<OwnedFd>,
}

/// What became of an attempt to send a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is under way.
    Yes,
    /// The channel is full; it will be writable again.
    Full,
    /// The kernel lacks something for a moment, and will not tell when it has it again.
    Later,
    /// The other side is gone; reading will say so.
    Gone,
    /// This descriptor cannot be sent at all.
    Never,
}

/// The queue was full: the line has been dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// What there is to read.
#[derive(Debug)]
pub(super) enum Peek {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The end.
    End,
}

/// The socket and what waits for it.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
    queue: VecDeque<Waiting>,
    queued: usize,
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Channel {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self {
            socket,
            queue: VecDeque::new(),
            queued: 0,
        })
    }

    /// Something waits until the channel is writable.
    pub(super) fn wants_to_write(&self) -> bool {
        !self.queue.is_empty()
    }

    /// It has so much unread that it may not say more.
    pub(super) fn wants_to_read(&self) -> bool {
        self.queued < STOP_READING
    }

    /// Sends a line, now or when the channel takes it; with a duplicate of `fd`, if given.
    pub(super) fn send(&mut self, line: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<(), Overflow> {
        let mut done = 0;
        if self.queue.is_empty() {
            done = match self.transmit(line, fd) {
                Ok(done) if done == line.len() => return Ok(()),
                Ok(done) => done,
                Err(errno) if is_full(errno) || is_shortage(errno) => 0,
                // Gone, which reading will tell.
                Err(_) => return Ok(()),
            };
        } else if self.queued + line.len() > MAX_QUEUED {
            return Err(Overflow);
        }
        // The descriptor has gone with the first byte.
        self.enqueue(&line[done..], fd.filter(|_| done == 0))
    }

    fn enqueue(&mut self, line: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<(), Overflow> {
        let fd = match fd.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0)) {
            Some(Err(_)) => return Err(Overflow),
            Some(Ok(fd)) => Some(fd),
            None => None,
        };
        let bytes = line.to_vec();
        self.queued += bytes.len();
        self.queue.push_back(Waiting { bytes, done: 0, fd });
        Ok(())
    }

    /// Puts a line behind what waits, with a duplicate of `fd`, if given; [`Self::flush`] sends it.
    pub(super) fn hold(&mut self, line: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<(), Overflow> {
        if self.queued + line.len() > MAX_QUEUED && !self.queue.is_empty() {
            return Err(Overflow);
        }
        self.enqueue(line, fd)
    }

    /// Sends a line with a connection, now or not at all.
    pub(super) fn deal(&mut self, line: &[u8], connection: BorrowedFd<'_>) -> Sent {
        if !self.queue.is_empty() {
            return Sent::Full;
        }
        match self.transmit(line, Some(connection)) {
            Ok(done) if done == line.len() => Sent::Yes,
            Ok(done) => {
                let bytes = line[done..].to_vec();
                self.queued += bytes.len();
                self.queue.push_back(Waiting {
                    bytes,
                    done: 0,
                    fd: None,
                });
                Sent::Yes
            }
            Err(errno) if is_full(errno) => Sent::Full,
            Err(errno) if is_shortage(errno) => Sent::Later,
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Sent::Gone,
            Err(_) => Sent::Never,
        }
    }

    /// Sends what waits. Returns whether nothing waits any more.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(mut first) = self.queue.pop_front() {
            let fd = first.fd.as_ref().map(AsFd::as_fd);
            match self.transmit(&first.bytes[first.done..], fd) {
                Ok(sent) => {
                    first.done += sent;
                    first.fd = None;
                    self.queued -= sent;
                    if first.done < first.bytes.len() {
                        self.queue.push_front(first);
                    }
                }
                Err(errno) if is_full(errno) || is_shortage(errno) => {
                    self.queue.push_front(first);
                    return false;
                }
                Err(_) => {
                    self.queue.clear();
                    self.queued = 0;
                }
            }
        }
        true
    }

    /// Looks at what there is to read, without taking it.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> Peek {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        match rustix::net::recv(&self.socket, buffer, flags) {
            Ok((0, _)) => Peek::End,
            Ok((length, _)) => Peek::Bytes(length),
            Err(Errno::AGAIN | Errno::INTR) => Peek::Nothing,
            Err(_) => Peek::End,
        }
    }

    /// Takes exactly as many bytes as `buffer` has room for, which have been seen, and the descriptors that come
    /// with them. The kernel ends a read at each descriptor. Returns whether all were there.
    pub(super) fn take(&self, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> bool {
        let mut done = 0;
        while done < buffer.len() {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let mut slices = [IoSliceMut::new(&mut buffer[done..])];
            match rustix::net::recvmsg(&self.socket, &mut slices, &mut control, flags) {
                Ok(message) if message.bytes > 0 => done += message.bytes,
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => return false,
            }
            for received in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = received {
                    fds.extend(rights);
                }
            }
        }
        true
    }

    /// The worker sees the end of the channel once it has read everything; what it still says is
    /// heard. Closing instead would leave in doubt which connections it has taken.
    pub(super) fn end_writing(&mut self) {
        self.queue.clear();
        self.queued = 0;
        // Fails only when the other side is gone.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
    }

    fn transmit(&self, line: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let sent = match fd {
                None => rustix::net::send(&self.socket, line, flags),
                Some(fd) => {
                    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
                    let mut control = SendAncillaryBuffer::new(&mut space);
                    let fds = [fd];
                    control.push(SendAncillaryMessage::ScmRights(&fds));
                    let slices = [IoSlice::new(line)];
                    rustix::net::sendmsg(&self.socket, &slices, &mut control, flags)
                }
            };
            match sent {
                Err(Errno::INTR) => {}
                sent => return sent,
            }
        }
    }
}

fn is_full(errno: Errno) -> bool {
    errno == Errno::AGAIN
}

/// Memory, or too many descriptors of this user under way in sockets.
fn is_shortage(errno: Errno) -> bool {
    matches!(errno, Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS)
}
