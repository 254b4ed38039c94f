//! The keeper: parent of every process and holder of every descriptor that must outlive the supervisor.

pub mod client;
mod link;
pub mod protocol;
