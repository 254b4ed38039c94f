//! Environment variables, kept out of every debug print.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The environment of an app. Values may be secrets, so `Debug` shows only how many there are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// An empty environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets `key`, replacing what was there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Adds everything of `other`; on equal keys `other` wins.
    pub fn extend(&mut self, other: &Env) {
        for (key, value) in other.iter() {
            self.set(key, value);
        }
    }

    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables, hidden)", self.0.len())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_names_and_values() {
        let env: Env = [("TOKEN", "s3cret")].into_iter().collect();
        assert_eq!(format!("{env:?}"), "Env(1 variables, hidden)");
    }

    #[test]
    fn extend_lets_the_other_side_win() {
        let mut env: Env = [("A", "1"), ("B", "2")].into_iter().collect();
        env.extend(&[("B", "3"), ("C", "4")].into_iter().collect());
        assert_eq!(
            env.iter().collect::<Vec<_>>(),
            [("A", "1"), ("B", "3"), ("C", "4")]
        );
    }
}
