//! What one read of a pipe brings, on its way to files, followers, the terminal and journald.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use rota_config::ShowAs;

use super::consume::Consume;
use super::hub::Shared;
use super::inspector::InspectorWatch;
use super::route::{Route, Routing};
use super::split::Piece;
use super::terminal::TerminalSink;
use super::writer::{Chunk, FileJob};
use super::{LineEnd, LogLine, Source, Stream};

/// A source, with what is needed again and again.
pub(super) struct Origin {
    pub source: Arc<Source>,
    pub routing: Rc<Routing>,
    /// Only for standard error.
    pub inspector: Option<Rc<InspectorWatch>>,
    /// What was written last will be continued.
    pub within_line: Cell<bool>,
    /// So much of what still lies in the pipe is on the terminal already.
    pub shown: Cell<usize>,
}

impl Origin {
    /// Where its next piece goes.
    pub fn route(&self) -> Arc<Route> {
        self.routing.route(self.within_line.get())
    }
}

/// What one read brings, on its way to everybody.
pub(super) struct Batch<'a> {
    shared: &'a Shared,
    from: &'a Origin,
    route: Arc<Route>,
    followed: bool,
    /// `None`: as it was read.
    pub show: Option<ShowAs>,
    time: u64,
    pub file: Vec<u8>,
    terminal: Vec<u8>,
    pub lines: u64,
    broken: bool,
}

impl<'a> Batch<'a> {
    pub fn new(shared: &'a Shared, from: &'a Origin) -> Self {
        let route = from.route();
        let named = |terminal: &TerminalSink| match route.show {
            Some(ShowAs::Raw) => None,
            None => terminal.names_workers().then_some(ShowAs::Prefix),
            show => show,
        };
        Self {
            shared,
            from,
            followed: shared.followers.borrow().want(&from.source),
            show: shared.terminal.as_ref().and_then(named),
            route,
            time: now(),
            file: Vec::new(),
            terminal: Vec::new(),
            lines: 0,
            broken: false,
        }
    }

    /// False: lines need not be told apart.
    pub fn looks_at_lines(&self) -> bool {
        let errors = self.from.source.stream == Stream::Err;
        errors || self.followed || self.show.is_some() || self.route.journald
    }

    pub fn add(&mut self, piece: Piece<'_>) {
        let open_end = piece.end == LineEnd::Broken;
        self.broken = open_end;
        self.file.extend_from_slice(piece.bytes);
        if !open_end {
            self.file.push(b'\n');
            self.lines += 1;
        }
        let source = &self.from.source;
        if source.stream == Stream::Err {
            let mut tails = self.shared.tails.borrow_mut();
            if let Some(tail) = tails.get_mut(&source.worker) {
                tail.push(piece.bytes, open_end);
            }
        }
        if let Some(inspector) = &self.from.inspector {
            inspector.line(piece.bytes);
        }
        if self.followed {
            self.follow(piece);
        }
        if let (Some(show), Some(terminal)) = (self.show, &self.shared.terminal) {
            terminal.format(source, show, self.time, piece, &mut self.terminal);
        }
        if self.route.journald {
            self.shared.journal.send(source, piece.text());
        }
    }

    fn follow(&self, piece: Piece<'_>) {
        let line = Arc::new(LogLine {
            source: Arc::clone(&self.from.source),
            time: self.time,
            bytes: piece.text().into(),
            end: piece.end,
        });
        self.shared.followers.borrow().publish(&line);
    }

    pub fn send(mut self, input: &[u8], consume: Option<&Arc<Consume>>) -> bool {
        let stream = self.from.source.stream;
        if let Some(terminal) = &self.shared.terminal {
            if self.show.is_none() {
                let shown = self.from.shown.get();
                let new = input.get(shown..).unwrap_or_default();
                self.from.shown.set(shown.saturating_sub(input.len()));
                self.terminal.extend_from_slice(new);
            }
            if !self.terminal.is_empty() {
                terminal.send(stream, self.terminal, self.lines);
            }
        }
        if self.file.is_empty() || self.route.files.is_empty() {
            return false;
        }
        let (size, lines) = (self.file.len(), self.lines);
        let chunk = Chunk {
            source: Arc::clone(&self.from.source),
            route: self.route,
            bytes: self.file,
            lines,
            time: self.time,
            continues: self.from.within_line.replace(self.broken),
            broken: self.broken,
            consume: consume.map(Arc::clone),
        };
        let job = FileJob::Write(Box::new(chunk));
        let sent = self.shared.files.has_room() && self.shared.files.push(size, job);
        if !sent {
            let losses = &self.shared.losses;
            losses.lines.fetch_add(lines, Ordering::Relaxed);
            losses.bytes.fetch_add(size as u64, Ordering::Relaxed);
        }
        sent
    }
}

/// Milliseconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
