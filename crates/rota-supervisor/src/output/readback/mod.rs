//! What lies in log files, read by a thread of its own: back over files that were put aside, compressed ones too, in the
//! order of time, and with no more in memory than a few lines of each file.

mod chain;
mod piece;
mod snapshot;
#[cfg(test)]
mod tests;

use std::io;
use std::thread;

use regex_lite::Regex;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Stream;
use chain::ChainLines;
pub(super) use snapshot::Snapshot;
pub use snapshot::{Custom, Logs};

/// How many lines are handed over at a time, and how many bytes.
const TOGETHER: (usize, usize) = (64, 64 * 1024);
/// How often that may wait to be taken.
const WAITING: usize = 2;
/// Decompression begins with large tables.
const STACK: usize = 1024 * 1024;

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of each log the last so many; `None` = all.
    pub lines: Option<u64>,
    /// Not before this moment, in milliseconds since the Unix epoch.
    pub since: Option<u64>,
    /// Not after this one.
    pub until: Option<u64>,
    /// Only such as match.
    pub grep: Option<Regex>,
}

/// A line that was read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLine {
    /// The app's name.
    pub app: Arc<str>,
    /// The worker's place; `None` if several share the file, and it does not say.
    pub slot: Option<u32>,
    /// Which output; `None` if both are in the file, and it does not say.
    pub stream: Option<Stream>,
    /// Milliseconds since the Unix epoch, if known.
    pub time: Option<u64>,
    /// The incarnation, if known.
    pub worker: Option<u64>,
    /// Its rollout, if known.
    pub generation: Option<u32>,
    /// The text; what is no UTF-8 is replaced.
    pub text: String,
}

/// Lines as they are read, some at a time. Dropping it ends the reading.
#[derive(Debug)]
pub struct Past {
    lines: Receiver<Vec<PastLine>>,
}

impl Past {
    /// The next lines, oldest first; `None` at the end.
    pub async fn next(&mut self) -> Option<Vec<PastLine>> {
        self.lines.recv().await
    }
}

/// Starts the thread.
pub(super) fn start(snapshot: Snapshot, wanted: Wanted) -> io::Result<Past> {
    let (sender, lines) = channel(WAITING);
    thread::Builder::new()
        .name("log-reader".into())
        .stack_size(STACK)
        .spawn(move || {
            let mut bundle = Bundle::new(sender);
            read(snapshot, &wanted, &mut |line| bundle.add(line));
            bundle.send();
        })?;
    Ok(Past { lines })
}

/// A line of JSON that we have written.
#[cfg(fuzzing)]
pub(super) fn object(line: &[u8]) -> Option<PastLine> {
    chain::Object::parse(line)
}

/// Gives out the lines of all logs in the order of time; lines without time come where they are in their file. It ends
/// when `give` says no.
fn read(snapshot: Snapshot, wanted: &Wanted, give: &mut dyn FnMut(PastLine) -> bool) {
    let mut chains: Vec<(ChainLines<'_>, PastLine, u64)> = Vec::new();
    for chain in snapshot.chains {
        let mut lines = ChainLines::new(chain, wanted);
        if let Some(first) = lines.next() {
            let time = first.time.unwrap_or(0);
            chains.push((lines, first, time));
        }
    }
    while let Some(earliest) = (0..chains.len()).min_by_key(|&index| chains[index].2) {
        let (lines, line, time) = &mut chains[earliest];
        let next = lines.next();
        let given = match next {
            Some(next) => {
                *time = next.time.map_or(*time, |next| next.max(*time));
                give(std::mem::replace(line, next))
            }
            None => give(chains.remove(earliest).1),
        };
        if !given {
            return;
        }
    }
}

/// Lines on their way.
struct Bundle {
    sender: Sender<Vec<PastLine>>,
    lines: Vec<PastLine>,
    bytes: usize,
}

impl Bundle {
    fn new(sender: Sender<Vec<PastLine>>) -> Self {
        Self {
            sender,
            lines: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, line: PastLine) -> bool {
        self.bytes += line.text.len();
        self.lines.push(line);
        let full = self.lines.len() >= TOGETHER.0 || self.bytes >= TOGETHER.1;
        !full || self.send()
    }

    /// False when nobody takes them any more.
    fn send(&mut self) -> bool {
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        lines.is_empty() || self.sender.blocking_send(lines).is_ok()
    }
}
