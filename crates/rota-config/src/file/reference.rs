//! The table of keys as people read it: in docs/config.md, and in the terminal.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::key::{Key, Part};
use super::keys::KEYS;
use super::settings::scratch;

/// The reference in Markdown: a table for each part.
pub fn reference() -> String {
    let mut text = String::new();
    for part in Part::ALL {
        // Writing into a text does not fail.
        let _ok = writeln!(
            text,
            "### {}\n\n| key | value | meaning | unless given | example |\n| --- | --- | --- | --- | --- |",
            part.title()
        );
        for key in KEYS.iter().filter(|key| key.part == part) {
            let _ok = writeln!(
                text,
                "| `{}` | {} | {} | {} | `{}` |",
                key.name,
                key.kind.words(),
                key.doc,
                unless(key),
                key.example
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What holds if nothing is said.
fn unless(key: &Key) -> String {
    if !key.unless.is_empty() {
        return key.unless.to_owned();
    }
    match key.value(&scratch("/".as_ref())) {
        Json::Null => String::new(),
        Json::String(text) if text.is_empty() => String::new(),
        Json::Array(list) if list.is_empty() => String::new(),
        value => format!("`{}`", toml(&value)),
    }
}

/// A value as it would stand in the file.
pub fn toml(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(entries) => {
            let pairs: Vec<String> = entries
                .iter()
                .map(|(name, value)| format!("{} = {}", bare_or_quoted(name), toml(value)))
                .collect();
            match pairs.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", pairs.join(", ")),
            }
        }
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A name as a key of TOML.
pub fn bare_or_quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ok = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
