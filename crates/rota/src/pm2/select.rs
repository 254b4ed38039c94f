//! What PM2's targets mean: `all`, a name, an id, a namespace, a script, `/an expression/`.

use std::path::Path;

use regex_lite::Regex;
use rota_api::{AppView, ExitCode};

use crate::failure::Failure;

/// What a command acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Names of whole apps, in the order of the list.
    pub apps: Vec<String>,
    /// Ids of single workers of other apps.
    pub ids: Vec<u32>,
}

impl Chosen {
    /// As rota's own targets.
    pub fn targets(&self) -> Vec<String> {
        let ids = self.ids.iter().map(u32::to_string);
        self.apps.iter().cloned().chain(ids).collect()
    }
}

/// What the words mean. Each must mean something.
///
/// # Errors
/// The first word that means nothing, or an expression that is none.
pub fn select(words: &[String], apps: &[AppView]) -> Result<Chosen, Failure> {
    let mut whole = vec![false; apps.len()];
    let mut ids = Vec::new();
    for word in words {
        match look_up(word, apps)? {
            Meaning::Apps(found) => found.into_iter().for_each(|index| whole[index] = true),
            Meaning::Worker(id) => ids.push(id),
        }
    }
    let of_chosen = |id: &u32| {
        let has = |app: &AppView| app.workers.iter().any(|worker| worker.id == *id);
        apps.iter()
            .zip(&whole)
            .any(|(app, whole)| *whole && has(app))
    };
    ids.retain(|id| !of_chosen(id));
    ids.dedup();
    let names = apps.iter().zip(whole).filter(|(_, whole)| *whole);
    Ok(Chosen {
        apps: names.map(|(app, _)| app.name.clone()).collect(),
        ids,
    })
}

enum Meaning {
    /// Apps by their place in the list.
    Apps(Vec<usize>),
    /// One worker.
    Worker(u32),
}

fn look_up(word: &str, apps: &[AppView]) -> Result<Meaning, Failure> {
    let that = |is: &dyn Fn(&AppView) -> bool| -> Vec<usize> {
        let found = apps.iter().enumerate().filter(|(_, app)| is(app));
        found.map(|(index, _)| index).collect()
    };
    if word == "all" {
        return match apps.is_empty() {
            true => Err(Failure::new(ExitCode::Failed, "No process found")),
            false => Ok(Meaning::Apps(that(&|_| true))),
        };
    }
    if let Ok(id) = word.parse::<u32>()
        && apps
            .iter()
            .any(|app| app.workers.iter().any(|worker| worker.id == id))
    {
        return Ok(Meaning::Worker(id));
    }
    let found = match expression(word)? {
        Some(expression) => that(&|app| expression.is_match(&app.name)),
        None => {
            let path = std::path::absolute(Path::new(word)).unwrap_or_default();
            let named = that(&|app| app.name == word || app.namespace == word);
            match named.is_empty() {
                true => that(&|app| Path::new(&app.executed) == path),
                false => named,
            }
        }
    };
    match found.is_empty() {
        true => Err(not_found(word, apps)),
        false => Ok(Meaning::Apps(found)),
    }
}

/// What stands between two slashes.
fn expression(word: &str) -> Result<Option<Regex>, Failure> {
    let Some(text) = word
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    else {
        return Ok(None);
    };
    Regex::new(text).map(Some).map_err(|error| {
        Failure::new(ExitCode::Failed, format!("{word} is no regular expression")).because(&error)
    })
}

/// That nothing is meant, with what may have been.
fn not_found(word: &str, apps: &[AppView]) -> Failure {
    let failure = Failure::new(
        ExitCode::Failed,
        format!("Process or Namespace {word} not found"),
    );
    let lower = word.to_lowercase();
    let close = apps.iter().find(|app| {
        let name = app.name.to_lowercase();
        name.starts_with(&lower) || lower.starts_with(&name)
    });
    match close {
        Some(app) => failure.hint(format!("did you mean `{}`?", app.name)),
        None => failure,
    }
}
