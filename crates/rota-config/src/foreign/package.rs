//! package.json: what `npm start` would start.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::Taken;
use super::command;
use super::mistake::Mistake;
use super::shared::{self, Given, Own, Place, Said};
use crate::{AppName, AppSpec, Env};

/// What the text of a package.json says.
///
/// # Errors
/// If it is no JSON.
pub(super) fn read(text: &str) -> Result<Json, Mistake> {
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Mistake::of_file(format!("it is no JSON: {error}")))
}

/// What `npm start` would start.
pub(super) struct Start {
    pub(super) command: String,
    /// What the package calls its main file.
    pub(super) main: Option<String>,
    /// The way to the field that says so; empty: npm does it unasked.
    pub(super) way: &'static [&'static str],
}

/// What `npm start` would start: the script for it, else server.js; else what the package calls its main file.
pub(super) fn start(package: &Json, folder: &Path) -> Option<Start> {
    let main = text(&package["main"]);
    let there = |name: &String| folder.join(name).is_file();
    // As a word of a command line.
    let node = |file: String| format!("node '{}'", file.replace('\'', "'\\''"));
    let usual = || Some("server.js".to_owned()).filter(there);
    let named = || main.clone().filter(there);
    let (command, way) = text(&package["scripts"]["start"])
        .map(|start| (start, SCRIPT))
        .or_else(|| Some((node(usual()?), UNASKED)))
        .or_else(|| Some((node(named()?), MAIN)))?;
    Some(Start { command, main, way })
}

/// Ways to the fields that say what is started.
const SCRIPT: &[&str] = &["scripts", "start"];
const MAIN: &[&str] = &["main"];
const UNASKED: &[&str] = &[];

/// A text that is not empty.
fn text(value: &Json) -> Option<String> {
    let text = value.as_str().map(str::trim);
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

pub(super) fn apps(package: &Json, place: &Place<'_>) -> Result<Taken, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut taken = Taken::default();
    let Some(start) = start(package, place.folder) else {
        return Err(vec![nothing()]);
    };
    if text(&package["scripts"]["prestart"]).is_some() {
        taken
            .warnings
            .push("`prestart` is not run: run it before, as a step of the deployment".to_owned());
    }
    let mut spec = AppSpec::new(name(package, place.folder), "", place.folder);
    let prefix = command::put(&mut spec, &start.command, start.main.as_deref());
    let beside = place.beside(place.outside.caller, &mut mistakes);
    let mut env = place.inherited(&spec);
    let line = place.lines.line(start.way);
    let mut own = Own {
        otherwise: Said {
            field: (!start.way.is_empty()).then(|| start.way.join(".")),
            line,
        },
        ..Own::default()
    };
    own.files.extend(beside);
    own.files.push(Given::of(place.file, given(package, place)));
    own.files.push(Given::of(place.file, prefix).at(line));
    own.give(&mut env);
    spec.env = env;
    mistakes.extend(
        spec.problems()
            .iter()
            .map(|problem| Mistake::of_file(problem.to_string())),
    );
    taken.apps.push(place.app(spec, own));
    match mistakes.is_empty() {
        true => Ok(taken),
        false => Err(mistakes),
    }
}

fn nothing() -> Mistake {
    Mistake::of_file(
        "it has no `scripts.start`, there is no server.js, and no file that `main` names",
    )
    .help(
        "add \"scripts\": { \"start\": \"node app.js\" }, or name the script: `rota start app.js`",
    )
}

/// The package's name without its scope, or that of the folder.
pub(super) fn name(package: &Json, folder: &Path) -> AppName {
    let own = package["name"]
        .as_str()
        .and_then(|name| name.rsplit('/').next());
    let folder = folder.file_name().and_then(|name| name.to_str());
    let name = [own, folder]
        .into_iter()
        .flatten()
        .find_map(|name| shared::name(name).ok());
    name.unwrap_or_else(AppName::placeholder)
}

/// What npm gives to its scripts, as far as programs look at it.
fn given(package: &Json, place: &Place<'_>) -> Env {
    let path = place.outside.caller.get("PATH").unwrap_or_default();
    let mut env: Env = [
        ("PATH", command::path_with_packages(place.folder, path)),
        ("npm_lifecycle_event", "start".to_owned()),
        (
            "npm_package_json",
            PathBuf::from(place.file).display().to_string(),
        ),
    ]
    .into_iter()
    .collect();
    for (variable, field) in [
        ("npm_package_name", "name"),
        ("npm_package_version", "version"),
    ] {
        if let Some(text) = package[field].as_str().filter(|text| !text.contains('\0')) {
            env.set(variable, text);
        }
    }
    env
}
