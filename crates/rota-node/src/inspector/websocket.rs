//! The little of WebSocket (RFC 6455) that a client of an inspector needs.
//!
//! Written for this, and not taken from a library, since messages may be as large as the worker likes (a
//! source map that is part of a script, a recursion ten thousand calls deep) and only their beginning is of interest: the rest is
//! skipped without being held.

use super::Address;

/// How much of a message is kept.
pub const KEPT: usize = 1024 * 1024;
/// The longest answer to the request to upgrade.
const ANSWER_MAX: usize = 8 * 1024;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// The other side does not speak WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It did not upgrade the connection.
    #[error("it did not answer as an inspector does")]
    NotUpgraded,
    /// A frame that cannot be.
    #[error("it sent what is no WebSocket frame")]
    Frame,
}

/// Something that came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// The connection is upgraded.
    Open,
    /// A message.
    Message {
        /// Its first [`KEPT`] bytes.
        bytes: &'a [u8],
    },
    /// The other side wants to know whether we are there.
    Ping,
    /// The other side ends the connection.
    Close,
}

/// The request that begins the connection.
///
/// Its key need not be secret or unlike others: it is there to tell WebSocket servers from others, and the
/// address with its UUID has done that.
#[must_use]
pub fn request(address: &Address) -> Vec<u8> {
    format!(
        "GET /{} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: cm90YSByb3RhIHJvdGEhIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        address.id, address.socket
    )
    .into_bytes()
}

/// A text message as one frame. Masked with zeros: masks protect proxies, and on loopback there is none.
#[must_use]
pub fn text(message: &str) -> Vec<u8> {
    frame(TEXT, message.as_bytes())
}

/// The answer to a ping.
#[must_use]
pub fn pong() -> Vec<u8> {
    frame(10, &[])
}

/// The end of the connection.
#[must_use]
pub fn close() -> Vec<u8> {
    frame(CLOSE, &[])
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const FINAL: u8 = 0x80;
    const MASKED: u8 = 0x80;
    let mut frame = vec![FINAL | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..126), _) => frame.push(MASKED | short),
        (_, Ok(length)) => {
            frame.push(MASKED | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Takes the server's bytes apart.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// The answer's head or a frame's header, as far as it has come.
    head: Vec<u8>,
    /// The message, as far as it has come and is kept.
    message: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// The answer to the request.
    #[default]
    Answer,
    /// A frame's header.
    Header,
    /// A frame's payload.
    Payload { frame: Frame, left: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    last: bool,
    length: u64,
}

impl Decoder {
    /// Takes what was read and gives out what it completes.
    ///
    /// # Errors
    /// When it is not WebSocket; nothing more can be read from this connection then.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        mut give: impl FnMut(Received<'_>),
    ) -> Result<(), Violation> {
        while !input.is_empty() {
            input = match self.state {
                State::Answer => self.answer(input, &mut give)?,
                State::Header => self.header(input, &mut give)?,
                State::Payload { frame, left } => self.payload(input, frame, left, &mut give),
            };
        }
        Ok(())
    }

    fn answer<'a>(
        &mut self,
        input: &'a [u8],
        give: &mut impl FnMut(Received<'_>),
    ) -> Result<&'a [u8], Violation> {
        let (first, rest) = input.split_at(1);
        self.head.extend_from_slice(first);
        if self.head.ends_with(b"\r\n\r\n") {
            let head = std::mem::take(&mut self.head);
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return Err(Violation::NotUpgraded);
            }
            self.state = State::Header;
            give(Received::Open);
        } else if self.head.len() > ANSWER_MAX {
            return Err(Violation::NotUpgraded);
        }
        Ok(rest)
    }

    fn header<'a>(
        &mut self,
        input: &'a [u8],
        give: &mut impl FnMut(Received<'_>),
    ) -> Result<&'a [u8], Violation> {
        let (first, rest) = input.split_at(1);
        self.head.extend_from_slice(first);
        let Some(frame) = parse_header(&self.head)? else {
            return Ok(rest);
        };
        self.head.clear();
        if frame.length == 0 {
            self.end(frame, give);
        } else {
            self.state = State::Payload {
                frame,
                left: frame.length,
            };
        }
        Ok(rest)
    }

    fn payload<'a>(
        &mut self,
        input: &'a [u8],
        frame: Frame,
        left: u64,
        give: &mut impl FnMut(Received<'_>),
    ) -> &'a [u8] {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (part, rest) = input.split_at(take);
        if frame.opcode < CLOSE {
            let room = KEPT - self.message.len();
            self.message.extend_from_slice(&part[..take.min(room)]);
        }
        let left = left - take as u64;
        if left == 0 {
            self.end(frame, give);
        } else {
            self.state = State::Payload { frame, left };
        }
        rest
    }

    fn end(&mut self, frame: Frame, give: &mut impl FnMut(Received<'_>)) {
        self.state = State::Header;
        match frame.opcode {
            CLOSE => give(Received::Close),
            PING => give(Received::Ping),
            CONTINUATION | TEXT | BINARY if frame.last => {
                // Taken, so that the memory of a large one goes back.
                let bytes = std::mem::take(&mut self.message);
                give(Received::Message { bytes: &bytes });
            }
            _ => {}
        }
    }
}

/// `None`: more bytes are needed.
fn parse_header(head: &[u8]) -> Result<Option<Frame>, Violation> {
    let [first, second, more @ ..] = head else {
        return Ok(None);
    };
    let (opcode, last) = (first & 0x0f, first & 0x80 != 0);
    let control = opcode >= CLOSE;
    // Reserved bits, a mask (a server must not), unknown opcodes, and control frames in pieces.
    if first & 0x70 != 0
        || second & 0x80 != 0
        || !matches!(opcode, CONTINUATION..=BINARY | CLOSE..=10)
        || (control && (!last || *second > 125))
    {
        return Err(Violation::Frame);
    }
    let length = match (second, more) {
        (126, [a, b, ..]) => u64::from(u16::from_be_bytes([*a, *b])),
        (127, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (126 | 127, _) => return Ok(None),
        (short, _) => u64::from(*short),
    };
    Ok(Some(Frame {
        opcode,
        last,
        length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    fn received(chunks: &[&[u8]]) -> Result<Vec<String>, Violation> {
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for chunk in chunks {
            decoder.feed(chunk, |received| {
                all.push(match received {
                    Received::Message { bytes } if bytes.len() > 100 => bytes.len().to_string(),
                    Received::Message { bytes } => String::from_utf8(bytes.to_vec()).unwrap(),
                    other => format!("{other:?}"),
                });
            })?;
        }
        Ok(all)
    }

    #[test]
    fn messages_come_whole_however_they_arrive() {
        let mut bytes = UPGRADED.to_vec();
        bytes.extend(b"\x81\x05hello\x89\x00\x01\x03one\x80\x03two\x88\x02\x03\xe8");
        let expected = ["Open", "hello", "Ping", "onetwo", "Close"];
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(received(&[left, right]).unwrap(), expected, "cut at {at}");
        }
    }

    #[test]
    fn of_a_huge_message_the_beginning_is_kept() {
        let mut bytes = UPGRADED.to_vec();
        bytes.extend(b"\x81\x7f");
        bytes.extend((3 * KEPT as u64).to_be_bytes());
        bytes.extend(vec![b'x'; 3 * KEPT]);
        bytes.extend(b"\x81\x7e\x00\x7e");
        bytes.extend(vec![b'y'; 126]);
        let all = received(&[&bytes]).unwrap();
        assert_eq!(all, ["Open", &KEPT.to_string(), "126"]);
    }

    #[test]
    fn what_is_not_websocket_is_refused() {
        for bad in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[b'x'; 9000]] {
            assert_eq!(received(&[bad]), Err(Violation::NotUpgraded));
        }
        for bad in [
            b"\x81\x85",
            b"\xf1\x05",
            b"\x83\x05",
            b"\x08\x00",
            b"\x89\x7e",
        ] {
            assert_eq!(received(&[UPGRADED, bad]), Err(Violation::Frame));
        }
    }

    #[test]
    fn our_frames_carry_their_length() {
        assert_eq!(text("hi"), b"\x81\x82\0\0\0\0hi");
        assert_eq!(text(&"x".repeat(200))[..8], *b"\x81\xfe\x00\xc8\0\0\0\0");
        assert_eq!(text(&"x".repeat(70_000))[1], 0xff);
    }
}
