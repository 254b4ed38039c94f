//! rota.toml: the configuration file.
//!
//! [`KEYS`] is the one table of what may be written about an app; everything else here reads it.

mod apps;
mod changes;
mod document;
pub(crate) mod dotenv;
mod export;
mod fields;
mod graph;
mod key;
mod keys;
mod kind;
mod meaning;
mod node;
mod origins;
mod problem;
mod reference;
mod render;
mod schema;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod translation;

pub(crate) use apps::usual;
pub use apps::{FileApp, Outside, USUAL};
pub use changes::{Change, Changes, changes};
pub use document::ConfigFile;
pub use export::{Export, Form, export, is_usual, written};
pub(crate) use fields::plain;
pub use graph::waves;
pub use key::{Key, Part, Takes};
pub use keys::{KEYS, key};
pub use kind::Kind;
pub use origins::{EnvOrigin, Origins, differences};
pub use problem::{Problem, closest, line_and_column};
pub use reference::{bare_or_quoted, reference, toml};
pub use render::{Style, render};
pub use schema::schema;
pub use template::{Found, template};
pub use translation::{Translated, translation};
