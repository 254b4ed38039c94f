//! What a field of an ecosystem file is.

use serde_json::Value as Json;

use super::draft::Draft;
use super::kind::{Kind, Wrong};

/// A field of an app in an ecosystem file.
pub(super) struct Field {
    /// Its name; the same in camelCase is accepted.
    pub(super) name: &'static str,
    /// Other names that PM2 has for it.
    pub(super) also: &'static [&'static str],
    pub(super) kind: Kind,
    /// What it is here: a key of rota.toml in backquotes, or words. Of a field without a meaning: why it has none.
    pub(super) here: &'static str,
    pub(super) set: Set,
}

/// What becomes of a value.
#[derive(Clone, Copy)]
pub(super) enum Set {
    To(fn(&mut Draft<'_>, &Json) -> Result<(), Wrong>),
    /// It has no meaning here.
    Nothing,
    /// It has none, and saying so would only be noise where the value is this one, which is how things are here anyway.
    NothingUnless(bool),
}

impl Field {
    /// All names of it, its own first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.also.iter().copied())
    }
}

/// `maxMemoryRestart` as `max_memory_restart`.
pub(super) fn snake(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
