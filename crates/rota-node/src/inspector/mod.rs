//! Node's inspector as a client speaks to it, without IO.
//!
//! - [`Address`] is where it listens, as Node says it on standard error; [`Notices`] takes what Node says
//!   about its inspector out of a worker's output.
//! - [`websocket`] is the little of RFC 6455 that is needed.
//! - [`protocol`] is the little of the Chrome DevTools protocol that is needed.
//! - [`stack`] turns call frames into lines for people.
//!
//! Everything that comes in is the worker's word: it is bounded, and nothing is believed.

mod address;
mod notices;
pub mod protocol;
pub mod stack;
pub mod websocket;

pub use address::Address;
pub use notices::{Notice, Notices};
