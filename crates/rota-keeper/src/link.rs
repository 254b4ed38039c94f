//! One end of the packet socket, the same for both sides.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Encode};
use rota_sys::scm::{self, RecvError};

use crate::protocol::{self, FrameError, INLINE_MAX, Outgoing};

/// A connected `SOCK_SEQPACKET` socket.
#[derive(Debug)]
pub(crate) struct Link {
    fd: OwnedFd,
}

/// What one packet turned out to be.
#[derive(Debug)]
pub(crate) enum Packet<M> {
    /// A message with its descriptors.
    Message(M, Vec<OwnedFd>),
    /// Not a message that this side knows.
    Undecodable(FrameError),
    /// The table of open files was full: the descriptors are lost, the message is here unless it came in one.
    FdsLost(Option<M>),
    /// The other side has closed.
    Closed,
}

impl Link {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Encodes and sends one message.
    pub(crate) fn send<M: Encode<()>>(
        &self,
        message: &M,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let packet = protocol::encode(message, fds.len()).map_err(frame_to_io)?;
        self.send_encoded(&packet, fds)
    }

    /// Sends a packet that was encoded earlier.
    pub(crate) fn send_encoded(&self, packet: &Outgoing, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        match packet.body() {
            None => scm::send(&self.fd, packet.bytes(), fds).map(drop),
            Some(body) => {
                let mut all = Vec::with_capacity(fds.len() + 1);
                all.extend_from_slice(fds);
                all.push(body);
                scm::send(&self.fd, packet.bytes(), &all).map(drop)
            }
        }
    }

    /// Receives one packet.
    pub(crate) fn recv<M: for<'b> Decode<'b, ()>>(&self) -> io::Result<Packet<M>> {
        let mut buffer = vec![0; INLINE_MAX + 8];
        let received = match scm::recv(&self.fd, &mut buffer) {
            Ok(received) => received,
            Err(RecvError::FdsLost { len }) => {
                let body = protocol::open_body(&buffer[..len], &mut Vec::new());
                return Ok(Packet::FdsLost(
                    body.ok().and_then(|body| protocol::decode(&body).ok()),
                ));
            }
            Err(RecvError::TooLong) => return Ok(Packet::Undecodable(FrameError::TooLarge)),
            Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Packet::Closed);
            }
            Err(RecvError::Io(error)) => return Err(error),
        };
        if received.len == 0 && received.fds.is_empty() {
            return Ok(Packet::Closed);
        }
        let mut fds = received.fds;
        Ok(
            match protocol::open_body(&buffer[..received.len], &mut fds) {
                Ok(body) => match protocol::decode(&body) {
                    Ok(message) => Packet::Message(message, fds),
                    Err(error) => Packet::Undecodable(error),
                },
                Err(error) => Packet::Undecodable(error),
            },
        )
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn frame_to_io(error: FrameError) -> io::Error {
    match error {
        FrameError::Memfd(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidInput, other),
    }
}
