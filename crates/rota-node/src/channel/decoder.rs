//! Finds lines, and the descriptors that belong to them, in what the channel delivers.

use std::collections::VecDeque;

/// The longest line that is kept by default: 64 MiB.
pub const DEFAULT_MAX_LINE: usize = 64 * 1024 * 1024;

/// Descriptors that may have arrived without the line that claims them. Node has at most one under
/// way; a few more do no harm.
pub const MAX_UNCLAIMED_HANDLES: usize = 4;

/// A buffer larger than this is given back after its line.
const KEPT_CAPACITY: usize = 64 * 1024;

/// How much of a line that is too long is kept to tell what it was.
const HEAD: usize = 32;

/// How a message with a descriptor starts.
const HANDLE_MARK: &[u8] = br#"{"cmd":"NODE_HANDLE","#;

/// The same behind another line.
const HANDLE_BEGINS: &[u8] = b"\n{\"cmd\":\"NODE_HANDLE\",";

/// Something complete that the channel delivered.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a, H> {
    /// A line without its line break.
    Line {
        /// The bytes: JSON, if the other side is honest.
        bytes: &'a [u8],
        /// The descriptor that came with it: only ever with a `NODE_HANDLE` line.
        handle: Option<H>,
    },
    /// A line that was longer than allowed and has been skipped.
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// It began like a message with a descriptor, so that its sender waits for an answer.
        is_handle: bool,
        /// The descriptor that came with it.
        handle: Option<H>,
    },
}

/// The next part of the stream: see [`Decoder::portion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// Its length in bytes.
    pub length: usize,
    /// It is a message with a descriptor, or a part of one.
    pub is_handle: bool,
}

/// Splits a byte stream into lines of bounded length and assigns descriptors (`H`) to them.
///
/// A descriptor arrives with some read of the stream, which may have begun with the end of earlier
/// lines. It belongs to the first `NODE_HANDLE` line that ends in that read or a later one; senders
/// start a line with a descriptor in a system call of its own, so their order is kept.
#[derive(Debug)]
pub struct Decoder<H> {
    partial: Vec<u8>,
    skipped: u64,
    max_line: usize,
    handles: VecDeque<H>,
}

impl<H> Decoder<H> {
    /// A decoder that skips lines longer than `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self {
            partial: Vec::new(),
            skipped: 0,
            max_line: max_line.max(HEAD),
            handles: VecDeque::new(),
        }
    }

    /// Notes a descriptor that came with the bytes that are fed next.
    ///
    /// # Errors
    /// Gives it back when too many have come that no line claimed.
    pub fn attach(&mut self, handle: H) -> Result<(), H> {
        if self.handles.len() >= MAX_UNCLAIMED_HANDLES {
            return Err(handle);
        }
        self.handles.push_back(handle);
        Ok(())
    }

    /// Takes bytes of the stream and passes every line that they complete to `sink`.
    pub fn feed(&mut self, mut chunk: &[u8], mut sink: impl FnMut(Frame<'_, H>)) {
        while let Some(end) = find_line_break(chunk) {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            self.complete(line, &mut sink);
            chunk = rest;
        }
        self.keep(chunk);
    }

    /// How much of `chunk`, the bytes that come next, can be fed in one go if messages with descriptors are to
    /// be treated apart: lines without, or one message with a descriptor, as far as they are there.
    #[must_use]
    pub fn portion(&self, chunk: &[u8]) -> Portion {
        if self.is_handle(chunk) {
            return Portion {
                length: find_line_break(chunk).map_or(chunk.len(), |end| end + 1),
                is_handle: true,
            };
        }
        Portion {
            length: memchr::memmem::find(chunk, HANDLE_BEGINS).map_or(chunk.len(), |end| end + 1),
            is_handle: false,
        }
    }

    /// Whether the line that `chunk` begins with, or goes on with, is a message with a descriptor.
    fn is_handle(&self, chunk: &[u8]) -> bool {
        let known = self.partial.len().min(HANDLE_MARK.len());
        let (first, rest) = HANDLE_MARK.split_at(known);
        self.partial[..known] == *first && chunk.starts_with(rest)
    }

    /// Bytes of an unfinished line that are held in memory.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.partial.len()
    }

    fn complete(&mut self, tail: &[u8], sink: &mut impl FnMut(Frame<'_, H>)) {
        if self.skipped == 0 && self.partial.is_empty() && tail.len() <= self.max_line {
            let handle = self.claim(tail);
            return sink(Frame::Line {
                bytes: tail,
                handle,
            });
        }
        self.keep(tail);
        let line = std::mem::take(&mut self.partial);
        let handle = self.claim(&line);
        if self.skipped == 0 {
            sink(Frame::Line {
                bytes: &line,
                handle,
            });
        } else {
            let length = line.len() as u64 + std::mem::take(&mut self.skipped);
            sink(Frame::TooLong {
                length,
                is_handle: line.starts_with(HANDLE_MARK),
                handle,
            });
        }
        if line.capacity() <= KEPT_CAPACITY {
            self.partial = line;
            self.partial.clear();
        }
    }

    /// Adds to the unfinished line; once it is too long only its beginning stays.
    fn keep(&mut self, bytes: &[u8]) {
        if self.skipped > 0 {
            self.skipped += bytes.len() as u64;
        } else if self.partial.len() + bytes.len() <= self.max_line {
            self.partial.extend_from_slice(bytes);
        } else {
            let length = self.partial.len() + bytes.len();
            let missing = HEAD.saturating_sub(self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..missing]);
            self.partial.truncate(HEAD);
            self.partial.shrink_to(KEPT_CAPACITY);
            self.skipped = (length - self.partial.len()) as u64;
        }
    }

    fn claim(&mut self, line: &[u8]) -> Option<H> {
        if line.starts_with(HANDLE_MARK) {
            self.handles.pop_front()
        } else {
            None
        }
    }
}

fn find_line_break(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and their handles, in a form that can be compared.
    fn collect(decoder: &mut Decoder<u32>, chunk: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        decoder.feed(chunk, |frame| {
            seen.push(match frame {
                Frame::Line { bytes, handle } => {
                    format!("{} {handle:?}", String::from_utf8_lossy(bytes))
                }
                Frame::TooLong {
                    length,
                    is_handle,
                    handle,
                } => format!("long {length} {is_handle} {handle:?}"),
            });
        });
        seen
    }

    #[test]
    fn lines_are_found_however_the_stream_is_cut() {
        let stream = b"{\"a\":1}\n\n\"two\"\n{\"cmd\":\"NODE_HANDLE\",\"x\":1}\nrest";
        let mut whole = Decoder::new(100);
        let expected = collect(&mut whole, stream);
        assert_eq!(expected.len(), 4);
        for size in 1..stream.len() {
            let mut decoder = Decoder::new(100);
            let seen: Vec<_> = stream
                .chunks(size)
                .flat_map(|chunk| collect(&mut decoder, chunk))
                .collect();
            assert_eq!(seen, expected, "chunks of {size}");
            assert_eq!(decoder.buffered(), 4);
        }
    }

    #[test]
    fn a_handle_belongs_to_the_handle_line_even_behind_glued_lines() {
        let mut decoder = Decoder::new(100);
        decoder.attach(7).unwrap();
        let seen = collect(&mut decoder, b"1\n2\n{\"cmd\":\"NODE_HANDLE\",\"msg\":");
        assert_eq!(seen, ["1 None", "2 None"]);
        assert_eq!(
            collect(&mut decoder, b"3}\n4\n"),
            ["{\"cmd\":\"NODE_HANDLE\",\"msg\":3} Some(7)", "4 None"]
        );
    }

    #[test]
    fn messages_with_descriptors_are_portions_of_their_own() {
        let stream =
            b"1\n{\"cmd\":\"NODE_HANDLE\",\"msg\":2}\n3\n{\"cmd\":\"NODE_HANDLE\",\"msg\":";
        let mut decoder = Decoder::<u32>::new(100);
        let (mut at, mut seen) = (0, Vec::new());
        while at < stream.len() {
            let portion = decoder.portion(&stream[at..]);
            let bytes = &stream[at..at + portion.length];
            collect(&mut decoder, bytes);
            seen.push((
                String::from_utf8_lossy(bytes).into_owned(),
                portion.is_handle,
            ));
            at += portion.length;
        }
        let lengths: Vec<_> = seen.iter().map(|(text, is)| (text.len(), *is)).collect();
        assert_eq!(lengths, [(2, false), (30, true), (2, false), (27, true)]);
        // The rest of the unfinished one, and what is behind it.
        let rest = decoder.portion(b"4}\n5\n");
        assert_eq!((rest.length, rest.is_handle), (3, true));
    }

    #[test]
    fn a_descriptors_message_is_known_however_the_stream_is_cut() {
        let line = b"{\"cmd\":\"NODE_HANDLE\",\"msg\":2}\n";
        for cut in 0..line.len() {
            let mut decoder = Decoder::<u32>::new(100);
            let (first, second) = line.split_at(cut);
            decoder.feed(first, |_| {});
            let portion = decoder.portion(second);
            assert_eq!((portion.length, portion.is_handle), (second.len(), true));
        }
        let mut decoder = Decoder::<u32>::new(100);
        decoder.feed(b"{\"cmd\":\"NODE_HANDLE", |_| {});
        assert!(!decoder.portion(b"_ACK\"}\n").is_handle);
    }

    #[test]
    fn unclaimed_handles_are_bounded() {
        let mut decoder = Decoder::new(100);
        for handle in 0..MAX_UNCLAIMED_HANDLES as u32 {
            decoder.attach(handle).unwrap();
        }
        assert_eq!(decoder.attach(99), Err(99));
        assert_eq!(
            collect(&mut decoder, b"{\"cmd\":\"NODE_HANDLE\",}\n"),
            ["{\"cmd\":\"NODE_HANDLE\",} Some(0)"]
        );
        decoder.attach(100).unwrap();
    }

    #[test]
    fn long_lines_are_skipped_without_being_kept() {
        let mut decoder = Decoder::new(64);
        assert_eq!(collect(&mut decoder, &[b'x'; 64]), [""; 0]);
        assert_eq!(decoder.buffered(), 64);
        for _ in 0..1000 {
            assert_eq!(collect(&mut decoder, &[b'x'; 1000]), [""; 0]);
            assert!(decoder.buffered() <= HEAD);
        }
        assert_eq!(
            collect(&mut decoder, b"y\nshort\n"),
            ["long 1000065 false None", "short None"]
        );
    }

    #[test]
    fn a_long_line_in_one_chunk_is_skipped_too() {
        let mut decoder = Decoder::new(64);
        decoder.attach(5).unwrap();
        let mut line = b"{\"cmd\":\"NODE_HANDLE\",\"msg\":\"".to_vec();
        line.resize(65, b'z');
        line.push(b'\n');
        assert_eq!(collect(&mut decoder, &line), ["long 65 true Some(5)"]);
        assert_eq!(collect(&mut decoder, b"\n"), [" None"]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_kept() {
        let mut decoder = Decoder::<u32>::new(64);
        let mut line = vec![b'a'; 64];
        line.push(b'\n');
        assert_eq!(collect(&mut decoder, &line).len(), 1);
        let (first, second) = line.split_at(30);
        assert!(collect(&mut decoder, first).is_empty());
        let seen = collect(&mut decoder, second);
        assert!(seen[0].starts_with("aaa"), "{seen:?}");
    }
}
