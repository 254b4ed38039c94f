//! One app of an ecosystem file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::super::mistake::Mistake;
use super::super::shared::{self, Given, Own, Place, Said};
use super::Table;
use super::draft::Draft;
use super::field::{Field, Set, snake};
use super::fields::{FIELDS, settle};
use super::kind::{Kind, Wrong, flag, shown};
use crate::file::{FileApp, KEYS, closest};
use crate::{AppName, Env};

/// An app, and what is to be said about it.
pub(super) struct Read {
    pub(super) app: FileApp,
    pub(super) meaningless: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// True for a table that is an app by itself.
pub(super) fn is_one(table: &Table) -> bool {
    table.keys().any(|key| find(key).is_some())
}

/// The profile for which a key has variables.
pub(super) fn profile(key: &str) -> Option<&str> {
    key.strip_prefix("env_").filter(|name| !name.is_empty())
}

fn find(key: &str) -> Option<&'static Field> {
    let same = |name: &str| name == key || snake(name) == snake(key);
    FIELDS.iter().find(|field| field.names().any(same))
}

/// The table of an app.
pub(super) struct Entry<'a> {
    pub(super) table: &'a Table,
    /// What it is called in messages.
    pub(super) label: &'a str,
    /// The way to it in the file.
    pub(super) way: &'a [String],
}

impl Entry<'_> {
    /// The line of something in it; 0: it is not known.
    fn line(&self, place: &Place<'_>, inner: &[&str]) -> u32 {
        let way = self.way.iter().map(String::as_str);
        let way: Vec<&str> = way.chain(inner.iter().copied()).collect();
        place.lines.line(&way)
    }

    fn said(&self, place: &Place<'_>, field: &str) -> Said {
        Said {
            field: Some(field.to_owned()),
            line: self.line(place, &[field]),
        }
    }
}

/// Reads an app; `None` if it has mistakes, which are told.
pub(super) fn read(
    entry: &Entry<'_>,
    place: &Place<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Read> {
    let Entry { table, label, .. } = *entry;
    let before = mistakes.len();
    let mut draft = Draft::new(place.folder, place.outside.caller.get("HOME"));
    let mut said = BTreeMap::new();
    for field in FIELDS {
        let was = draft.spec.clone();
        let Some(name) = take(&mut draft, field, table, label, mistakes) else {
            continue;
        };
        let changed = |key: &&crate::file::Key| key.value(&was) != key.value(&draft.spec);
        for key in KEYS.iter().filter(changed) {
            said.insert(key.name, entry.said(place, name));
        }
    }
    if let Some(port) = draft.port.clone() {
        draft.variables.push(("PORT".to_owned(), Some(port)));
    }
    rest(&mut draft, table, place.profile, label, mistakes);
    if draft.spec.script.is_empty() && !has(table, "script") {
        mistakes
            .push(Mistake::of_app(label, "the app has no script").help("add script: \"app.js\""));
    }
    if draft.spec.script == "serve"
        && draft
            .variables
            .iter()
            .any(|(name, _)| name == "PM2_SERVE_PATH")
    {
        let why = "PM2's own server of files is no script here";
        mistakes.push(Mistake::of_app(label, why).field("script").help(
            "`rota serve FOLDER PORT` serves files as an app of its own; leave this one out of the file",
        ));
    }
    settle(&mut draft);
    name(&mut draft, place.profile, label, mistakes);
    if mistakes.len() > before {
        return None;
    }
    // What several fields decide together is said by the one that is described so.
    for (key, field) in described(table) {
        said.entry(key).or_insert_with(|| entry.said(place, field));
    }
    let mut own = environment(&mut draft, entry, place);
    own.said = said;
    // A net under the checks of single fields.
    mistakes.extend(
        draft
            .spec
            .problems()
            .iter()
            .map(|problem| Mistake::of_app(label, problem.to_string())),
    );
    (mistakes.len() == before).then(|| Read {
        meaningless: std::mem::take(&mut draft.meaningless),
        warnings: std::mem::take(&mut draft.warnings),
        app: place.app(draft.spec, own),
    })
}

fn has(table: &Table, name: &str) -> bool {
    let keys = table.iter().filter(|(_, value)| !value.is_null());
    keys.filter_map(|(key, _)| find(key))
        .any(|field| field.name == name)
}

/// Keys of rota.toml that fields of the table are said to be.
fn described(table: &Table) -> impl Iterator<Item = (&'static str, &String)> {
    let fields = table.iter().filter(|(_, value)| !value.is_null());
    fields.flat_map(|(name, _)| {
        let here = find(name).map_or("", |field| field.here);
        // In backquotes: every second part.
        let words = here.split('`').skip(1).step_by(2);
        words.filter_map(move |word| Some((crate::file::key(word)?.name, name)))
    })
}

/// What an app is called in messages before its name is known.
pub(super) fn label(table: &Table, index: usize) -> String {
    let named = table
        .get("name")
        .and_then(Json::as_str)
        .filter(|name| !name.trim().is_empty());
    if let Some(name) = named {
        return name.to_owned();
    }
    let script = table.iter().find(|(key, value)| {
        value.is_string() && find(key).is_some_and(|field| field.name == "script")
    });
    let script = script.and_then(|(_, value)| value.as_str());
    match script.map(by_script).filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => format!("apps[{index}]"),
    }
}

/// One field, by whichever of its names the file has; this one is given back.
fn take<'a>(
    draft: &mut Draft<'_>,
    field: &'static Field,
    table: &'a Table,
    label: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<&'a str> {
    let there: Vec<(&String, &Json)> = field
        .names()
        .filter_map(|name| {
            let same = |key: &String| *key == name || snake(key) == snake(name);
            table
                .iter()
                .find(|(key, value)| same(key) && !value.is_null())
        })
        .collect();
    let (key, value) = there.first()?;
    for (other, _) in there.iter().skip(1).filter(|(other, _)| other != key) {
        draft.warn(format!(
            "`{key}` and `{other}` are the same; `{key}` counts"
        ));
    }
    let mistake = |wrong: Wrong| Mistake {
        app: Some(label.to_owned()),
        field: Some((*key).clone()),
        // Values of variables may be secrets.
        value: (field.kind != Kind::Variables).then(|| shown(value)),
        why: wrong.why,
        help: Some(
            wrong
                .help
                .unwrap_or_else(|| format!("write {}", field.kind.words().replace('`', ""))),
        ),
    };
    match field.set {
        Set::To(set) => {
            if let Err(wrong) = set(draft, value) {
                mistakes.push(mistake(wrong));
            }
        }
        Set::NothingUnless(quiet) if flag(value) == Ok(quiet) => {}
        Set::Nothing | Set::NothingUnless(_) => draft.meaningless.push((*key).clone()),
    }
    Some(key.as_str())
}

/// Profiles, and what is no field.
fn rest(
    draft: &mut Draft<'_>,
    table: &Table,
    chosen: Option<&str>,
    label: &str,
    mistakes: &mut Vec<Mistake>,
) {
    for (key, value) in table
        .iter()
        .filter(|(key, value)| find(key).is_none() && !value.is_null())
    {
        match (profile(key), value) {
            (Some("file"), Json::String(_) | Json::Array(_)) => {
                draft.warn("`env_file` is no field of PM2, and is left out; in rota.toml it is one")
            }
            (Some(name), Json::Object(_)) => {
                let kept = draft.variables.len();
                if let Err(wrong) = super::set::variables(draft, value) {
                    mistakes.push(Mistake {
                        help: wrong.help,
                        ..Mistake::of_app(label, wrong.why).field(key)
                    });
                }
                if Some(name) != chosen {
                    draft.variables.truncate(kept);
                }
            }
            (Some(_), _) => mistakes.push(
                Mistake::of_app(label, "it must be a table of variables")
                    .field(key)
                    .help("write { NAME: \"value\" }"),
            ),
            (None, _) => draft.warn(unknown(key)),
        }
    }
}

fn unknown(key: &str) -> String {
    let names = FIELDS.iter().flat_map(Field::names);
    match closest(&snake(key), names) {
        Some(name) => format!("unknown field `{key}` is left out; did you mean `{name}`?"),
        None => format!("unknown field `{key}` is left out"),
    }
}

/// The name: that of the file, or the script's without folder and extension.
fn name(draft: &mut Draft<'_>, profile: Option<&str>, label: &str, mistakes: &mut Vec<Mistake>) {
    let mut text = match &draft.name {
        Some(name) => name.clone(),
        None => by_script(&draft.spec.script),
    };
    if let Some(prefix) = &draft.prefix
        && !text.contains(prefix.as_str())
    {
        text = format!("{prefix}-{text}");
    }
    if let Some(profile) = profile.filter(|_| draft.append_env) {
        text = format!("{text}-{profile}");
    }
    match shared::name(&text) {
        Ok(name) => {
            if name.as_str() != text {
                draft.warn(format!(
                    "the app is called {name} here: names of apps have no `/`, `:` or `,`"
                ));
            }
            draft.spec.name = name;
        }
        // Without a script it has been told already.
        Err(_) if draft.spec.script.is_empty() => draft.spec.name = AppName::placeholder(),
        Err(error) => mistakes.push(
            Mistake::of_app(label, error.to_string())
                .field("name")
                .help("give it another name: name: \"web\""),
        ),
    }
}

fn by_script(script: &str) -> String {
    let file = script
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(script);
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or(file).to_owned()
}

/// The caller's environment, less what is filtered, and the variables of the file.
fn environment(draft: &mut Draft<'_>, entry: &Entry<'_>, place: &Place<'_>) -> Own {
    let mut env = draft.filtered(&place.inherited(&draft.spec));
    let mut given = Env::new();
    for (name, value) in &draft.variables {
        match value {
            Some(value) => given.set(name.as_str(), value.as_str()),
            None => {
                given.remove(name);
                env.remove(name);
            }
        }
    }
    let mut given = Given::of(place.file, given);
    let profile = place.profile.map(|name| format!("env_{name}"));
    let tables = [profile.as_deref(), Some("env")].into_iter().flatten();
    for (name, _) in given.env.iter() {
        let mut lines = tables
            .clone()
            .map(|table| entry.line(place, &[table, name]));
        let line = lines.find(|line| *line > 0).unwrap_or(0);
        given.lines.insert(name.to_owned(), line);
    }
    let own = Own {
        files: vec![given],
        ..Own::default()
    };
    own.give(&mut env);
    draft.spec.env = env;
    own
}
