//! The keeper: parent of every process and holder of every descriptor that must outlive the supervisor.
//!
//! It does five things: spawn what it is told, reap and report, signal what it is told, keep entries (a key, a
//! blob, descriptors), and restart the supervisor with everything handed back. It has no policy, no async
//! runtime, and does not look into what it keeps. One thread, small enough to be read in one sitting:
//!
//! - [`protocol`]: the messages, and how they travel; begin there
//! - `keeper`: the loop; `requests`, `transaction`: what it does for the supervisor
//! - `children`, `deaths`, `orphans`, `tag`: processes and what they leave behind
//! - `store`: the entries; `outbox`: what waits to be sent; `supervisor`, `backoff`: its process
//! - [`client`]: the supervisor's end

mod backoff;
mod children;
pub mod client;
mod deaths;
mod keeper;
mod link;
mod log;
mod options;
mod orphans;
mod outbox;
pub mod protocol;
mod requests;
mod run;
mod store;
mod supervisor;
mod tag;
mod transaction;

pub use options::{API_KEY, BOOT_KEY, KeeperOptions, SUPERVISOR_FD};
pub use run::run;

use log::log;
