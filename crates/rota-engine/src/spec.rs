//! A generation with its settings, as apps, slots and workers carry it about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Generation, Policy};

/// Saved as its key only: [`SavedApp`](crate::SavedApp) has the settings once for all who share
/// them. One that has just been read has default settings until these are filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) generation: Generation,
    /// Tells settings of the same generation apart: a start of a known generation may bring
    /// another number of instances.
    pub(crate) edition: u32,
    pub(crate) policy: Arc<Policy>,
}

/// What settings are found by in a saved app: `3`, or `3.1` for a further edition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SpecKey {
    generation: Generation,
    edition: u32,
}

impl Spec {
    pub(crate) fn new(policy: Policy, generation: Generation) -> Self {
        Self {
            generation,
            edition: 0,
            policy: Arc::new(policy),
        }
    }

    pub(crate) fn key(&self) -> SpecKey {
        SpecKey {
            generation: self.generation,
            edition: self.edition,
        }
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.key().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = SpecKey::deserialize(deserializer)?;
        Ok(Self {
            edition: key.edition,
            ..Self::new(Policy::default(), key.generation)
        })
    }
}

impl fmt::Display for SpecKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.edition {
            0 => write!(f, "{}", self.generation),
            edition => write!(f, "{}.{edition}", self.generation),
        }
    }
}

impl FromStr for SpecKey {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (generation, edition) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self {
            generation: generation.parse()?,
            edition: edition.parse()?,
        })
    }
}

impl Serialize for SpecKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SpecKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
