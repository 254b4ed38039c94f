//! PM2's ecosystem files, from the value that they come to.

mod app;
mod draft;
mod dump;
mod field;
mod fields;
mod kind;
mod reference;
mod set;
#[cfg(test)]
mod tests;
mod time_format;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::Taken;
use super::mistake::Mistake;
use super::shared::Place;

pub use dump::{Dump, Known};
pub use reference::reference;
pub use time_format::strftime;

/// Names that a file may have for its list of apps.
const LISTS: [&str; 2] = ["apps", "pm2"];

type Table = Map<String, Json>;

/// The apps of a file.
pub(super) fn apps(value: &Json, place: &Place<'_>) -> Result<Taken, Vec<Mistake>> {
    let mut taken = Taken::default();
    let mut mistakes = Vec::new();
    let tables = match tables(value, &mut taken.warnings) {
        Ok(tables) => tables,
        Err(mistake) => return Err(vec![mistake]),
    };
    let mut meaningless = BTreeMap::<String, Vec<String>>::new();
    let mut names = BTreeSet::new();
    for (index, (way, table)) in tables.into_iter().enumerate() {
        let Json::Object(table) = table else {
            let app = format!("apps[{index}]");
            mistakes.push(
                Mistake::of_app(&app, "it is not the table of an app")
                    .help("write { name: \"web\", script: \"app.js\" }"),
            );
            continue;
        };
        let label = app::label(table, index);
        let entry = app::Entry {
            table,
            label: &label,
            way: &way,
        };
        let Some(read) = app::read(&entry, place, &mut mistakes) else {
            continue;
        };
        let name = read.app.spec.name.clone();
        if !names.insert(name.clone()) {
            mistakes.push(
                Mistake::of_app(name.as_str(), "there are two apps of that name")
                    .field("name")
                    .help(
                        "give each a name of its own; `instances` makes several workers of one app",
                    ),
            );
        }
        for field in read.meaningless {
            meaningless.entry(field).or_default().push(name.to_string());
        }
        let warnings = read.warnings.iter().map(|text| format!("{name}: {text}"));
        taken.warnings.extend(warnings);
        taken.apps.push(read.app);
    }
    if taken.apps.is_empty() && mistakes.is_empty() {
        mistakes.push(no_app());
    }
    match mistakes.is_empty() {
        true => {
            taken.warnings.extend(without_meaning(&meaningless));
            Ok(taken)
        }
        false => Err(mistakes),
    }
}

fn no_app() -> Mistake {
    Mistake::of_file("the file names no app")
        .help("write { apps: [{ name: \"web\", script: \"app.js\" }] }")
}

/// All of them in one warning.
fn without_meaning(fields: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let list: Vec<String> = fields
        .iter()
        .map(|(field, apps)| format!("`{field}` ({})", apps.join(", ")))
        .collect();
    (!list.is_empty()).then(|| {
        format!(
            "without a meaning here, and left out: {}; docs/pm2-files.md says why",
            list.join(", ")
        )
    })
}

/// The tables of the apps with the ways to them; what stands beside them is told.
fn tables<'a>(
    value: &'a Json,
    warnings: &mut Vec<String>,
) -> Result<Vec<(Vec<String>, &'a Json)>, Mistake> {
    let root = match value {
        Json::Array(apps) => return Ok(items(&[], apps)),
        Json::Object(root) => root,
        Json::Null => return Err(no_app()),
        _ => {
            return Err(Mistake::of_file("it is no table of apps")
                .help("write { apps: [{ name: \"web\", script: \"app.js\" }] }"));
        }
    };
    let list = |name: &'static str| Some((name, root.get(name)?));
    let lists: Vec<(&str, &Json)> = LISTS.into_iter().filter_map(list).collect();
    if lists.is_empty() {
        return match app::is_one(root) {
            true => Ok(vec![(Vec::new(), value)]),
            false => Err(no_app()),
        };
    }
    for key in root.keys().filter(|key| !LISTS.contains(&key.as_str())) {
        warnings.push(match key.as_str() {
            "deploy" => "`deploy` is left out: rota does not deploy; call `rota reload FILE` at the end of what does".to_owned(),
            "static" => "`static` is left out: folders are no apps in rota".to_owned(),
            key => format!("unknown `{key}` beside `apps` is left out"),
        });
    }
    Ok(lists
        .into_iter()
        .flat_map(|(name, list)| match list {
            Json::Array(apps) => items(&[name], apps),
            one => vec![(vec![name.to_owned()], one)],
        })
        .collect())
}

/// The items of a list, with the ways to them.
fn items<'a>(list: &[&str], items: &'a [Json]) -> Vec<(Vec<String>, &'a Json)> {
    let way = |index: usize| -> Vec<String> {
        let parts = list.iter().map(|part| (*part).to_owned());
        parts.chain([index.to_string()]).collect()
    };
    let items = items.iter().enumerate();
    items.map(|(index, item)| (way(index), item)).collect()
}

/// The names of the profiles of all apps.
pub(super) fn profiles(value: &Json) -> Vec<String> {
    let tables = tables(value, &mut Vec::new()).unwrap_or_default();
    let keys = tables
        .into_iter()
        .filter_map(|(_, table)| table.as_object())
        .flat_map(|table| {
            let profile = |(key, value): (&String, &Json)| {
                let name = app::profile(key)?;
                value.is_object().then(|| name.to_owned())
            };
            table.iter().filter_map(profile).collect::<Vec<_>>()
        });
    let names: BTreeSet<String> = keys.collect();
    names.into_iter().collect()
}
