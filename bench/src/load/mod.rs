//! HTTP/1.1 load on loopback: four kinds of clients, every failure counted and recorded.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use rota_bench::load::Load;
//!
//! let address: std::net::SocketAddr = ([127, 0, 0, 1], 3000).into();
//! let running = Load::new(address)
//!     .keep_alive(20)
//!     .one_shot(20)
//!     .idle(20, 50..500)
//!     .slow(5, "/slow")
//!     .start()?;
//! // ... reload the server here ...
//! let report = running.stop().await;
//! assert_eq!(report.failed(), 0, "{report}");
//! # Ok(()) }
//! ```
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
pub use report::{ClientKind, Failure, FailureKind, KindReport, Phase, Report, Share, WorkerCount};
pub use running::Running;
