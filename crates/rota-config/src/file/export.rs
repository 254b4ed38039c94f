//! rota.toml from apps as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::key::Key;
use super::keys::KEYS;
use super::kind::Kind;
use super::origins::Origins;
use super::reference::{bare_or_quoted, toml};
use crate::{AppSpec, CronSpec, Probe, RenewAction, Size, WatchSpec};

/// An app that is to be written.
#[derive(Debug, Clone)]
pub struct Export {
    /// What holds for it.
    pub spec: AppSpec,
    /// Where its settings come from, if it is known.
    pub origins: Option<Origins>,
    /// Variables whose values are kept back; they are not in the specification.
    pub hidden: BTreeSet<String>,
    /// Settings in which words are kept back, by key.
    pub masked: BTreeSet<String>,
}

impl Export {
    /// True for a variable that somebody has set, or with `all` for every one.
    fn told(&self, name: &str, all: bool) -> bool {
        let origins = self.origins.as_ref();
        all || !origins.is_some_and(|origins| origins.incidental(name))
    }

    pub(super) fn variables(&self, all: bool) -> BTreeMap<&str, &str> {
        let variables = self.spec.env.iter();
        variables.filter(|(name, _)| self.told(name, all)).collect()
    }

    /// The settings that are not those of every app, as they stand in the file.
    pub(super) fn settings(
        &self,
        folder: &Path,
        known: &BTreeSet<&str>,
    ) -> Vec<(&'static Key, String)> {
        let written = |key: &'static Key| {
            let value = match key.name {
                "depends_on" => known_only(&key.value(&self.spec), known),
                "cwd" => relative(&self.spec.cwd, folder),
                _ => key.value(&self.spec),
            };
            let usual = is_usual(key, &self.spec, folder);
            (!usual && !nothing(&value)).then(|| (key, text(key, &value)))
        };
        let keys = KEYS.iter().filter(|key| key.is_field());
        keys.filter_map(written).collect()
    }
}

/// What [`export`] has to know besides the apps.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    /// Where the file will be.
    pub folder: &'a Path,
    /// Write also the variables that merely happened to be in the shell.
    pub all_env: bool,
}

/// A rota.toml that describes the apps: settings that differ from the defaults, and variables that somebody has set.
/// What all of several apps have in common stands in `[defaults]` and `[env]`.
pub fn export(apps: &[Export], form: Form<'_>) -> String {
    let known: BTreeSet<&str> = apps.iter().map(|app| app.spec.name.as_str()).collect();
    let settings: Vec<_> = apps
        .iter()
        .map(|app| app.settings(form.folder, &known))
        .collect();
    let variables: Vec<_> = apps.iter().map(|app| app.variables(form.all_env)).collect();
    let several = apps.len() > 1;
    let shared: Vec<_> = settings
        .first()
        .into_iter()
        .flatten()
        .filter(|(key, value)| several && sharable(key) && all_have(&settings, key, value))
        .cloned()
        .collect();
    let common: BTreeMap<&str, &str> = variables
        .first()
        .into_iter()
        .flatten()
        .filter(|(name, value)| {
            several && variables.iter().all(|env| env.get(*name) == Some(*value))
        })
        .map(|(name, value)| (*name, *value))
        .collect();
    let mut out = String::new();
    if !shared.is_empty() {
        out.push_str("[defaults]\n");
        lines(&mut out, &shared);
        out.push('\n');
    }
    if !common.is_empty() {
        out.push_str("[env]\n");
        pairs(&mut out, &common);
        out.push('\n');
    }
    for ((app, settings), variables) in apps.iter().zip(&settings).zip(&variables) {
        let name = bare_or_quoted(app.spec.name.as_str());
        // Writing into a text does not fail.
        let _ok = writeln!(out, "[apps.{name}]");
        let own = settings
            .iter()
            .filter(|(key, _)| !shared.iter().any(|(other, _)| other.name == key.name));
        lines(&mut out, own);
        remarks(&mut out, app, &known, form.all_env);
        let own: BTreeMap<&str, &str> = variables
            .iter()
            .filter(|(name, _)| !common.contains_key(*name))
            .map(|(name, value)| (*name, *value))
            .collect();
        if !own.is_empty() {
            let _ok = writeln!(out, "\n[apps.{name}.env]");
            pairs(&mut out, &own);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// What the file cannot say is told beside it.
fn remarks(out: &mut String, app: &Export, known: &BTreeSet<&str>, all_env: bool) {
    for key in &app.masked {
        let _ok = writeln!(
            out,
            "# `{key}` has words that look like secrets: put them in for ***"
        );
    }
    let elsewhere: Vec<&str> = app
        .spec
        .depends_on
        .iter()
        .map(crate::AppName::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    if !elsewhere.is_empty() {
        let names = comment(&elsewhere.join(", "));
        let _ok = writeln!(
            out,
            "# it also depends on {names}, which this file does not have"
        );
    }
    let mut hidden = app
        .hidden
        .iter()
        .filter(|name| app.told(name, all_env))
        .peekable();
    if hidden.peek().is_none() {
        return;
    }
    out.push_str("# Values of these variables are kept back. Put them into a file of their own, mode 0600, and name it here:\n");
    out.push_str("# env_file = \".env\"\n");
    for name in hidden {
        let _ok = writeln!(out, "#   {}=", comment(name));
    }
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn sharable(key: &Key) -> bool {
    !key.single && key.needs.is_none() && !is_needed(key)
}

/// True for a setting that is as every app has it, in this folder: nobody need say it. One that means nothing without
/// another is compared with what holds where only the other is given.
pub fn is_usual(key: &Key, spec: &AppSpec, folder: &Path) -> bool {
    let mut plain = AppSpec::new(spec.name.clone(), "", folder);
    if !is_needed(key) {
        let probe = spec.probe.as_ref();
        plain.probe = probe.map(|probe| Probe::from(probe.target.clone()));
        plain.watch = spec.watch.as_ref().map(|_| WatchSpec::default());
        plain.cron = spec.cron.as_ref().map(|cron| CronSpec {
            schedule: cron.schedule.clone(),
            zone: None,
            action: RenewAction::default(),
        });
    }
    key.value(spec) == key.value(&plain)
}

/// True for a key without which others mean nothing; it stands where they do.
fn is_needed(key: &Key) -> bool {
    KEYS.iter().any(|other| other.needs == Some(key.name))
}

fn all_have(settings: &[Vec<(&'static Key, String)>], key: &Key, value: &str) -> bool {
    let has = |list: &Vec<(&'static Key, String)>| {
        let mut list = list.iter();
        list.any(|(other, theirs)| other.name == key.name && theirs == value)
    };
    settings.iter().all(has)
}

fn lines<'a>(out: &mut String, settings: impl IntoIterator<Item = &'a (&'static Key, String)>) {
    for (key, value) in settings {
        let _ok = writeln!(out, "{} = {value}", key.name);
    }
}

/// Variables, a line each.
pub(super) fn pairs(out: &mut String, variables: &BTreeMap<&str, &str>) {
    for (name, value) in variables {
        let value = toml(&Json::from(*value));
        let _ok = writeln!(out, "{} = {value}", bare_or_quoted(name));
    }
}

fn known_only(names: &Json, known: &BTreeSet<&str>) -> Json {
    let names = names.as_array().into_iter().flatten();
    let known = names.filter(|name| name.as_str().is_some_and(|name| known.contains(name)));
    Json::Array(known.cloned().collect())
}

/// A folder as it is called from the file's.
fn relative(path: &Path, folder: &Path) -> Json {
    let short = path.strip_prefix(folder).ok();
    let short = short.filter(|short| !short.as_os_str().is_empty());
    Json::from(short.unwrap_or(path).to_string_lossy())
}

/// Says nothing. An empty list may say something where nothing at all would be another thing.
fn nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

/// A value of a setting as it stands in a file: sizes in the units of people.
pub fn written(key: &str, value: &Json) -> String {
    let known = KEYS.iter().find(|known| known.name == key);
    known.map_or_else(|| toml(value), |known| text(known, value))
}

fn text(key: &Key, value: &Json) -> String {
    let size = match key.kind {
        Kind::Size => value.as_u64().map(Size::from_bytes),
        _ => None,
    };
    let words = size.map(|size| (size, size.to_string()));
    match words {
        Some((size, words)) if words.parse() == Ok(size) => toml(&Json::from(words)),
        // Beyond the numbers of TOML.
        Some((size, _)) => toml(&Json::from(size.bytes().to_string())),
        None => toml(value),
    }
}
