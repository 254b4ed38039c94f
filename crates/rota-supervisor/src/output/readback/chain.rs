//! One log, with all that was put aside of it, line by line.

use std::sync::Arc;

use serde::Deserialize;

use super::super::Stream;
use super::super::aside::Aside;
use super::super::times::Entry;
use super::piece::{self, Piece};
use super::snapshot::Chain;
use super::{PastLine, Wanted};

/// What every object of JSON that we write begins with.
const OBJECT: &[u8] = b"{\"time\":\"";

/// The lines of a log that are wanted.
pub(super) struct ChainLines<'a> {
    chain: Chain,
    wanted: &'a Wanted,
    /// The file that is next; behind those that were put aside comes the one that is being written.
    next: usize,
    /// Where in it the first wanted line lies.
    offset: u64,
    /// So many wanted lines come before those that are asked for.
    skip: u64,
    piece: Option<Piece>,
    line: Vec<u8>,
}

impl<'a> ChainLines<'a> {
    pub fn new(chain: Chain, wanted: &'a Wanted) -> Self {
        let mut lines = Self {
            chain,
            wanted,
            next: 0,
            offset: 0,
            skip: 0,
            piece: None,
            line: Vec::new(),
        };
        lines.begin();
        lines
    }

    /// Finds where the last lines begin, from the newest file back.
    fn begin(&mut self) {
        let Some(most) = self.wanted.lines else {
            return;
        };
        self.next = self.chain.aside.len() + 1;
        let mut found = 0;
        while self.next > 0 && found < most {
            self.next -= 1;
            if self.next < self.chain.aside.len() && self.is_too_old(self.next) {
                self.next += 1;
                return;
            }
            let left = most - found;
            let active = (self.next == self.chain.aside.len()).then_some(());
            let active = active.and(self.chain.active.as_ref());
            if let (Some((file, length)), true) = (active, self.takes_all()) {
                let (start, lines) = piece::last_lines(file, *length, left).unwrap_or((0, 0));
                found += lines;
                self.offset = start;
                continue;
            }
            let lines = self.count(self.next);
            if lines > left {
                self.skip = lines - left;
            }
            found += lines;
            self.offset = 0;
        }
    }

    /// Is every line wanted?
    fn takes_all(&self) -> bool {
        let plain = self.wanted.grep.is_none();
        let always = self.wanted.since.is_none() && self.wanted.until.is_none();
        plain && always && !self.chooses()
    }

    /// Must be looked whose line it is?
    fn chooses(&self) -> bool {
        let (chain, filter) = (&self.chain, &self.chain.filter);
        let of_some = |target: &super::super::LogTarget| target.slots.is_some();
        let slot = chain.slot.is_none() && filter.targets.iter().any(of_some);
        slot || (chain.stream.is_none() && filter.stream.is_some())
    }

    /// How many wanted lines a file has.
    fn count(&mut self, index: usize) -> u64 {
        let Some(mut piece) = self.open(index, 0) else {
            return 0;
        };
        if self.takes_all() {
            return piece.count();
        }
        let mut lines = 0;
        let mut line = Vec::new();
        while let Some(entry) = piece.line(&mut line) {
            if self.is_past_end(entry) {
                break;
            }
            lines += u64::from(self.select(&line, entry).is_some());
        }
        lines
    }

    fn is_too_old(&self, index: usize) -> bool {
        let file = &self.chain.aside[index];
        self.wanted.since.is_some_and(|since| file.moment() < since)
    }

    /// Nothing behind this can be early enough.
    fn is_past_end(&self, entry: Option<Entry>) -> bool {
        let until = self.wanted.until;
        matches!((until, entry), (Some(until), Some(entry)) if entry.time > until)
    }

    fn open(&self, index: usize, from: u64) -> Option<Piece> {
        let aside: Option<&Aside> = self.chain.aside.get(index);
        let mut times = piece::times(&self.chain.dir, &self.chain.path, aside);
        let mut from = from;
        if let (Some(since), Some(times), 0) = (self.wanted.since, &mut times, from) {
            from = times.seek(since);
        }
        match aside {
            Some(_) if self.is_too_old(index) => None,
            Some(file) => Piece::aside(&self.chain.path, file, from, times).ok(),
            None => {
                let (file, length) = self.chain.active.as_ref()?;
                Piece::active(file, *length, from.min(*length), times).ok()
            }
        }
    }

    /// The line, if it is wanted.
    fn select(&self, line: &[u8], entry: Option<Entry>) -> Option<PastLine> {
        let past = self.understand(line, entry);
        let wanted = self.wanted;
        let filter = &self.chain.filter;
        let whose = filter.may_want(&past.app, past.slot, past.stream);
        let early = |since| past.time.is_some_and(|time| time < since);
        let late = |until| past.time.is_some_and(|time| time > until);
        let is_wanted = whose
            && !wanted.since.is_some_and(early)
            && !wanted.until.is_some_and(late)
            && wanted
                .grep
                .as_ref()
                .is_none_or(|grep| grep.is_match(&past.text));
        is_wanted.then_some(past)
    }

    fn understand(&self, line: &[u8], entry: Option<Entry>) -> PastLine {
        let object = line.starts_with(OBJECT).then(|| Object::parse(line));
        if let Some(Some(object)) = object {
            return object;
        }
        PastLine {
            app: Arc::clone(&self.chain.app),
            slot: self.chain.slot.or(entry.map(|entry| entry.slot)),
            stream: self.chain.stream,
            time: entry.map(|entry| entry.time),
            worker: entry.map(|entry| entry.worker),
            generation: entry.map(|entry| entry.generation),
            text: String::from_utf8_lossy(line).into_owned(),
        }
    }
}

impl Iterator for ChainLines<'_> {
    type Item = PastLine;

    fn next(&mut self) -> Option<PastLine> {
        loop {
            if self.piece.is_none() {
                if self.next > self.chain.aside.len() {
                    return None;
                }
                let offset = std::mem::take(&mut self.offset);
                self.piece = self.open(self.next, offset);
                self.next += 1;
            }
            let mut line = std::mem::take(&mut self.line);
            let read = self.piece.as_mut().and_then(|piece| piece.line(&mut line));
            let selected = match read {
                Some(entry) if self.is_past_end(entry) => {
                    self.next = self.chain.aside.len() + 1;
                    self.piece = None;
                    None
                }
                Some(entry) => self.select(&line, entry),
                None => {
                    self.piece = None;
                    None
                }
            };
            self.line = line;
            if let Some(line) = selected {
                if self.skip == 0 {
                    return Some(line);
                }
                self.skip -= 1;
            }
        }
    }
}

/// A line that we have written as JSON.
#[derive(Deserialize)]
pub(super) struct Object {
    time: String,
    app: String,
    slot: u32,
    worker: u64,
    generation: u32,
    stream: String,
    text: String,
}

impl Object {
    pub(super) fn parse(line: &[u8]) -> Option<PastLine> {
        let object: Self = serde_json::from_slice(line).ok()?;
        let time = humantime::parse_rfc3339(&object.time).ok()?;
        Some(PastLine {
            app: object.app.into(),
            slot: Some(object.slot),
            stream: match object.stream.as_str() {
                "out" => Some(Stream::Out),
                "err" => Some(Stream::Err),
                _ => return None,
            },
            time: Some(super::super::aside::millis(time)),
            worker: Some(object.worker),
            generation: Some(object.generation),
            text: object.text,
        })
    }
}
