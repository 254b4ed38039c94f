//! The engine's state outside of its process, and how an engine continues from it.
//!
//! Each app is saved by itself, and what all apps share beside them: an app whose state cannot be
//! read, or contradicts itself, costs no other app anything. It is built anew from what is known
//! of its workers ([`Engine::adopt`](crate::Engine::adopt)).

mod adopt;
mod check;
mod form;
mod outstanding;
mod restore;

pub use adopt::{AppFacts, SlotFacts, WorkerFacts};
pub use form::{RestoredApp, SavedApp, SavedShared};
pub(crate) use form::{by_id, is_default};
