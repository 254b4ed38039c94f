//! What a worker prints, and what it says by `sd_notify`: nothing of the output is lost, added or moved, however it is
//! cut, and in whatever form it is written; little is held; what is shown in one line is one.
//!
//! The first byte of the input says how the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rota_config::{LogFormat, LogSpec, ShowAs};
use rota_node::inspector::{Notice, Notices};
use rota_supervisor::output::{self, Source, fuzzing};

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
    // Lines longer than the limit need more than the fuzzer's input is long. They are slow, and find new ways so often that
    // the fuzzer would soon try nothing else: which inputs are repeated it cannot learn.
    let hash = bytes.iter().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let long = bytes.repeat(if hash.is_multiple_of(128) { 1 + 140_000 / bytes.len().max(1000) } else { 1 });
    assert_eq!(split(&long, long.len().max(1)), split(&long, size * 251));
    notified(bytes);
    for stream in [output::Stream::Out, output::Stream::Err] {
        let source = Source { app: "a\"b: é".into(), slot: 1, worker: 2, generation: 3, stream };
        objects(&source, &[bytes, b"\n"].concat(), false);
        objects(&source, bytes, true);
        if std::str::from_utf8(bytes).is_ok() {
            objects(&source, &[&long[..], b"\n"].concat(), false);
        }
        timed(&source, bytes, cut & 1 == 1);
        journald(&source, bytes);
        shown(&source, bytes);
    }
    records(&[bytes, b"\n"].concat());
    read_back(bytes);
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

/// When it was said.
const TIME: u64 = 1_700_000_000_123;

/// Whole lines as JSON, or one that will be continued, are read back as what was said.
fn objects(source: &Source, bytes: &[u8], broken: bool) {
    if broken && (bytes.is_empty() || bytes.contains(&b'\n')) {
        return;
    }
    let json = LogSpec { format: LogFormat::Json, ..LogSpec::default() };
    let written = fuzzing::written(&json, source, TIME, (false, broken), bytes);
    let (mut said, mut partial) = (String::new(), false);
    for line in written.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").expect("a line ends");
        let object: serde_json::Value = serde_json::from_slice(line).expect("it is JSON");
        let past = fuzzing::read_back(line).expect("it is one of ours");
        assert_eq!((&past.app, past.slot, past.worker), (&source.app, Some(1), Some(2)));
        assert_eq!((past.generation, past.stream, past.time), (Some(3), Some(source.stream), Some(TIME)));
        assert!(past.text.len() <= 3 * split::MAX_LINE);
        assert!(!object["lossy"].is_boolean() || past.text.contains('\u{fffd}'));
        said.push_str(&past.text);
        partial = object["partial"] == true;
        if !partial {
            said.push('\n');
        }
    }
    assert_eq!(partial, broken);
    // Those before line breaks are left out.
    let plain = |text: &str| text.replace('\r', "");
    assert_eq!(plain(&said), plain(&String::from_utf8_lossy(bytes)));
}

/// The time stands in front of each line that begins here.
fn timed(source: &Source, bytes: &[u8], continues: bool) {
    let spec = LogSpec { time: Some("[%s]".to_owned()), ..LogSpec::default() };
    let lines = [bytes, b"\n"].concat();
    let written = fuzzing::written(&spec, source, TIME, (continues, false), &lines);
    let mut said = Vec::new();
    let mut rest = written.as_slice();
    // In the text there may be the like: what comes next is known from the lines.
    for (index, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if index > 0 || !continues {
            rest = rest.strip_prefix(b"[1700000000] ").expect("the time is there");
        }
        let (own, after) = rest.split_at(line.len());
        said.extend_from_slice(own);
        rest = after;
    }
    assert!(rest.is_empty() && said == lines);
}

/// Every field is whole, and there is no other.
fn journald(source: &Source, line: &[u8]) {
    let message = fuzzing::journal(source, line);
    let (mut rest, mut names) = (message.as_slice(), Vec::new());
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a name ends");
        let (name, value) = rest.split_at(end);
        let (length, value) = value[1..].split_first_chunk().expect("a value has a length");
        let (value, after) = value.split_at(u64::from_le_bytes(*length) as usize);
        if name == b"MESSAGE" {
            assert_eq!(value, line);
        }
        names.push(String::from_utf8_lossy(name));
        rest = after.strip_prefix(b"\n").expect("a value ends");
    }
    let expected = [
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "ROTA_APP",
        "ROTA_SLOT",
        "ROTA_WORKER",
        "ROTA_GENERATION",
        "ROTA_STREAM",
    ];
    assert_eq!(names, expected);
}

/// A line of the terminal is the line behind a name, or an object.
fn shown(source: &Source, bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let plain = fuzzing::shown(ShowAs::Prefix, false, source, TIME, line);
    let rest = plain.strip_prefix("a\"b: é:1 | ".as_bytes()).and_then(|rest| rest.strip_suffix(b"\n"));
    assert_eq!(rest, Some(line));
    let coloured = fuzzing::shown(ShowAs::Prefix, true, source, TIME, line);
    assert!(coloured.starts_with(b"\x1b[0;") && coloured.ends_with(&[line, b"\n"].concat()));
    let object = fuzzing::shown(ShowAs::Json, false, source, TIME, line);
    let past = fuzzing::read_back(object.trim_ascii_end()).expect("it is one of ours");
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    assert_eq!(past.text, String::from_utf8_lossy(text));
}

/// Whole lines fall into records, from whichever end they are looked at.
fn records(lines: &[u8]) {
    let (ends, last) = fuzzing::records(lines);
    assert_eq!(ends.last(), Some(&lines.len()));
    assert!(ends.iter().all(|end| lines[end - 1] == b'\n'));
    let begin = ends.len().checked_sub(2).map_or(0, |before| ends[before]);
    assert_eq!(last, begin);
}

/// What was put into a log by others is a line like any other.
fn read_back(bytes: &[u8]) {
    for line in [bytes.to_vec(), [&b"{\"time\":\""[..], bytes].concat()] {
        if let Some(past) = fuzzing::read_back(&line) {
            assert!(past.time.is_some() && past.text.len() <= line.len());
        }
    }
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
