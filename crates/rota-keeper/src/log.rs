//! The keeper's few words.

use std::fmt;
use std::io::{self, Write as _};

/// Writes one line to stderr. A stderr that cannot be written to is no reason to fail.
pub(crate) fn log(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("rota keeper: {text}\n").as_bytes());
}

/// Writes one line to stderr for another program to read.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
