//! Names of apps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The name of an app: 1 to 64 characters, no slash, colon, comma or control character, not
/// `all`, not a number (numbers are ids), no dash or point in front, no space at the ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct AppName(String);

/// Why a text cannot be the name of an app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of an app: {why}")]
pub struct NameError {
    name: String,
    why: &'static str,
}

/// In characters. The name becomes part of file names, which have 255 bytes.
const MAX_CHARS: usize = 64;
/// In bytes, for names of wide characters.
const MAX_BYTES: usize = 200;

impl AppName {
    /// Checks a name.
    ///
    /// # Errors
    /// If it breaks one of the rules in the type's description.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        match objection(&name) {
            None => Ok(Self(name)),
            Some(why) => Err(NameError {
                name: name.escape_debug().to_string(),
                why,
            }),
        }
    }

    /// `app`, for what has no name of its own.
    pub fn placeholder() -> Self {
        Self("app".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn objection(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.chars().count() > MAX_CHARS || name.len() > MAX_BYTES {
        return Some("it is longer than 64 characters");
    }
    if name.chars().any(char::is_control) {
        return Some("it has a control character in it");
    }
    if name.contains(['/', '\\']) {
        return Some("it has a slash in it (it becomes part of file names)");
    }
    if name.contains([':', ',']) {
        return Some("it has a colon or comma in it (targets use them)");
    }
    if name.starts_with(['.', '-', '+']) {
        return Some("it begins with a point, a dash or a plus");
    }
    if name.trim() != name {
        return Some("it begins or ends with a space");
    }
    if name.eq_ignore_ascii_case("all") {
        return Some("`all` means every app");
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return Some("numbers are ids of workers");
    }
    None
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for AppName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for AppName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["api", "my-app_2", "a b", "@scope", "café", "2nd", "x.y"] {
            assert!(AppName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_would_confuse_are_refused() {
        let long = "x".repeat(65);
        for name in [
            "", "all", "ALL", "12", "a/b", "..", "-x", "+x", "a\nb", "a\u{1b}b", " a", "a ", "a:0",
            "a,b", &long,
        ] {
            assert!(AppName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_error_shows_no_raw_control_character() {
        let text = AppName::new("a\u{1b}[31m").unwrap_err().to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
