//! Procfile: a line for each app, `web: node server.js`.

use std::collections::BTreeSet;

use super::Taken;
use super::command;
use super::mistake::Mistake;
use super::shared::{self, Given, Own, Place, Said};
use crate::{AppSpec, Env};

/// The port of the first app, and what each further one has more, as foreman has them.
const FIRST_PORT: u32 = 5000;
const STEP: u32 = 100;

pub(super) fn apps(text: &str, place: &Place<'_>) -> Result<Taken, Vec<Mistake>> {
    let mut taken = Taken::default();
    let mut mistakes = Vec::new();
    let beside = place.beside(place.outside.caller, &mut mistakes);
    let mut names = BTreeSet::new();
    let mut index = 0;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = format!("line {number}");
        let Some((name, command)) = line.split_once(':') else {
            mistakes.push(
                Mistake::of_app(&at, "it is not `name: command`").help("write web: node server.js"),
            );
            continue;
        };
        let (name, command) = (name.trim(), command.trim());
        if name == "release" {
            taken
                .warnings
                .push("`release` is left out: it runs once, before a deployment".to_owned());
            continue;
        }
        if command.is_empty() {
            mistakes.push(
                Mistake::of_app(&at, format!("`{name}` has no command"))
                    .help("write web: node server.js"),
            );
            continue;
        }
        match shared::name(name) {
            Ok(name) if !names.insert(name.clone()) => {
                mistakes.push(Mistake::of_app(
                    &at,
                    format!("there are two apps called {name}"),
                ));
            }
            Ok(name) => {
                let mut spec = AppSpec::new(name, "", place.folder);
                let line = Line {
                    number,
                    index,
                    command,
                };
                let own = app(&mut spec, &line, beside.as_ref(), place);
                index += 1;
                mistakes.extend(
                    spec.problems()
                        .iter()
                        .map(|problem| Mistake::of_app(&at, problem.to_string())),
                );
                taken.apps.push(place.app(spec, own));
            }
            Err(error) => mistakes.push(Mistake::of_app(&at, error.to_string())),
        }
    }
    if taken.apps.is_empty() && mistakes.is_empty() {
        mistakes.push(Mistake::of_file("the file names no app").help("write web: node server.js"));
    }
    match mistakes.is_empty() {
        true => Ok(taken),
        false => Err(mistakes),
    }
}

/// A line that describes an app.
struct Line<'a> {
    /// From 1.
    number: u32,
    /// Which app it is.
    index: u32,
    command: &'a str,
}

fn app(spec: &mut AppSpec, line: &Line<'_>, beside: Option<&Given>, place: &Place<'_>) -> Own {
    let prefix = command::put(spec, line.command, None);
    let mut own = Own {
        otherwise: Said {
            field: None,
            line: line.number,
        },
        ..Own::default()
    };
    own.files.extend(beside.cloned());
    let mut env = place.inherited(spec);
    own.give(&mut env);
    let base = env
        .get("PORT")
        .and_then(|port| port.parse().ok())
        .unwrap_or(FIRST_PORT);
    let mut given: Env = [(
        "PORT",
        line.index
            .saturating_mul(STEP)
            .saturating_add(base)
            .to_string(),
    )]
    .into_iter()
    .collect();
    given.extend(&prefix);
    own.files.push(Given::of(place.file, given).at(line.number));
    own.give(&mut env);
    spec.env = env;
    own
}
