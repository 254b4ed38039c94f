//! Connections outlive the supervisor.
//!
//! Between `accept4` and a worker's acknowledgement a connection is open nowhere but in the supervisor: if that
//! is killed, the client sees a reset. So a second process, the shadow, shares the supervisor's table of open
//! files and does nothing but wait for its death. Then it passes the connections on to the next supervisor,
//! through a line whose other end the keeper keeps, and exits.
//!
//! ```text
//!   supervisor ──────── ledger (shared memory) ───────▶ shadow
//!       └──────────── table of open files ───────────────┘ │ line: one packet per 100 connections
//!                                                          ▼
//!   next supervisor ◀── the keeper's entry: the line's other end
//! ```
//!
//! - `ledger`: which descriptors are such connections, and how far each has come. Written with plain stores.
//! - `guarded`: a connection together with its place in the ledger; what the dispatcher works with.
//! - `process`: the shadow itself. `packet`: what it sends. `rescue`: the next supervisor's side.
//!
//! Wherever the kill falls, a connection is in the ledger, or it can be found without it:
//! - *in `accept4`*, or between it and the first store: the ledger says which socket is being accepted from. The
//!   shadow looks for a connection of that address that has no entry. There is at most one.
//! - *in `sendmsg`*, or around it: the entry says `Sending`; whether the worker has it, only the worker can say.
//! - *in `close`*: the entry has been cleared before: the connection is somebody else's by then, or to be closed.
//! - *in the rescue itself*: a packet is peeked at, entered in the ledger, and only then consumed. A second
//!   rescue may find a connection both in the old line and in the new one, and takes it once.

mod connection;
mod guarded;
mod ledger;
mod packet;
mod process;
mod rescue;

pub use guarded::{Accepting, Guarded};
pub use ledger::{CAPACITY, Entry, Ledger};
pub use process::Shadow;
pub use rescue::{Rescue, Rescued, line, rescue};

#[cfg(test)]
mod tests;
