//! The environment of an app.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The environment that the workers of an app are started with (`POST /v1/env`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvRequest {
    /// A name, an id or `name:slot`.
    pub target: String,
    /// Also the values that look like secrets.
    #[serde(default)]
    pub reveal: bool,
}

/// The answer to an [`EnvRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvResponse {
    /// The app.
    pub app: String,
    /// The slot whose worker has it.
    pub slot: u32,
    /// By name.
    pub variables: Vec<EnvVariable>,
}

/// A variable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVariable {
    /// Its name.
    pub name: String,
    /// Its value; `None`: it looks like a secret and was not asked for.
    pub value: Option<String>,
    /// How many characters the value has.
    pub length: u64,
}

impl fmt::Debug for EnvVariable {
    /// The value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=({} characters)", self.name, self.length)
    }
}
