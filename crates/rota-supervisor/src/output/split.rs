//! Bytes into lines, without IO.

use super::LineEnd;

/// The longest line in bytes. A longer one is passed on in pieces of at most this size.
pub const MAX_LINE: usize = 64 * 1024;

/// A piece of output: a line without its line break, or a part of a very long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The bytes, without the line break.
    pub bytes: &'a [u8],
    /// Why it ends here.
    pub end: LineEnd,
}

impl<'a> Piece<'a> {
    /// The text of it: a carriage return at the end of a line belongs to the line break.
    pub fn text(&self) -> &'a [u8] {
        match self.end {
            LineEnd::Broken => self.bytes,
            LineEnd::Newline | LineEnd::Eof => self.bytes.strip_suffix(b"\r").unwrap_or(self.bytes),
        }
    }
}

/// Splits one stream. It holds memory only while a line is incomplete.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    carry: Vec<u8>,
}

impl Splitter {
    /// Takes what was read and gives out the pieces that are complete.
    pub fn feed(&mut self, input: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let mut rest = input;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.line(&rest[..at], give);
            rest = &rest[at + 1..];
        }
        self.keep(rest, give);
    }

    /// Is a line incomplete?
    pub fn is_empty(&self) -> bool {
        self.carry.is_empty()
    }

    /// The output has ended: gives out the incomplete line, if there is one.
    pub fn finish(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        let line = std::mem::take(&mut self.carry);
        if !line.is_empty() {
            give(Piece {
                bytes: &line,
                end: LineEnd::Eof,
            });
        }
    }

    fn line(&mut self, tail: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let rest = self.keep_long(tail, give);
        if self.carry.is_empty() {
            give(Piece {
                bytes: rest,
                end: LineEnd::Newline,
            });
        } else {
            // Taken, not cleared: the memory goes back with the line.
            let mut line = std::mem::take(&mut self.carry);
            line.extend_from_slice(rest);
            give(Piece {
                bytes: &line,
                end: LineEnd::Newline,
            });
        }
    }

    fn keep(&mut self, part: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let rest = self.keep_long(part, give);
        self.carry.extend_from_slice(rest);
    }

    /// Gives out full pieces until what is carried and what is left fit into one line. Something is
    /// always left, so that a broken line has an end.
    fn keep_long<'a>(&mut self, part: &'a [u8], give: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let mut rest = part;
        while self.carry.len() + rest.len() > MAX_LINE {
            let (head, tail) = rest.split_at(MAX_LINE - self.carry.len());
            self.carry.extend_from_slice(head);
            rest = tail;
            let cut = character_boundary(&self.carry);
            let after = self.carry.split_off(cut);
            let piece = std::mem::replace(&mut self.carry, after);
            give(Piece {
                bytes: &piece,
                end: LineEnd::Broken,
            });
        }
        rest
    }
}

/// The end of the last whole UTF-8 character; the length itself for what is not UTF-8.
pub(super) fn character_boundary(bytes: &[u8]) -> usize {
    let lead = bytes
        .iter()
        .rev()
        .take(4)
        .position(|&byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(back) = lead else {
        return bytes.len();
    };
    let start = bytes.len() - 1 - back;
    let width = match bytes[start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if width > back + 1 && start > 0 {
        start
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, LineEnd)> {
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        let mut give = |piece: Piece<'_>| pieces.push((piece.bytes.to_vec(), piece.end));
        for chunk in chunks {
            splitter.feed(chunk, &mut give);
        }
        splitter.finish(&mut give);
        pieces
    }

    fn line(text: &[u8], end: LineEnd) -> (Vec<u8>, LineEnd) {
        (text.to_vec(), end)
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = "eins\n\nzwölf \x1b[31mrot\x1b[0m\r\n\u{1f980} crab\nno end".as_bytes();
        let whole = split(&[text]);
        assert_eq!(
            whole.iter().map(|(_, end)| *end).collect::<Vec<_>>(),
            [
                LineEnd::Newline,
                LineEnd::Newline,
                LineEnd::Newline,
                LineEnd::Newline,
                LineEnd::Eof
            ]
        );
        assert_eq!(whole[4].0, b"no end");
        for at in 0..=text.len() {
            for further in at..=text.len() {
                let parts = [&text[..at], &text[at..further], &text[further..]];
                assert_eq!(split(&parts), whole, "cut at {at} and {further}");
            }
        }
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(split(&[]), []);
        assert_eq!(split(&[b"", b""]), []);
        assert_eq!(split(&[b"\n"]), [line(b"", LineEnd::Newline)]);
    }

    #[test]
    fn a_long_line_is_broken_and_nothing_is_lost() {
        let mut text = vec![b'x'; 3 * MAX_LINE + 10];
        text.extend_from_slice(b"\nnext\n");
        for size in [1000, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, text.len()] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let pieces = split(&chunks);
            assert_eq!(pieces.len(), 5, "chunks of {size}");
            assert!(pieces[..3].iter().all(|piece| piece.1 == LineEnd::Broken));
            assert!(pieces.iter().all(|piece| piece.0.len() <= MAX_LINE));
            assert_eq!(pieces[3], line(&[b'x'; 10], LineEnd::Newline));
            assert_eq!(pieces[4], line(b"next", LineEnd::Newline));
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let mut text = vec![b'x'; MAX_LINE];
        text.push(b'\n');
        assert_eq!(split(&[&text]), [line(&text[..MAX_LINE], LineEnd::Newline)]);
        assert_eq!(
            split(&[&text[..MAX_LINE]]),
            [line(&text[..MAX_LINE], LineEnd::Eof)]
        );
    }

    #[test]
    fn a_break_does_not_cut_a_character() {
        for character in ["é", "€", "\u{1f980}"] {
            for shift in 0..4 {
                let mut text = "a".repeat(MAX_LINE - shift);
                text.push_str(&character.repeat(3));
                let pieces = split(&[text.as_bytes()]);
                let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.0.clone()).collect();
                assert_eq!(joined, text.as_bytes());
                for (bytes, _) in pieces {
                    assert!(
                        std::str::from_utf8(&bytes).is_ok(),
                        "{character} at -{shift}"
                    );
                }
            }
        }
    }

    #[test]
    fn binary_output_is_broken_at_the_limit() {
        let text = vec![0xbf; MAX_LINE + 1];
        let pieces = split(&[&text]);
        assert_eq!(pieces[0].0.len(), MAX_LINE);
        assert_eq!(pieces[1], line(&[0xbf], LineEnd::Eof));
    }

    #[test]
    fn a_carriage_return_belongs_to_the_line_break_and_to_nothing_else() {
        let mut text = vec![b'x'; MAX_LINE - 1];
        text.extend_from_slice(b"\ry\r\n\r");
        let mut texts = Vec::new();
        let mut splitter = Splitter::default();
        let mut give = |piece: Piece<'_>| texts.push(piece.text().to_vec());
        splitter.feed(&text, &mut give);
        splitter.finish(&mut give);
        assert_eq!(texts[0].len(), MAX_LINE);
        assert_eq!(texts[1..], [b"y".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_broken_line_that_ends_at_the_break_still_ends() {
        let mut splitter = Splitter::default();
        let mut ends = Vec::new();
        let mut give = |piece: Piece<'_>| ends.push(piece.end);
        splitter.feed(&vec![b'x'; MAX_LINE + 1], &mut give);
        splitter.feed(b"\n", &mut give);
        splitter.finish(&mut give);
        assert_eq!(ends, [LineEnd::Broken, LineEnd::Newline]);
    }
}
