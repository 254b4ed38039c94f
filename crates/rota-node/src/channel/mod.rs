//! The IPC channel between Node processes: a stream socket that carries one JSON value per line.
//!
//! [`Decoder`] finds the lines and the descriptors that belong to them, [`parse`] says what a line
//! means, and [`outgoing`] writes the lines of a primary.

mod decoder;
mod message;
pub mod outgoing;
mod query;

pub use decoder::{DEFAULT_MAX_LINE, Decoder, Frame, MAX_UNCLAIMED_HANDLES, Portion};
pub use message::{ClusterMessage, Incoming, Inner, ParseError, parse};
pub use query::{AddressType, Query};
