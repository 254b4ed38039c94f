//! From a script as the user wrote it to what is really executed.
//!
//! [`resolve`] decides; [`files`] is the only part that looks at the file system; [`kinds`] knows
//! extensions and interpreters.

mod error;
mod files;
mod kinds;
mod launch;

pub use error::{ResolveError, ResolveErrorKind};
pub(crate) use files::is_plain_text;
pub use kinds::Kind;
pub(crate) use kinds::may_be_node;
pub use launch::{Launch, resolve};

#[cfg(test)]
mod tests;
