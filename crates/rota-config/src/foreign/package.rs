//! package.json: what `npm start` would start.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::Taken;
use super::command;
use super::mistake::Mistake;
use super::shared::{self, Given, Own, Place, Said};
use crate::{AppName, AppSpec, Env};

pub(super) fn apps(package: &Json, place: &Place<'_>) -> Result<Taken, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut taken = Taken::default();
    let text = |value: &Json| {
        let text = value
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let main = text(&package["main"]);
    let (start, said) = match text(&package["scripts"]["start"]) {
        Some(start) => (start, said(place, &["scripts", "start"])),
        None => match otherwise(place, main.as_deref()) {
            Some((file, said)) => (format!("node {file}"), said),
            None => return Err(vec![nothing()]),
        },
    };
    if text(&package["scripts"]["prestart"]).is_some() {
        taken
            .warnings
            .push("`prestart` is not run: run it before, as a step of the deployment".to_owned());
    }
    let mut spec = AppSpec::new(name(package, place), "", place.folder);
    let prefix = command::put(&mut spec, &start, main.as_deref());
    let beside = place.beside(place.outside.caller, &mut mistakes);
    let mut env = place.inherited(&spec);
    let line = said.line;
    let mut own = Own {
        otherwise: said,
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

/// What npm starts where there is no script for it, and then what the package calls its main file; and who says so.
fn otherwise(place: &Place<'_>, main: Option<&str>) -> Option<(String, Said)> {
    let there = |name: &&str| place.folder.join(name).is_file();
    let usual = Some(("server.js", Said::default())).filter(|(name, _)| there(name));
    let main = main.filter(there);
    let (file, said) = usual.or_else(|| Some((main?, said(place, &["main"]))))?;
    // As a word of a command line.
    Some((format!("'{}'", file.replace('\'', "'\\''")), said))
}

/// A field of the package that says what is run.
fn said(place: &Place<'_>, way: &[&str]) -> Said {
    Said {
        field: Some(way.join(".")),
        line: place.lines.line(way),
    }
}

/// The package's name without its scope, or that of the folder.
fn name(package: &Json, place: &Place<'_>) -> AppName {
    let own = package["name"]
        .as_str()
        .and_then(|name| name.rsplit('/').next());
    let folder = place.folder.file_name().and_then(|name| name.to_str());
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
