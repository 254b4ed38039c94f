//! A worker's inspector: whatever it sends, in whatever pieces, at most a message is held, the same is understood, and
//! what comes of it are short lines that a terminal can show.
//!
//! The first byte of the input says how the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rota_node::inspector::protocol::Incoming;
use rota_node::inspector::websocket::{Decoder, KEPT, Received, Violation};
use rota_node::inspector::{Address, stack};

/// The longest text of a frame that is kept, with the mark of what was cut.
const TEXT_MAX: usize = 1024 + "…".len();

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    // What follows the upgrade is where the bugs are: most inputs need not find it.
    let upgraded = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    let bytes = if cut & 1 == 0 { [upgraded, bytes].concat() } else { bytes.to_vec() };
    let whole = read(bytes.chunks(bytes.len().max(1)));
    let pieces = read(bytes.chunks(usize::from(cut >> 1) + 1));
    assert_eq!(whole, pieces);

    let message = &input[1..];
    understand(message);
    if let Some(address) = Address::find(message) {
        assert!(address.socket.ip().is_loopback() && address.socket.port() > 0);
        assert_eq!(address.id.len(), 36);
    }
});

/// A message, or the name of something else.
type Said = Result<Vec<u8>, String>;

/// What a stream of bytes says, up to where it is no WebSocket.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Said>, Option<Violation>) {
    let (mut decoder, mut said) = (Decoder::default(), Vec::new());
    for piece in pieces {
        let fed = decoder.feed(piece, |received| {
            said.push(match received {
                Received::Message { bytes } => {
                    assert!(bytes.len() <= KEPT);
                    understand(bytes);
                    Ok(bytes.to_vec())
                }
                other => Err(format!("{other:?}")),
            });
        });
        if let Err(violation) = fed {
            return (said, Some(violation));
        }
    }
    (said, None)
}

fn understand(message: &[u8]) {
    match Incoming::parse(message) {
        Incoming::Reply { error, .. } => assert!(error.is_none_or(|why| why.len() <= TEXT_MAX)),
        Incoming::Script { id, url } => assert!(id.len() <= TEXT_MAX && url.len() <= TEXT_MAX),
        Incoming::Paused { frames, more } => {
            assert!(frames.len() <= 200);
            for frame in &frames {
                assert!(frame.function.len() <= TEXT_MAX && frame.url.len() <= TEXT_MAX);
                assert!(frame.script.len() <= TEXT_MAX && frame.line > 0 && frame.column > 0);
            }
            let lines = stack::lines(&frames, more, "/agent.js");
            assert!(lines.len() <= stack::LINES_MAX + 1);
            for line in lines {
                assert!(line.len() <= 2 * TEXT_MAX + 64 && !line.contains(char::is_control));
            }
        }
        Incoming::Other => {}
    }
}
