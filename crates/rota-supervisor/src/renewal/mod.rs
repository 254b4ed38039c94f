//! Apps that are started anew although nothing is wrong with them: their files changed, or a clock says so.
//!
//! Both are kept for as long as the app is meant to run, and begin anew with the next supervisor. The engine gets an
//! ordinary reload or restart, for which nobody waits.

mod clock;
mod files;
mod keep;
mod times;

pub(crate) use keep::is_awaited;
pub use keep::{Renewals, Renewed};
