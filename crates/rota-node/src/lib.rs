//! Node.js' cluster protocol as a primary speaks it, without IO.
//!
//! - [`channel`] is the codec of the IPC channel: lines of JSON, some with a descriptor.
//! - [`primary`] is the state of one primary: its listeners, its workers, and who gets the next
//!   connection. It is told what happened and calls back into a [`Host`], which does the IO.
//! - [`agent`] is the JavaScript that is preloaded into workers, and its messages.
//! - [`inspector`] is the client's side of Node's inspector.
//!
//! The protocol is internal to Node but has been the same from Node 18 to 24 and is spoken here as
//! those versions speak it.

pub mod agent;
mod balance;
pub mod channel;
pub mod inspector;
pub mod primary;
mod text;

pub use balance::{Balance, ParseBalanceError};
pub use primary::{Host, Primary};
pub use text::shortened;
