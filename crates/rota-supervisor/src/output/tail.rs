//! The last lines that a worker wrote to standard error, for the report of its failure.

use std::collections::VecDeque;

/// How many lines are kept.
const LINES: usize = 20;
/// How many bytes they may have together.
const BYTES: usize = 8 * 1024;
/// How much of one line is kept. Node prints the whole source line of an exception first; with a
/// bundled app that is the whole program, and would push out the message that matters.
const LINE_BYTES: usize = 1024;
/// How V8 begins to say why it gives up.
const FATAL: &[u8] = b"FATAL ERROR: ";

/// A bounded memory of lines.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// The last line goes on: what comes next belongs to it.
    open: bool,
    /// The last line of V8 about a fatal error: a long native stack may follow it.
    fatal: Option<Box<[u8]>>,
}

impl Tail {
    /// Adds a line, or with `open_end` a part of one.
    pub fn push(&mut self, line: &[u8], open_end: bool) {
        let continues = std::mem::replace(&mut self.open, open_end);
        if continues {
            // Its first piece already exceeded what is kept of a line.
            return;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let kept: Box<[u8]> = if line.len() > LINE_BYTES {
            [&line[..LINE_BYTES], "…".as_bytes()].concat().into()
        } else {
            line.into()
        };
        if kept.starts_with(FATAL) {
            self.fatal = Some(kept.clone());
        }
        self.bytes += kept.len();
        self.lines.push_back(kept);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(old) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= old.len();
        }
    }

    /// The line with which V8 said why it gave up, as text.
    pub fn fatal(&self) -> Option<String> {
        let line = self.fatal.as_deref()?;
        Some(String::from_utf8_lossy(line).into_owned())
    }

    /// The lines, oldest first, as text.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_last_twenty_lines() {
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.push(format!("line {number}\r").as_bytes(), false);
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "line 80");
        assert_eq!(lines[19], "line 99");
    }

    #[test]
    fn it_keeps_at_most_8_kib() {
        let mut tail = Tail::default();
        for _ in 0..50 {
            tail.push(&[b'x'; 900], false);
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), BYTES / 900);
    }

    #[test]
    fn a_bundle_on_one_line_does_not_push_out_the_message() {
        let mut tail = Tail::default();
        tail.push(b"/app/bundle.js:1", false);
        for _ in 0..5 {
            tail.push(&[b'x'; 64 * 1024], true);
        }
        tail.push(b"the end of it", false);
        tail.push(b"TypeError: no", false);
        let lines = tail.lines();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with("x…"));
        assert_eq!(lines[1].len(), LINE_BYTES + "…".len());
        assert_eq!(lines[2], "TypeError: no");
    }
}
