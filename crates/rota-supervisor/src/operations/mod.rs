//! What callers have asked for: what is under way, who waits for it, and what has come of it.
//!
//! An operation may have a name that its caller has chosen ([`rota_api::OperationToken`]). A caller whose connection
//! broke, because the supervisor died, asks again by that name: an operation that is under way gets it as its
//! listener, one that has ended is remembered for a while and answers at once.
//!
//! All of it but the listeners can be saved and restored by the next supervisor.

mod finished;
mod saved;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use saved::{SavedOperations, read};
pub use table::{Answered, Caller, Found, Operations, Outcome};
