//! What apps that were written for PM2 expect.

use serde::{Deserialize, Serialize};

/// What apps that were written for PM2 expect of their manager.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompatSpec {
    /// Workers get the variables that PM2 sets (`pm_id`, `name`, `exec_mode`, `PM2_HOME` and others).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pm2: bool,
    /// The variable that tells a worker its number, instead of `NODE_APP_INSTANCE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_var: Option<String>,
    /// A variable with a number, to which each worker's number is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increment_var: Option<String>,
}

impl CompatSpec {
    /// True if nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
