//! Procfile: a line for each app, `web: node server.js`.

use std::collections::BTreeSet;

use super::Taken;
use super::command;
use super::mistake::Mistake;
use super::shared::{self, Given, Own, Place, Said};
use crate::{AppName, AppSpec, Env};

/// The port of the first app, and what each further one has more, as foreman has them.
const FIRST_PORT: u32 = 5000;
const STEP: u32 = 100;

/// A line that says what an app is.
pub(super) struct Entry<'a> {
    /// From 1.
    number: u32,
    name: &'a str,
    pub(super) command: &'a str,
}

/// The lines that say something, or what is wrong with them.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry<'_>, Mistake>> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    let lines = lines.map(|(number, line)| (number, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| Entry::read(number, line))
}

impl<'a> Entry<'a> {
    fn read(number: u32, line: &'a str) -> Result<Self, Mistake> {
        let wrong = |why: &str| Err(mistake(number, why).help("write web: node server.js"));
        let Some((name, command)) = line.split_once(':') else {
            return wrong("it is not `name: command`");
        };
        let entry = Self {
            number,
            name: name.trim(),
            command: command.trim(),
        };
        match entry.command.is_empty() && !entry.is_release() {
            true => wrong(&format!("`{}` has no command", entry.name)),
            false => Ok(entry),
        }
    }

    /// It runs once, before a deployment.
    pub(super) fn is_release(&self) -> bool {
        self.name == "release"
    }

    /// The app's name, which no other app has.
    pub(super) fn own_name(&self, names: &mut BTreeSet<AppName>) -> Result<AppName, Mistake> {
        let wrong = |why: String| mistake(self.number, why);
        let name = shared::name(self.name).map_err(|error| wrong(error.to_string()))?;
        match names.insert(name.clone()) {
            true => Ok(name),
            false => Err(wrong(format!("there are two apps called {name}"))),
        }
    }
}

fn mistake(line: u32, why: impl Into<String>) -> Mistake {
    Mistake::of_app(&format!("line {line}"), why)
}

pub(super) fn apps(text: &str, place: &Place<'_>) -> Result<Taken, Vec<Mistake>> {
    let mut taken = Taken::default();
    let mut mistakes = Vec::new();
    let beside = place.beside(place.outside.caller, &mut mistakes);
    let mut names = BTreeSet::new();
    let mut index = 0;
    for entry in entries(text) {
        let named = entry.and_then(|entry| match entry.is_release() {
            true => Ok(None),
            false => Ok(Some((entry.own_name(&mut names)?, entry))),
        });
        match named {
            Ok(None) => taken
                .warnings
                .push("`release` is left out: it runs once, before a deployment".to_owned()),
            Ok(Some((name, entry))) => {
                let mut spec = AppSpec::new(name, "", place.folder);
                let own = app(&mut spec, &entry, index, beside.as_ref(), place);
                index += 1;
                let problems = spec.problems();
                let problems = problems.iter();
                mistakes.extend(problems.map(|problem| mistake(entry.number, problem.to_string())));
                taken.apps.push(place.app(spec, own));
            }
            Err(mistake) => mistakes.push(mistake),
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

fn app(
    spec: &mut AppSpec,
    entry: &Entry<'_>,
    index: u32,
    beside: Option<&Given>,
    place: &Place<'_>,
) -> Own {
    let prefix = command::put(spec, entry.command, None);
    let mut own = Own {
        otherwise: Said {
            field: None,
            line: entry.number,
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
        index.saturating_mul(STEP).saturating_add(base).to_string(),
    )]
    .into_iter()
    .collect();
    given.extend(&prefix);
    own.files
        .push(Given::of(place.file, given).at(entry.number));
    own.give(&mut env);
    spec.env = env;
    own
}
