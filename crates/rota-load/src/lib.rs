//! HTTP/1.1 load in plain text: four kinds of clients, every failure counted and recorded.
//!
//! `rota test-reload`, the benchmark and the integration tests use the same client. A claim that "no request is
//! lost" is only as good as the client that looks, so every outcome of a request that is not a complete answer is
//! counted by kind and kept with its circumstances.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use rota_load::Load;
//!
//! let address: std::net::SocketAddr = ([127, 0, 0, 1], 3000).into();
//! let running = Load::new(address)
//!     .keep_alive(20)
//!     .one_shot(20)
//!     .idle(20, 50..500)
//!     .slow(5, "/slow")
//!     .start()?;
//! running.mark(true);
//! // ... reload the server here: what happens now is told apart in the report ...
//! running.mark(false);
//! let report = running.stop().await;
//! assert_eq!(report.failed(), 0, "{report}");
//! # Ok(()) }
//! ```
//!
//! What counts as what:
//!
//! - A request is answered when its whole answer has come with a good status ([`Load::good_status`]); everything else
//!   is a failure of one [`FailureKind`].
//! - A server may close a connection on which no request is under way. That is counted
//!   ([`KindReport::closed_idle`]) and no failure, as a real client connects anew.
//! - A request that was written before the client could know that the connection is closed has failed: a real client
//!   cannot tell whether it was carried out.
//! - `Connection: close` on an answer is the polite way to end a connection ([`KindReport::closed_politely`]).
//!
//! The clients run on a thread of their own with a single-threaded runtime: they cost little processor
//! time, and a test needs no runtime to use them ([`Running::stop_blocking`]).

mod builder;
mod client;
mod connection;
mod histogram;
mod http;
mod report;
mod running;
mod shared;
#[cfg(test)]
mod tests;

pub use builder::{Load, Target, WorkerFrom};
pub use histogram::{Histogram, Latency};
pub use report::{
    ClientKind, Failure, FailureKind, KindReport, Part, Phase, Report, Share, WorkerCount,
};
pub use running::Running;
