//! What would have to happen so that apps run as they are described.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Compare descriptions with what runs (`POST /v1/plan`); nothing is changed. `S` is the app's specification, `O` says
/// where its settings come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest<S, O> {
    /// The apps as they are to be.
    pub apps: Vec<S>,
    /// Where their settings come from, by the app's name.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, O>,
    /// Names of apps that are not to be started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<String>,
    /// The file that describes them, absolute.
    pub file: String,
}

/// The answer to a [`PlanRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanResponse {
    /// What becomes of each app that is described, in the order of the request.
    pub apps: Vec<PlanEntry>,
    /// Apps that are not described.
    pub others: Vec<PlanOther>,
}

/// What has to happen to one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The app.
    pub app: String,
    /// What has to be done.
    pub action: PlanAction,
    /// Settings that are different.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<PlanChange>,
    /// Variables that are different. Never with values.
    #[serde(default, skip_serializing_if = "PlanEnv::is_empty")]
    pub env: PlanEnv,
    /// The number of workers has to be another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<PlanScale>,
    /// Some of its workers are stopped or given up: they are started as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub start: bool,
    /// It runs by another description so far, or by none: from now on it belongs to this file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moves: bool,
}

/// What has to be done to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// There is no such app yet.
    Add,
    /// It is not there yet, and is not to be started with the others.
    List,
    /// It is stopped, or a part of it is.
    Start,
    /// New workers, one by one.
    Reload,
    /// Other settings, for the same workers.
    Define,
    /// More workers, or fewer.
    Scale,
    /// It has to be deleted and started anew: a new address of `listen` cannot be opened beside an old one.
    Recreate,
    /// It is taken away.
    Remove,
    /// Nothing.
    Nothing,
    /// Something that this program does not know.
    #[serde(other)]
    Unknown,
}

/// A setting that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    /// Its key in rota.toml.
    pub key: String,
    /// What it is; null: not set.
    pub old: Value,
    /// What it is to be; null: not set.
    pub new: Value,
}

/// Names of variables that are different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanEnv {
    /// New ones.
    pub added: Vec<String>,
    /// Those with another value.
    pub changed: Vec<String>,
    /// Those that go.
    pub removed: Vec<String>,
}

/// Another number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanScale {
    /// How many there are.
    pub from: u32,
    /// How many there are to be.
    pub to: u32,
}

/// An app that is not described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanOther {
    /// Its name.
    pub app: String,
    /// It was started from the file.
    pub from_file: bool,
}

impl PlanEnv {
    /// True if there are none.
    pub const fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }
}

impl PlanEntry {
    /// An entry that says nothing but what is to be done.
    pub fn new(app: impl Into<String>, action: PlanAction) -> Self {
        Self {
            app: app.into(),
            action,
            settings: Vec::new(),
            env: PlanEnv::default(),
            scale: None,
            start: false,
            moves: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_not_written() {
        let entry = PlanEntry::new("web", PlanAction::Nothing);
        let json = r#"{"app":"web","action":"nothing"}"#;
        assert_eq!(serde_json::to_string(&entry).unwrap(), json);
        assert_eq!(serde_json::from_str::<PlanEntry>(json).unwrap(), entry);
        let newer = r#"{"app":"web","action":"paint"}"#;
        let read: PlanEntry = serde_json::from_str(newer).unwrap();
        assert_eq!(read.action, PlanAction::Unknown);
    }
}
