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
//!     on_trouble: Box::new(|trouble| { /* on the writer's thread: LogTrouble::{Failing, Recovered} */ }),
//! })?;
//! let (ours, theirs) = worker_pipe()?; // or any pipe; `attach` makes it non-blocking
//! let source = Source { app: "api".into(), slot: 0, worker: 1, generation: 1, stream: Stream::Err };
//! let reader: Reader = hub.attach(source, ours)?; // needs a LocalSet
//! reader.finish().await; // the process is gone: takes what is left in the pipe, then closes it
//! hub.tail(1); // Vec<String>, the last stderr lines; then
//! hub.forget(1);
//!
//! // `rota logs -f`: both calls in one turn, without an await between them, leave no gap and no overlap.
//! let mut live = hub.subscribe(Filter { targets: vec![LogTarget { app: "api".into(), slots: None }], stream: None });
//! let past = hub.read_back(filter, 15).await; // Vec<FileTail { app, slot, stream, path, lines }>
//! match live.next().await { Some(Followed::Line(line)) => {} /* Arc<LogLine> */ Some(Followed::Lost(lines)) => {} None => {} /* hub closed */ }
//!
//! hub.reopen(); // SIGUSR1
//! hub.remove_app("api"); // closes its files, keeps them
//! hub.say("…"); // our own messages: never fails, never blocks, unlike eprintln!; `tell` elsewhere
//! hub.stats(); // LogStats { lost_lines, lost_bytes, failing_files, terminal_lost_lines }
//! hub.close().await; // flush and end the threads, in bounded time
//! ```

mod files;
mod follow;
mod hub;
mod inspector;
mod line;
mod names;
mod queue;
mod readback;
mod reader;
mod split;
mod tail;
mod terminal;
mod writer;

#[cfg(test)]
mod tests;

pub use files::LogTrouble;
pub use follow::{Filter, Followed, LogTarget, Subscription};
pub use hub::{LogHub, LogOptions, LogStats};
pub(crate) use inspector::{InspectorWatch, Opened};
pub use line::{LineEnd, LogLine, Source, Stream};
pub(crate) use names::log_paths;
pub use readback::FileTail;
pub use reader::{Reader, worker_pipe};
pub use split::MAX_LINE;
pub use terminal::Terminal;
pub use writer::tell;
