//! The supervisor: performs the engine's effects through the keeper, deals connections, serves the API.

pub mod dispatch;
pub mod notify;
pub mod output;
pub mod probe;
