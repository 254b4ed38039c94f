//! How a line is written: behind the time, or as an object of JSON.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rota_config::LogFormat;

use super::route::Route;
use super::split::{MAX_LINE, Piece, character_boundary};
use super::{LineEnd, Source, Stream};

/// What the lines of one read have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken<'a> {
    pub source: &'a Source,
    /// When they were read: milliseconds since the Unix epoch.
    pub time: u64,
    /// The first one continues a line that was too long.
    pub continues: bool,
    /// The last one will be continued.
    pub broken: bool,
}

/// Appends lines in the form of the route. `bytes` ends with a line break, unless the last line is broken.
pub(super) fn write(route: &Route, spoken: Spoken<'_>, bytes: &[u8], into: &mut Vec<u8>) {
    match route.format {
        LogFormat::Json => objects(spoken, bytes, into),
        LogFormat::Plain => match &route.time {
            Some(format) => timed(format, spoken, bytes, into),
            None => into.extend_from_slice(bytes),
        },
    }
}

fn timed(format: &str, spoken: Spoken<'_>, bytes: &[u8], into: &mut Vec<u8>) {
    let prefix = prefix(format, spoken.time);
    let mut continues = spoken.continues;
    let mut rest = bytes;
    into.reserve(bytes.len() + bytes.len() / 2);
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        if !std::mem::take(&mut continues) {
            into.extend_from_slice(&prefix);
        }
        into.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
}

/// The time in the zone of this machine, and a blank. What cannot be formatted is told in its place.
fn prefix(format: &str, time: u64) -> Vec<u8> {
    let millis = i64::try_from(time).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    let at = at.to_zoned(TimeZone::system());
    let mut text = jiff::fmt::strtime::format(format, &at)
        .unwrap_or_else(|error| format!("({error})").replace('\n', " "))
        .into_bytes();
    text.push(b' ');
    text
}

/// One object per record: a line, with the lines behind it that belong to it.
fn objects(spoken: Spoken<'_>, bytes: &[u8], into: &mut Vec<u8>) {
    let head = head(spoken);
    into.reserve(bytes.len() * 2);
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = match spoken.source.stream {
            Stream::Err => record(rest),
            Stream::Out => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
        };
        let (record, after) = rest.split_at(end);
        let broken = after.is_empty() && spoken.broken;
        let text = record.strip_suffix(b"\n").unwrap_or(record);
        pieces(text, broken, |piece| object(&head, piece, into));
        rest = after;
    }
}

/// Gives out a record in pieces that are not too long.
fn pieces(text: &[u8], broken: bool, mut give: impl FnMut(Piece<'_>)) {
    let mut rest = text;
    while rest.len() > MAX_LINE {
        let (bytes, after) = rest.split_at(character_boundary(&rest[..MAX_LINE]));
        give(Piece {
            bytes,
            end: LineEnd::Broken,
        });
        rest = after;
    }
    let end = match broken {
        true => LineEnd::Broken,
        false => LineEnd::Newline,
    };
    give(Piece { bytes: rest, end });
}

/// What every object begins with, up to its text.
pub(super) fn head(spoken: Spoken<'_>) -> Vec<u8> {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(spoken.time));
    let time = humantime::format_rfc3339_millis(time.unwrap_or(UNIX_EPOCH));
    let source = spoken.source;
    let mut head = format!("{{\"time\":\"{time}\",\"app\":").into_bytes();
    // Strings always can be written.
    let _ = serde_json::to_writer(&mut head, &*source.app);
    let _ = write!(
        head,
        ",\"slot\":{},\"worker\":{},\"generation\":{},\"stream\":\"{}\",\"text\":\"",
        source.slot, source.worker, source.generation, source.stream
    );
    head
}

/// Appends one object. Bytes that are no UTF-8 become replacement characters, and `"lossy":true` says so.
pub(super) fn object(head: &[u8], piece: Piece<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(head);
    let text = piece.text();
    let lossy = match std::str::from_utf8(text) {
        Ok(_) => {
            escape(text, into);
            false
        }
        Err(_) => {
            escape(String::from_utf8_lossy(text).as_bytes(), into);
            true
        }
    };
    into.push(b'"');
    if lossy {
        into.extend_from_slice(b",\"lossy\":true");
    }
    if piece.end == LineEnd::Broken {
        into.extend_from_slice(b",\"partial\":true");
    }
    into.extend_from_slice(b"}\n");
}

/// As the inside of a JSON string.
fn escape(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain(rest));
        into.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        match byte {
            b'"' => into.extend_from_slice(b"\\\""),
            b'\\' => into.extend_from_slice(b"\\\\"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            byte => {
                let _ = write!(into, "\\u{byte:04x}");
            }
        }
        rest = after;
    }
}

/// How many bytes from the first on need no escape: most lines as a whole, so eight are looked at at a time.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // The highest bit of every byte that is below `limit`, from the first such byte on; those behind it may be wrong.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = below(word, 0x20) | is(word, b'"') | is(word, b'\\') | is(word, 0x7f);
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let at = rest.iter().position(|&byte| needs_escape(byte));
    text.len() - rest.len() + at.unwrap_or(rest.len())
}

const fn needs_escape(byte: u8) -> bool {
    // DEL is allowed, but nobody wants to see it raw.
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f
}

/// The length of the first record: its line and those that belong to it, with their line breaks.
pub(super) fn record(bytes: &[u8]) -> usize {
    let mut end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    while end < bytes.len() && continues(&bytes[end..]) {
        let rest = &bytes[end..];
        end += memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }
    end
}

/// Where the last record of some whole lines begins.
pub(super) fn last_record(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    loop {
        let before = &bytes[..end.saturating_sub(1)];
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        if start == 0 || !continues(&bytes[start..]) {
            return start;
        }
        end = start;
    }
}

/// Does a line belong to the one before? Stack traces are indented, name their causes, and Node ends what it shows of an
/// error's fields with a brace.
pub(super) fn continues(line: &[u8]) -> bool {
    match line.first() {
        Some(b' ' | b'\t') => true,
        Some(b'}') => line.len() == 1 || matches!(line[1], b'\n' | b'\r'),
        _ => line.starts_with(b"at ") || line.starts_with(b"Caused by"),
    }
}

#[cfg(test)]
mod tests {
    use rota_config::LogSpec;
    use std::path::Path;

    use super::*;

    fn written(spec: &LogSpec, stream: Stream, bytes: &[u8], broken: bool) -> String {
        let source = Source {
            app: "a\"b".into(),
            slot: 1,
            worker: 7,
            generation: 3,
            stream,
        };
        let route = Route::of(Path::new("/"), Path::new("/"), spec, &source);
        let spoken = Spoken {
            source: &source,
            time: 1_700_000_000_123,
            continues: false,
            broken,
        };
        let mut into = Vec::new();
        write(&route, spoken, bytes, &mut into);
        String::from_utf8(into).unwrap()
    }

    fn json() -> LogSpec {
        LogSpec {
            format: LogFormat::Json,
            ..LogSpec::default()
        }
    }

    fn parsed(stream: Stream, bytes: &[u8], broken: bool) -> Vec<serde_json::Value> {
        let text = written(&json(), stream, bytes, broken);
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn an_object_says_who_spoke_and_when() {
        let objects = parsed(Stream::Out, b"one \x1b[31m\"red\"\\\t\r\n\n", false);
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0]["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(objects[0]["app"], "a\"b");
        assert_eq!(objects[0]["slot"], 1);
        assert_eq!(objects[0]["worker"], 7);
        assert_eq!(objects[0]["generation"], 3);
        assert_eq!(objects[0]["stream"], "out");
        assert_eq!(objects[0]["text"], "one \x1b[31m\"red\"\\\t");
        assert_eq!(objects[1]["text"], "");
        assert!(objects[0].get("lossy").is_none());
    }

    #[test]
    fn what_is_no_text_is_told() {
        let objects = parsed(Stream::Out, b"\xff\xfe\0\x7f\n", false);
        assert_eq!(objects[0]["text"], "\u{fffd}\u{fffd}\0\u{7f}");
        assert_eq!(objects[0]["lossy"], true);
    }

    #[test]
    fn every_byte_survives_where_it_can() {
        let all: Vec<u8> = (0..=127).filter(|byte| *byte != b'\n').collect();
        let objects = parsed(Stream::Out, &[all.as_slice(), b"\n"].concat(), false);
        assert_eq!(objects[0]["text"].as_str().unwrap().as_bytes(), all);
    }

    #[test]
    fn what_needs_no_escape_is_found_wherever_it_ends() {
        for special in 0..=u8::MAX {
            for length in 0..20 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = special;
                    // What stands behind it makes no difference.
                    text[at + 1..].fill(b'"');
                    let expected = text.iter().position(|&byte| needs_escape(byte));
                    assert_eq!(plain(&text), expected.unwrap_or(length), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_stack_trace_is_one_object_on_standard_error() {
        let trace = b"Error: no\n    at f (x.js:1)\n  code: 1\n}\nCaused by: x\nnext\n";
        let objects = parsed(Stream::Err, trace, false);
        assert_eq!(objects.len(), 2);
        assert!(
            objects[0]["text"]
                .as_str()
                .unwrap()
                .ends_with("}\nCaused by: x")
        );
        assert_eq!(objects[1]["text"], "next");
        assert_eq!(parsed(Stream::Out, trace, false).len(), 6);
    }

    #[test]
    fn long_lines_are_told_in_parts() {
        let mut line = "é".repeat(MAX_LINE).into_bytes();
        line.push(b'\n');
        let objects = parsed(Stream::Out, &line, false);
        let partial: Vec<_> = objects.iter().map(|object| object.get("partial")).collect();
        assert_eq!(partial[..2], [Some(&true.into()), None]);
        assert_eq!(parsed(Stream::Out, b"x", true)[0]["partial"], true);
    }

    #[test]
    fn the_time_stands_in_front_of_every_line() {
        let spec = LogSpec {
            time: Some("%Y%m %3f:".into()),
            ..LogSpec::default()
        };
        assert_eq!(
            written(&spec, Stream::Out, b"a\n\nb", true),
            "202311 123: a\n202311 123: \n202311 123: b"
        );
    }

    #[test]
    fn the_last_record_is_found_from_the_end() {
        for (text, at) in [
            ("a\n", 0),
            ("a\nb\n", 2),
            ("a\nb\n c\n", 2),
            (" a\n b\n", 0),
            ("\n", 0),
        ] {
            assert_eq!(last_record(text.as_bytes()), at, "{text:?}");
        }
        assert_eq!(record(b"a\n b\n}\nc\n"), 7);
    }
}
