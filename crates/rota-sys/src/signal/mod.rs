//! Signals: their names, and receiving them through a descriptor instead of a handler.

mod name;
mod receive;

pub use name::{BadSignal, Signal};
pub use receive::{ReceivedSignal, Signals, ignore_sigpipe};
