//! An app that is being read: its specification, and what decides about it at the end.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::{AppName, AppSpec, Env, SignalName};

/// An app that is being read.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) spec: AppSpec,
    /// What relative paths are meant from.
    pub(super) folder: &'a Path,
    pub(super) home: Option<&'a str>,
    pub(super) name: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) append_env: bool,
    /// `instances` was given.
    pub(super) counted: bool,
    /// `exec_mode`: cluster.
    pub(super) cluster: Option<bool>,
    pub(super) filter: Filter,
    pub(super) port: Option<String>,
    pub(super) variables: Vec<(String, Option<String>)>,
    pub(super) time: bool,
    pub(super) source_maps: bool,
    pub(super) ignore: Option<Vec<String>>,
    /// Fields that say something which has no meaning here.
    pub(super) meaningless: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What of the caller's environment is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    Nothing,
    /// All but what programs need to run at all.
    All,
    /// The variable of this name.
    Name(String),
    /// Those that have one of these in their names.
    Parts(Vec<String>),
}

impl<'a> Draft<'a> {
    pub(super) fn new(folder: &'a Path, home: Option<&'a str>) -> Self {
        let mut spec = AppSpec::new(AppName::placeholder(), "", folder);
        spec.stop.signal = SignalName::int();
        spec.compat.pm2 = true;
        Self {
            spec,
            folder,
            home,
            name: None,
            prefix: None,
            append_env: false,
            counted: false,
            cluster: None,
            filter: Filter::Nothing,
            port: None,
            variables: Vec::new(),
            time: false,
            source_maps: false,
            ignore: None,
            meaningless: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A path as PM2 takes it: `~` is the home.
    pub(super) fn path(&self, base: &Path, text: &str) -> PathBuf {
        let path = match (text.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                Path::new(home).join(rest.trim_start_matches('/'))
            }
            _ => base.join(text),
        };
        super::super::shared::plain(&path)
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Variables of a table; those that are null are taken away.
    pub(super) fn add_variables(&mut self, table: &serde_json::Map<String, Json>) {
        for (name, value) in table {
            let value = match value {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                // PM2 makes `[object Object]` of them.
                other => Some(other.to_string()),
            };
            self.variables.push((name.clone(), value));
        }
    }

    /// What the filter leaves.
    pub(super) fn filtered(&self, env: &Env) -> Env {
        let stays = |name: &str| match &self.filter {
            Filter::Nothing => true,
            Filter::All => crate::file::usual(name),
            Filter::Name(filtered) => name != filtered,
            Filter::Parts(parts) => !parts.iter().any(|part| name.contains(part.as_str())),
        };
        env.iter().filter(|(name, _)| stays(name)).collect()
    }
}
