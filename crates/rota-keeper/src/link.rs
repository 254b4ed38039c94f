//! One end of the packet socket, the same for both sides.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Encode};
use rota_sys::scm::{self, RecvError};

use crate::protocol::{self, FrameError, INLINE_MAX, Mode, Outgoing};

/// A connected `SOCK_SEQPACKET` socket.
#[derive(Debug)]
pub(crate) struct Link {
    fd: OwnedFd,
    /// Where packets are received; used again for each of them.
    buffer: RefCell<Vec<u8>>,
}

/// One packet, with what is known of it whatever it turned out to be.
#[derive(Debug)]
pub(crate) struct Received<M> {
    /// When it is to be carried out.
    pub mode: Mode,
    /// The length of the message.
    pub bytes: usize,
    pub packet: Packet<M>,
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
        Self {
            fd,
            buffer: RefCell::default(),
        }
    }

    /// A second handle on the same socket.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.fd.try_clone().map(Self::new)
    }

    /// Encodes and sends one message.
    pub(crate) fn send<M: Encode<()>>(
        &self,
        mode: Mode,
        message: &M,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let packet = protocol::encode_as(mode, message, fds.len()).map_err(frame_to_io)?;
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
    pub(crate) fn recv<M: for<'b> Decode<'b, ()>>(&self) -> io::Result<Received<M>> {
        let mut buffer = self.buffer.take();
        buffer.resize(INLINE_MAX + 8, 0);
        let received = self.recv_into(&mut buffer);
        self.buffer.replace(buffer);
        received
    }

    fn recv_into<M: for<'b> Decode<'b, ()>>(&self, buffer: &mut [u8]) -> io::Result<Received<M>> {
        let (len, mut fds, lost) = match scm::recv(&self.fd, buffer) {
            Ok(received) => (received.len, received.fds, false),
            Err(RecvError::FdsLost { len }) => (len, Vec::new(), true),
            Err(RecvError::TooLong) => {
                return Ok(Received {
                    mode: Mode::of(buffer),
                    bytes: 0,
                    packet: Packet::Undecodable(FrameError::TooLarge),
                });
            }
            Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                (0, Vec::new(), false)
            }
            Err(RecvError::Io(error)) => return Err(error),
        };
        let bytes = &buffer[..len];
        if len == 0 && fds.is_empty() && !lost {
            return Ok(Received {
                mode: Mode::Single,
                bytes: 0,
                packet: Packet::Closed,
            });
        }
        let (length, packet) = match protocol::open_body(bytes, &mut fds) {
            Ok(body) => {
                let packet = match protocol::decode(&body) {
                    message if lost => Packet::FdsLost(message.ok()),
                    Ok(message) => Packet::Message(message, fds),
                    Err(error) => Packet::Undecodable(error),
                };
                (body.len(), packet)
            }
            Err(_) if lost => (0, Packet::FdsLost(None)),
            Err(error) => (0, Packet::Undecodable(error)),
        };
        Ok(Received {
            mode: Mode::of(bytes),
            bytes: length,
            packet,
        })
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
