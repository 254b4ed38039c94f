//! Packets: from messages to bytes and back.

use std::borrow::Cow;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Encode};
use rota_sys::memfd;
use thiserror::Error;

/// The largest message that travels in the packet itself, in bytes.
pub const INLINE_MAX: usize = 64 * 1024;
/// The largest message at all, in bytes.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// The most descriptors that a message may carry (the kernel's own limit is 253 for a packet).
pub const MAX_FDS: usize = 250;

/// Set in a packet's kind when the message is in a memfd.
const IN_MEMFD: u8 = 1;

/// When the keeper carries a request out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// At once, also while a transaction is open.
    #[default]
    Single,
    /// With the next [`Mode::Last`]; never, if the line closes before it. This opens a transaction, or is the
    /// next request of the open one.
    Held,
    /// At once, after everything that is held: it ends the transaction. Without an open one it is a single request.
    Last,
}

impl Mode {
    /// The first byte of a packet.
    fn kind(self, in_memfd: bool) -> u8 {
        let mode = match self {
            Self::Single => 0,
            Self::Held => 2,
            Self::Last => 4,
        };
        mode | if in_memfd { IN_MEMFD } else { 0 }
    }

    /// The mode that a packet's first byte names; `Single` for one that names none, for what cannot be understood
    /// is refused at once.
    #[must_use]
    pub fn of(packet: &[u8]) -> Self {
        match packet.first().map(|kind| kind & !IN_MEMFD) {
            Some(2) => Self::Held,
            Some(4) => Self::Last,
            _ => Self::Single,
        }
    }
}

/// A packet ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    bytes: Vec<u8>,
    body: Option<OwnedFd>,
}

impl Outgoing {
    /// The packet's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The memfd that must go with it as the last descriptor.
    #[must_use]
    pub fn body(&self) -> Option<BorrowedFd<'_>> {
        self.body.as_ref().map(AsFd::as_fd)
    }
}

/// Why a packet is not a message.
#[derive(Debug, Error)]
pub enum FrameError {
    /// No bytes at all.
    #[error("an empty packet")]
    Empty,
    /// The first byte is none of the known kinds.
    #[error("a packet of the unknown kind {0}")]
    Kind(u8),
    /// The packet announces a memfd and brings none, or its length is not given as four bytes.
    #[error("a packet without the body that it announces")]
    NoBody,
    /// The memfd is not sealed, or not of the announced length.
    #[error("a packet whose body is not a sealed memfd of the announced length")]
    BadBody,
    /// Over [`MESSAGE_MAX`].
    #[error("a message of more than {MESSAGE_MAX} bytes")]
    TooLarge,
    /// Over [`MAX_FDS`].
    #[error("{0} descriptors with one message, at most {MAX_FDS} can be sent")]
    TooManyFds(usize),
    /// Not a message of this protocol.
    #[error("not a message of this protocol")]
    Cbor(#[source] minicbor::decode::Error),
    /// Bytes follow the message.
    #[error("bytes after the message")]
    Trailing,
    /// The message cannot be encoded.
    #[error("the message cannot be encoded")]
    Encode,
    /// The memfd could not be made or read.
    #[error("the memfd of a large message")]
    Memfd(#[source] io::Error),
}

/// Encodes a single message that will be sent with `fds` descriptors.
///
/// # Errors
/// Too large, too many descriptors, or no memfd could be made for a large one.
pub fn encode<M: Encode<()>>(message: &M, fds: usize) -> Result<Outgoing, FrameError> {
    encode_as(Mode::Single, message, fds)
}

/// Encodes a message of this mode that will be sent with `fds` descriptors.
///
/// # Errors
/// As [`encode`].
pub fn encode_as<M: Encode<()>>(
    mode: Mode,
    message: &M,
    fds: usize,
) -> Result<Outgoing, FrameError> {
    if fds > MAX_FDS {
        return Err(FrameError::TooManyFds(fds));
    }
    let mut bytes = vec![mode.kind(false)];
    minicbor::encode(message, &mut bytes).map_err(|_| FrameError::Encode)?;
    let length = bytes.len() - 1;
    if length <= INLINE_MAX {
        return Ok(Outgoing { bytes, body: None });
    }
    if length > MESSAGE_MAX {
        return Err(FrameError::TooLarge);
    }
    let body = memfd::sealed("rota-message", &bytes[1..]).map_err(FrameError::Memfd)?;
    let announced = u32::try_from(length).map_err(|_| FrameError::TooLarge)?;
    let mut header = vec![mode.kind(true)];
    header.extend_from_slice(&announced.to_le_bytes());
    Ok(Outgoing {
        bytes: header,
        body: Some(body),
    })
}

/// Finds the message's bytes in a packet of any mode, taking the memfd of a large one off the end of `fds`.
///
/// # Errors
/// See [`FrameError`].
pub fn open_body<'a>(
    packet: &'a [u8],
    fds: &mut Vec<OwnedFd>,
) -> Result<Cow<'a, [u8]>, FrameError> {
    match packet.split_first() {
        None => Err(FrameError::Empty),
        Some((0 | 2 | 4, body)) => Ok(Cow::Borrowed(body)),
        Some((1 | 3 | 5, length)) => {
            let length: [u8; 4] = length.try_into().map_err(|_| FrameError::NoBody)?;
            let length = u32::from_le_bytes(length) as usize;
            if length > MESSAGE_MAX {
                return Err(FrameError::TooLarge);
            }
            let body = fds.pop().ok_or(FrameError::NoBody)?;
            match memfd::read_sealed(&body, length) {
                Ok(Some(bytes)) => Ok(Cow::Owned(bytes)),
                Ok(None) => Err(FrameError::BadBody),
                Err(error) => Err(FrameError::Memfd(error)),
            }
        }
        Some((&kind, _)) => Err(FrameError::Kind(kind)),
    }
}

/// Decodes one whole message.
///
/// # Errors
/// When it is not one, or when bytes follow it.
pub fn decode<'b, M: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<M, FrameError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let message = decoder.decode().map_err(FrameError::Cbor)?;
    if decoder.position() == bytes.len() {
        Ok(message)
    } else {
        Err(FrameError::Trailing)
    }
}
