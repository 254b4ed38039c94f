//! The primary of one app: its listeners, its workers, and who gets the next connection.
//!
//! No IO: [`Primary`] is told what happened (a line from a worker, a connection accepted, a channel
//! closed, time passed) and calls a [`Host`] for what is to be done. A connection is an opaque value
//! that the primary keeps until a worker has acknowledged it; dropping it closes our copy.

mod before;
mod core;
mod deal;
mod follow;
mod handover;
mod hash;
mod leave;
mod listen;
mod listener;
mod member;
mod open;
mod receive;
mod rescue;
mod restore;
mod saved;
mod types;
mod views;

pub use core::{Primary, Tuning};
pub use saved::{RestoreError, Saved};
pub use types::{
    Bind, Delivery, Errno, Host, ListenerId, LostBefore, Millis, Notice, Role, Slot, SockName,
    SocketId, Stranger, Violation, WorkerId, errno,
};
pub use views::{ListenerView, WorkerView};
