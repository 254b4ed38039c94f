//! Descriptors over Unix sockets (`SCM_RIGHTS`), for stream and packet sockets.
//!
//! Everything that is received is close-on-exec from the start. Whether a call may block is the socket's
//! own affair (`O_NONBLOCK`); `SIGPIPE` never comes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use thiserror::Error;

/// The most descriptors that the kernel takes with one message (`SCM_MAX_FD`).
pub const MAX_FDS: usize = 253;

/// What a [`recv`] brought.
#[derive(Debug)]
pub struct Received {
    /// Bytes written to the buffer; 0 without descriptors is the end of the stream.
    pub len: usize,
    /// The descriptors, in the order in which they were sent.
    pub fds: Vec<OwnedFd>,
}

/// Why a [`recv`] brought nothing.
#[derive(Debug, Error)]
pub enum RecvError {
    /// The call failed; `WouldBlock` included.
    #[error(transparent)]
    Io(io::Error),
    /// Not all descriptors could be opened here (the table of open files is full); those that could
    /// have been closed again. The message's bytes are in the buffer.
    #[error("descriptors were lost: this process may not open more files")]
    FdsLost {
        /// Bytes written to the buffer.
        len: usize,
    },
    /// A packet was longer than the buffer; its descriptors have been closed again.
    #[error("a packet longer than the buffer")]
    TooLong,
}

/// Sends bytes with descriptors. On a stream socket, `data` must not be empty if there are descriptors,
/// and fewer bytes than given may be taken; the descriptors went with the first of them.
///
/// # Errors
/// `InvalidInput` for more than [`MAX_FDS`]; otherwise what `sendmsg` says. `ETOOMANYREFS`: too many
/// descriptors of this user are on their way.
pub fn send(socket: impl AsFd, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if fds.len() > MAX_FDS {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many descriptors for one message",
        ));
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    send_within(&mut space, socket, data, fds)
}

/// Sends a small buffer with exactly one descriptor: the path that every handed-out connection takes.
///
/// # Errors
/// What `sendmsg` says.
#[inline]
pub fn send_one(socket: impl AsFd, data: &[u8], fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    send_within(&mut space, socket, data, &[fd])
}

#[inline]
fn send_within(
    space: &mut [MaybeUninit<u8>],
    socket: impl AsFd,
    data: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut control = SendAncillaryBuffer::new(space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(data)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?)
}

/// Receives bytes with the descriptors that came along.
///
/// # Errors
/// See [`RecvError`]. Nothing that came with an error stays open.
pub fn recv(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, RecvError> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )
    .map_err(|errno| RecvError::Io(errno.into()))?;
    let mut fds = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = ancillary {
            fds.extend(received);
        }
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(RecvError::TooLong);
    }
    // The buffer holds as many as the kernel ever sends: this can only mean that they could not be opened.
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(RecvError::FdsLost { len: message.bytes });
    }
    Ok(Received {
        len: message.bytes,
        fds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::UNIX,
            kind,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .unwrap()
    }

    #[test]
    fn bytes_and_descriptors_arrive_in_order_and_close_on_exec() {
        for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
            let (a, b) = pair(kind);
            let (read, write) = rustix::pipe::pipe().unwrap();
            assert_eq!(send(&a, b"two", &[read.as_fd(), write.as_fd()]).unwrap(), 3);
            let mut buffer = [0; 16];
            let mut received = recv(&b, &mut buffer).unwrap();
            assert_eq!(&buffer[..received.len], b"two");
            assert_eq!(received.fds.len(), 2);
            let flags = rustix::io::fcntl_getfd(&received.fds[0]).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            let their_write = received.fds.pop().unwrap();
            rustix::io::write(&their_write, b"x").unwrap();
            let mut one = [0; 1];
            rustix::io::read(&read, &mut one).unwrap();
            assert_eq!(&one, b"x");
        }
    }

    #[test]
    fn the_most_that_the_kernel_takes_and_one_more() {
        let (a, b) = pair(SocketType::SEQPACKET);
        let (read, _write) = rustix::pipe::pipe().unwrap();
        let many = vec![read.as_fd(); MAX_FDS];
        send(&a, b"m", &many).unwrap();
        assert_eq!(recv(&b, &mut [0; 4]).unwrap().fds.len(), MAX_FDS);
        let more = vec![read.as_fd(); MAX_FDS + 1];
        assert_eq!(
            send(&a, b"m", &more).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_packet_too_long_is_an_error_and_the_next_one_is_whole() {
        let (a, b) = pair(SocketType::SEQPACKET);
        send(&a, b"0123456789", &[]).unwrap();
        send_one(&a, b"ok", a.as_fd()).unwrap();
        let mut buffer = [0; 4];
        assert!(matches!(recv(&b, &mut buffer), Err(RecvError::TooLong)));
        let received = recv(&b, &mut buffer).unwrap();
        assert_eq!((received.len, received.fds.len()), (2, 1));
        assert!(
            matches!(recv(&b, &mut buffer), Err(RecvError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock)
        );
        drop((a, received));
        assert_eq!(recv(&b, &mut buffer).unwrap().len, 0);
    }
}
