//! What a worker prints, and what it says by `sd_notify`: nothing of the output is lost, added or moved, however it is
//! cut; little is held; what is shown in one line is one.
//!
//! The first byte of the input says how the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rota_node::inspector::{Notice, Notices};

#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/output/line.rs"]
mod line;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/output/names.rs"]
mod names;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/notify/parse.rs"]
mod notify;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/output/split.rs"]
mod split;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/output/tail.rs"]
mod tail;

use line::{LineEnd, Stream};

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let size = usize::from(cut) + 1;
    filter(bytes, size);
    // Lines longer than the limit need more than the fuzzer's input is long.
    let long = bytes.repeat(if cut == 0 { 1 + 140_000 / bytes.len().max(1000) } else { 1 });
    assert_eq!(split(&long, long.len().max(1)), split(&long, size * 251));
    notified(bytes);
    if let Some(key) = std::str::from_utf8(bytes).ok().and_then(names::FileKey::parse) {
        let path = key.path("/logs".as_ref());
        assert_eq!(path.parent(), Some("/logs".as_ref()), "{path:?}");
    }
});

/// Takes Node's lines out of the stream, or leaves them in it.
fn filter(bytes: &[u8], size: usize) {
    let run = |size: usize, take: bool| {
        let (mut notices, mut passed, mut said) = (Notices::default(), Vec::new(), Vec::new());
        let mut fed = 0;
        for chunk in bytes.chunks(size) {
            fed += chunk.len();
            let mut taken = 0;
            notices.feed(
                chunk,
                |bytes| passed.extend_from_slice(bytes),
                |notice| {
                    taken += 1;
                    if let Notice::Listening(Some(address)) = &notice {
                        assert!(address.socket.ip().is_loopback());
                    }
                    said.push(notice);
                    take
                },
            );
            assert!(take || fed - passed.len() <= 512, "so much is held");
        }
        passed.extend(notices.finish());
        (passed, said)
    };
    let whole = run(bytes.len().max(1), true);
    assert_eq!(run(size, true), whole);
    let (all, kept) = run(size, false);
    assert_eq!(all, bytes);
    assert!(whole.0.len() <= bytes.len() && kept.len() >= whole.1.len());
}

/// The pieces of a stream, and the end that is remembered of it.
fn split(bytes: &[u8], size: usize) -> Vec<(Vec<u8>, LineEnd)> {
    let (mut splitter, mut pieces) = (split::Splitter::default(), Vec::new());
    let mut tail = tail::Tail::default();
    let mut give = |piece: split::Piece<'_>| {
        assert!(piece.bytes.len() <= split::MAX_LINE);
        assert!(!piece.bytes.contains(&b'\n'));
        tail.push(piece.bytes, piece.end == LineEnd::Broken);
        pieces.push((piece.bytes.to_vec(), piece.end));
    };
    for chunk in bytes.chunks(size) {
        splitter.feed(chunk, &mut give);
    }
    splitter.finish(&mut give);
    let lines = tail.lines();
    assert!(lines.len() <= 20);
    // What is not UTF-8 becomes three bytes each.
    assert!(lines.iter().map(String::len).sum::<usize>() <= 3 * (8 * 1024 + 1027));
    let mut joined = Vec::new();
    for (piece, end) in &pieces {
        joined.extend_from_slice(piece);
        if *end == LineEnd::Newline {
            joined.push(b'\n');
        }
    }
    assert_eq!(joined, bytes);
    pieces
}

fn notified(datagram: &[u8]) {
    let lines = datagram.split(|byte| *byte == b'\n').count();
    let said = notify::parse(datagram);
    assert!(said.len() <= lines);
    for notification in said {
        if let notify::Notification::Status(text) = notification {
            assert!(text.chars().count() <= 512 && !text.contains(char::is_control));
        }
    }
}
