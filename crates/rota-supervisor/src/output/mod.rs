//! What workers print: read from their pipes, written to files, followed live, remembered for crash reports.
//!
//! All of it happens on the supervisor's thread except the writing: files and the terminal have a
//! thread each behind a bounded queue. A full queue stops the reading of pipes, so that a flood
//! costs the program that makes it time, and costs us no memory.
//!
//! ```ignore
//! let hub = LogHub::start(LogOptions {
//!     dir: home.logs(),
//!     terminal: None, // foreground: Some(Terminal::stdio()?)
//!     journald: JOURNALD.into(),
//!     on_trouble: Box::new(|trouble| { /* on the writer's thread */ }),
//! })?;
//! let (ours, theirs) = worker_pipe()?; // or any pipe; `attach` makes it non-blocking
//! let source = Source { app: "api".into(), slot: 0, worker: 1, generation: 1, stream: Stream::Err };
//! let reader: Reader = hub.attach(source, &spec.logs, &spec.cwd, ours)?; // needs a LocalSet
//! reader.finish().await; // the process is gone: takes what is left in the pipe, then closes it
//! hub.tail(1); // Vec<String>, the last stderr lines; then
//! hub.forget(1);
//!
//! // `rota logs -f`: both calls in one turn, without an await between them, leave no gap and no overlap.
//! let mut live = hub.subscribe(filter);
//! let past = hub.read_back(logs, wanted); // a future of `Past`, whose `next()` gives lines
//! match live.next().await { Some(Followed::Line(line)) => {} Some(Followed::Lost(lines)) => {} None => {} }
//! ```
//!
//! # No line is lost when this process is killed
//!
//! What is read of a pipe stays in it until the writer is done with it (`consume`), incomplete lines included. A write
//! that was cut off by a kill is mended by the next supervisor (`underway`). So a line is in the file once; the lines of
//! the one read that was being written when the process was killed may be there twice.
//!
//! # Threads
//!
//! `log-writer` appends and puts files aside, `log-keeper` compresses and removes them, `log-reader` exists while
//! somebody reads back.

mod aside;
mod batch;
mod consume;
mod files;
mod folder;
mod follow;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hub;
mod inspector;
mod journal;
mod line;
mod log_file;
mod names;
mod own;
mod queue;
mod readback;
mod reader;
mod route;
mod split;
mod tail;
mod tend;
mod terminal;
mod times;
mod underway;
mod writer;

#[cfg(test)]
mod tests;

pub use files::LogTrouble;
pub use follow::{Filter, Followed, LogTarget, Subscription};
pub use hub::{LogHub, LogOptions, LogStats};
pub(crate) use inspector::{InspectorWatch, Opened};
pub use journal::SOCKET as JOURNALD;
pub use line::{LineEnd, LogLine, Source, Stream};
pub use readback::{Custom, Logs, Past, PastLine, Wanted};
pub use reader::{Reader, worker_pipe};
pub use route::custom_files;
pub(crate) use route::{SLOT, log_paths, log_places};
pub use split::MAX_LINE;
pub use terminal::Terminal;
pub use writer::{Emptied, tell};
