//! Doors for the fuzz target `output` to the forms of lines. Only there with `--cfg fuzzing`.

use std::fs::File;
use std::path::Path;

use rota_config::{LogSpec, ShowAs};

use super::form::{self, Spoken};
use super::route::Route;
use super::split::Piece;
use super::terminal::TerminalSink;
use super::{LineEnd, PastLine, Source, Terminal, journal, readback};

/// Lines as a file gets them: whole ones, or with `broken` one that will be continued; with `continues` the first one is
/// the rest of another.
#[must_use]
pub fn written(
    logs: &LogSpec,
    source: &Source,
    time: u64,
    (continues, broken): (bool, bool),
    bytes: &[u8],
) -> Vec<u8> {
    let route = Route::of(Path::new("/"), Path::new("/"), logs, source);
    let spoken = Spoken {
        source,
        time,
        continues,
        broken,
    };
    let mut into = Vec::new();
    form::write(&route, spoken, bytes, &mut into);
    into
}

/// A line as it is read back, if it is one that we have written as JSON.
#[must_use]
pub fn read_back(line: &[u8]) -> Option<PastLine> {
    readback::object(line)
}

/// Where records end, one after the other, and where the last one begins; of whole lines.
#[must_use]
pub fn records(bytes: &[u8]) -> (Vec<usize>, usize) {
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at += form::record(&bytes[at..]);
        ends.push(at);
    }
    (ends, form::last_record(bytes))
}

/// A line as journald gets it.
#[must_use]
pub fn journal(source: &Source, line: &[u8]) -> Vec<u8> {
    journal::message(source, line)
}

thread_local! {
    static SINKS: [TerminalSink; 2] = [false, true].map(|colour| {
        let nowhere = || File::options().write(true).open("/dev/null").unwrap().into();
        let terminal = Terminal { out: nowhere(), err: nowhere(), colour };
        TerminalSink::start(terminal, Default::default()).unwrap()
    });
}

/// A line as `rota run` shows it.
#[must_use]
pub fn shown(show: ShowAs, colour: bool, source: &Source, time: u64, line: &[u8]) -> Vec<u8> {
    let piece = Piece {
        bytes: line,
        end: LineEnd::Newline,
    };
    let mut into = Vec::new();
    SINKS.with(|sinks| {
        let sink = &sinks[usize::from(colour)];
        sink.introduce(source);
        sink.format(source, show, time, piece, &mut into);
    });
    into
}
