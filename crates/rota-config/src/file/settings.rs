//! A table of settings: `[defaults]` or `[apps.NAME]`.

use std::path::Path;

use super::dotenv::is_name;
use super::key::{Key, texts};
use super::keys::{KEYS, key};
use super::kind::Kind;
use super::node::{Entry, Node, Place, Value};
use super::problem::{Problem, closest};
use crate::{AppName, AppSpec};

/// What a table says, checked as far as it can be by itself.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Fields of the specification, in the order of the table of keys.
    pub(super) fields: Vec<Field>,
    pub(super) env: Variables,
    pub(super) env_files: Option<Named>,
    pub(super) inherit: Option<Inherit>,
    pub(super) depends_on: Vec<(String, Place)>,
}

/// A key of the specification with its value.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: &'static Key,
    pub(super) at: Place,
    pub(super) node: Node,
}

/// Texts with their places.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) texts: Vec<(String, Place)>,
}

/// What is taken from the shell besides the usual few.
#[derive(Debug)]
pub(super) enum Inherit {
    All(bool),
    Names(Named),
}

/// Variables, and profiles of them.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) plain: Vec<Variable>,
    pub(super) profiles: Vec<(String, Place, Vec<Variable>)>,
}

/// A variable that the file sets.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) at: Place,
}

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Defaults,
    App(&'a str),
}

impl Settings {
    /// Reads a table; `folder` is that of the file.
    pub(super) fn read(
        entries: &[Entry],
        owner: Owner<'_>,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut settings = Self::default();
        for entry in entries {
            match key(&entry.key) {
                None => problems.push(unknown_key(entry, owner)),
                Some(key) if owner == Owner::Defaults && key.single => {
                    let text = format!("`{}` cannot be shared by apps", key.name);
                    let help = format!(
                        "write it under [apps.NAME], for each app its own `{}`",
                        key.name
                    );
                    problems.push(Problem::new(entry.at.clone(), text).help(help));
                }
                Some(key) if owner == Owner::Defaults && key.name == "env" => {
                    problems.push(
                        Problem::new(entry.at.clone(), "variables for all apps stand in [env]")
                            .help("write `[env]` instead of `[defaults.env]`"),
                    );
                }
                Some(key) if !key.kind.fits(&entry.node) => problems.push(misfit(key, &entry.node)),
                Some(key) => settings.take(key, entry, folder, problems),
            }
        }
        let position = |field: &Field| KEYS.iter().position(|key| key.name == field.key.name);
        settings.fields.sort_by_key(position);
        if let Owner::App(_) = owner {
            settings.lonely(problems);
        }
        settings
    }

    fn take(
        &mut self,
        key: &'static Key,
        entry: &Entry,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) {
        let node = &entry.node;
        let mut scratch = scratch(folder);
        if let Err(wrong) = key.set(&mut scratch, node, folder) {
            let at = wrong.at.unwrap_or_else(|| node.at.clone());
            problems.push(with_examples(at, format!("`{}`: {}", key.name, wrong.why)));
            return;
        }
        let named = |texts| Named { texts };
        match key.name {
            "env" => self.env = Variables::read(node, problems),
            "env_file" => self.env_files = Some(named(texts(node))),
            "inherit_env" => {
                self.inherit = Some(match node.value {
                    Value::Flag(all) => Inherit::All(all),
                    _ => Inherit::Names(named(patterns(node, problems))),
                });
            }
            name => {
                if name == "depends_on" {
                    self.depends_on = texts(node);
                }
                self.fields.push(Field {
                    key,
                    at: entry.at.clone(),
                    node: node.clone(),
                });
            }
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key.name == name)
    }

    /// Keys that mean something only beside another one.
    fn lonely(&self, problems: &mut Vec<Problem>) {
        for field in &self.fields {
            if let Some(needs) = field.key.needs
                && self.field(needs).is_none()
            {
                let text = format!("`{}` means nothing without `{needs}`", field.key.name);
                problems.push(
                    Problem::new(field.at.clone(), text)
                        .help(format!("add `{needs}`, or leave this out")),
                );
            }
        }
    }
}

/// A specification to try values on.
pub(super) fn scratch(folder: &Path) -> AppSpec {
    AppSpec::new(AppName::placeholder(), "", folder)
}

/// Names of variables; a star at the end stands for anything.
fn patterns(node: &Node, problems: &mut Vec<Problem>) -> Vec<(String, Place)> {
    let mut patterns = texts(node);
    patterns.retain(|(pattern, at)| {
        let good = is_name(pattern.strip_suffix('*').unwrap_or(pattern));
        if !good {
            let text = format!("`inherit_env`: `{pattern}` is not the name of a variable");
            let problem = Problem::new(at.clone(), text);
            problems.push(problem.help("a star may stand at the end: \"AWS_*\"; `true` takes all"));
        }
        good
    });
    patterns
}

fn unknown_key(entry: &Entry, owner: Owner<'_>) -> Problem {
    let word = entry.key.as_str();
    let problem = Problem::new(entry.at.clone(), format!("unknown key `{word}`"));
    let problem = match owner {
        Owner::Defaults => problem.label("not a setting of apps"),
        Owner::App(_) => problem.label("not a setting of an app"),
    };
    let lower = word.to_lowercase().replace('-', "_");
    let alias = KEYS
        .iter()
        .find(|key| key.also.contains(&word) || key.also.contains(&lower.as_str()));
    let help = if word == "name" {
        Some("the name stands in the table's head: [apps.NAME]".to_owned())
    } else if word.starts_with("env_") && matches!(entry.node.value, Value::Table(_)) {
        Some(format!(
            "a profile is a table in env: [env.{}]",
            &word["env_".len()..]
        ))
    } else if let Some(positive) = lower.strip_prefix("no_").and_then(key) {
        Some(format!("write `{} = false`", positive.name))
    } else if let Some(key) = alias {
        Some(renamed(word, key))
    } else {
        let known = KEYS.iter().map(|key| key.name);
        closest(word, known).map(|name| format!("did you mean `{name}`?"))
    };
    problem.help(help.unwrap_or_else(|| "`rota config keys` lists the keys".to_owned()))
}

fn renamed(word: &str, key: &Key) -> String {
    match word {
        "exec_mode" | "mode" | "cluster" => {
            "Node scripts are cluster workers by themselves; `fork = true` makes plain processes of them".to_owned()
        }
        "port" | "ports" => "give the port as a variable (`env = { PORT = 3000 }`), or, if rota is to open it, as `listen`".to_owned(),
        _ => format!("it is called `{}` here", key.name),
    }
}

/// Examples at the end of what a type says of itself are for the help.
fn with_examples(at: Place, why: String) -> Problem {
    match why
        .strip_suffix(')')
        .and_then(|why| why.split_once(" (examples: "))
    {
        Some((why, examples)) => Problem::new(at, why).help(format!("examples: {examples}")),
        None => Problem::new(at, why),
    }
}

fn misfit(key: &Key, node: &Node) -> Problem {
    let bad = key.kind.misfit(node);
    let text = format!("`{}` is {}", key.name, key.kind.expected());
    let problem = Problem::new(bad.at.clone(), text);
    match (&bad.value, key.kind) {
        (Value::Text(word), Kind::Words(words)) => {
            let problem = problem.label(format!("there is no `{word}`"));
            match closest(word, words.iter().copied()) {
                Some(close) => problem.help(format!("did you mean \"{close}\"?")),
                None => problem,
            }
        }
        (Value::Text(text), Kind::Flag) if matches!(text.as_str(), "true" | "false") => {
            problem.label("this is text").help("leave the quotes out")
        }
        _ => problem
            .label(format!("this is {}", bad.what()))
            .help(format!("for example `{} = {}`", key.name, key.example)),
    }
}

impl Variables {
    pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Self {
        let mut variables = Self::default();
        let Value::Table(entries) = &node.value else {
            return variables;
        };
        for entry in entries {
            match &entry.node.value {
                Value::Table(inner) => {
                    let read = inner
                        .iter()
                        .filter_map(|entry| variable(entry, true, problems));
                    let profile = (entry.key.clone(), entry.at.clone(), read.collect());
                    variables.profiles.push(profile);
                }
                _ => variables.plain.extend(variable(entry, false, problems)),
            }
        }
        variables
    }

    pub(super) fn profile(&self, name: &str) -> &[Variable] {
        let found = self.profiles.iter().find(|(profile, ..)| profile == name);
        found.map_or(&[], |(_, _, variables)| variables)
    }
}

/// The value is no part of what is said: it may be a secret.
fn variable(entry: &Entry, in_profile: bool, problems: &mut Vec<Problem>) -> Option<Variable> {
    let name = &entry.key;
    let mut bad = |at: &Place, text: String, help: &str| {
        problems.push(Problem::new(at.clone(), text).help(help));
        None
    };
    if name.is_empty() || name.contains(['=', '\0']) {
        return bad(
            &entry.at,
            "the name of a variable cannot be empty, nor have `=` in it".to_owned(),
            "write NAME = \"value\"",
        );
    }
    let Some(value) = entry.node.word() else {
        let text = format!("the variable `{name}` is {}", entry.node.what());
        return bad(
            &entry.at,
            text,
            match (in_profile, &entry.node.value) {
                (true, Value::Table(_)) => "there are no profiles in profiles",
                _ => "a variable is text, a number, true or false; write it in quotes",
            },
        );
    };
    if value.contains('\0') {
        return bad(
            &entry.at,
            format!("there is a zero byte in the variable `{name}`"),
            "no program can be given one",
        );
    }
    Some(Variable {
        name: name.clone(),
        value,
        at: entry.at.clone(),
    })
}
