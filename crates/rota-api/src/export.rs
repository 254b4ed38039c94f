//! Apps as they are, to be written down.

use serde::{Deserialize, Serialize};

/// The specifications of apps as they run (`POST /v1/export`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// Names or ids, or `all`.
    pub targets: Vec<String>,
    /// Also the values that look like secrets.
    #[serde(default)]
    pub reveal: bool,
}

/// The answer to an [`ExportRequest`]. `S` is an app's specification, `O` says where its settings come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportResponse<S, O> {
    /// The apps, in the order in which they were first started.
    pub apps: Vec<ExportView<S, O>>,
}

/// An app as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportView<S, O> {
    /// What holds for it, with what `scale` has said.
    pub spec: S,
    /// Where its settings come from, if it is known.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub origins: Option<O>,
    /// Variables that are kept back, because they look like secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Settings in which words that look like secrets are replaced by `***`, by the keys of rota.toml.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
}

/// serde's plain `default` would ask `O` to have one.
fn none<O>() -> Option<O> {
    None
}
