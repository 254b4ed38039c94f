//! Where the settings of an app come from, kept with the app.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::changes::changes;
use crate::{AppSpec, Env, SpecUpdate};

/// Where the settings of an app come from. Without values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origins {
    /// The configuration file, absolute; empty: there is none.
    pub file: PathBuf,
    /// The profile that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The line of each key that the file sets; 0: it is not known.
    pub keys: BTreeMap<String, u32>,
    /// What the file calls a key, where it is a file of another program.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Where each variable comes from.
    pub env: BTreeMap<String, EnvOrigin>,
}

/// Where a variable comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvOrigin {
    /// The file that sets it, or names it to be taken; `None`: it was taken without being named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The value is that of the shell that started the app.
    pub shell: bool,
}

impl Origins {
    /// Of an app without a file: these variables are those of the shell that started it.
    pub fn of_shell<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let shell = EnvOrigin {
            shell: true,
            ..EnvOrigin::default()
        };
        let env = names
            .into_iter()
            .map(|name| (name.to_owned(), shell.clone()));
        Self {
            env: env.collect(),
            ..Self::default()
        }
    }

    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        Some(self.file.as_path()).filter(|file| !file.as_os_str().is_empty())
    }

    /// The same, after a change of the app from elsewhere.
    #[must_use]
    pub fn after(&self, update: &SpecUpdate) -> Self {
        let mut origins = self.clone();
        let shell = update.caller_env.iter().flat_map(Env::iter);
        let shell = Self::of_shell(shell.map(|(name, _)| name));
        origins.env.extend(shell.env);
        for (name, _) in update.set_env.iter() {
            origins.env.remove(name);
        }
        if update.interpreter.is_some() {
            origins.keys.remove("interpreter");
        }
        if update.interpreter_args.is_some() {
            origins.keys.remove("node_args");
        }
        origins
    }

    /// True for a variable that happened to be in the shell: another value there is no change of the file.
    pub(super) fn incidental(&self, name: &str) -> bool {
        let origin = self.env.get(name);
        origin.is_some_and(|origin| origin.shell && origin.file.is_none())
    }
}

/// The names of the settings in which two specifications differ, variables as `env.NAME`; empty if they mean the same.
/// What merely happened to be in the shell does not count.
pub fn differences(
    old: (&AppSpec, Option<&Origins>),
    new: (&AppSpec, Option<&Origins>),
) -> Vec<String> {
    let found = changes(old, new);
    let settings = found.settings.iter().map(|change| change.key.to_owned());
    let mut names: Vec<String> = settings.collect();
    let mut variables = [found.added, found.changed, found.removed].concat();
    variables.sort_unstable();
    names.extend(variables.into_iter().map(|name| format!("env.{name}")));
    names
}

pub(super) fn same_but_for_env(old: &AppSpec, new: &AppSpec) -> bool {
    let mut old = old.clone();
    old.env.clone_from(&new.env);
    old == *new
}

pub(super) fn env_differences(
    old: (&AppSpec, Option<&Origins>),
    new: (&AppSpec, Option<&Origins>),
) -> Vec<String> {
    let names: BTreeSet<&str> = old
        .0
        .env
        .iter()
        .chain(new.0.env.iter())
        .map(|(name, _)| name)
        .collect();
    let incidental = |side: (&AppSpec, Option<&Origins>), name: &str| match side.0.env.get(name) {
        Some(_) => side.1.is_some_and(|origins| origins.incidental(name)),
        None => true,
    };
    names
        .into_iter()
        .filter(|name| old.0.env.get(name) != new.0.env.get(name))
        .filter(|name| !(incidental(old, name) && incidental(new, name)))
        .map(str::to_owned)
        .collect()
}
