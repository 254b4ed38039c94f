//! A configuration file as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::graph::{circle, waves};
use super::node::{Entry, Node, Place, Value, from_toml};
use super::problem::{Problem, closest, line_and_column};
use super::settings::{Owner, Settings, Variables};
use crate::AppName;

/// A configuration file that has been read, with everything that is wrong with it.
#[derive(Debug)]
pub struct ConfigFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) problems: Vec<Problem>,
    pub(super) defaults: Settings,
    pub(super) env: Variables,
    pub(super) apps: Vec<AppTable>,
}

/// `[apps.NAME]`.
#[derive(Debug)]
pub(super) struct AppTable {
    pub(super) name: AppName,
    pub(super) at: Place,
    pub(super) settings: Settings,
}

impl AppTable {
    fn waits_for(&self) -> impl Iterator<Item = &str> {
        let names = self.settings.depends_on.iter();
        names.map(|(name, _)| name.as_str())
    }
}

/// The tables that a file may have.
const TABLES: [&str; 3] = ["defaults", "env", "apps"];

impl ConfigFile {
    /// Reads the text of a file; `path` is absolute. What is wrong is in [`Self::problems`].
    pub fn parse(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let (entries, syntax) = from_toml(&text);
        let mut file = Self {
            path,
            text,
            problems: Vec::new(),
            defaults: Settings::default(),
            env: Variables::default(),
            apps: Vec::new(),
        };
        for entry in &entries {
            file.table(entry);
        }
        if file.apps.is_empty() && file.problems.is_empty() {
            let end = file.text.len();
            file.problems.push(
                Problem::new(end..end, "the file names no app")
                    .help("add one: [apps.web], and below it script = \"app.js\"")
                    .missing(),
            );
        }
        file.dependencies();
        file.settle(syntax);
        file
    }

    /// Everything that is wrong with it, in the order of its lines.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of its apps, in its order.
    pub fn names(&self) -> impl Iterator<Item = &AppName> {
        self.apps.iter().map(|app| &app.name)
    }

    /// Its apps in groups: all that an app waits for is in earlier groups.
    pub fn order(&self) -> Vec<Vec<AppName>> {
        let edges: Vec<(&str, Vec<&str>)> = self
            .apps
            .iter()
            .map(|app| (app.name.as_str(), app.waits_for().collect()))
            .collect();
        let name = |text: &str| self.names().find(|name| name.as_str() == text).cloned();
        let groups = waves(&edges).into_iter();
        groups
            .map(|group| group.into_iter().filter_map(name).collect())
            .collect()
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> Vec<&str> {
        let apps = self.apps.iter().map(|app| &app.settings.env);
        let profiles = apps.chain([&self.env]).flat_map(|env| &env.profiles);
        let mut names: Vec<&str> = profiles.map(|(name, ..)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The profile that was probably meant.
    pub fn closest_profile(&self, name: &str) -> Option<&str> {
        closest(name, self.profiles())
    }

    /// The app that was probably meant.
    pub fn closest_app(&self, name: &str) -> Option<&str> {
        closest(name, self.names().map(AppName::as_str))
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    pub(super) fn line(&self, at: &Place) -> u32 {
        line_and_column(&self.text, at.start).0
    }

    fn table(&mut self, entry: &Entry) {
        if !TABLES.contains(&entry.key.as_str()) {
            self.problems.push(unknown_table(entry));
            return;
        }
        let Value::Table(entries) = &entry.node.value else {
            self.problems.push(no_table(&entry.key, &entry.node));
            return;
        };
        match entry.key.as_str() {
            "defaults" => {
                let folder = self.folder().to_owned();
                self.defaults =
                    Settings::read(entries, Owner::Defaults, &folder, &mut self.problems);
            }
            "env" => self.env = Variables::read(&entry.node, &mut self.problems),
            _ => entries.iter().for_each(|entry| self.app(entry)),
        }
    }

    fn app(&mut self, entry: &Entry) {
        let name = match AppName::new(entry.key.clone()) {
            Ok(name) => Some(name),
            Err(error) => {
                self.problems
                    .push(Problem::new(entry.at.clone(), error.to_string()));
                None
            }
        };
        let Value::Table(entries) = &entry.node.value else {
            let text = format!("`{}` is not the table of an app", entry.key);
            let problem = Problem::new(entry.at.clone(), text)
                .label(format!("this is {}", entry.node.what()));
            let help = format!(
                "write [apps.{}], and below it script = \"app.js\"",
                entry.key
            );
            self.problems.push(problem.help(help));
            return;
        };
        let folder = self.folder().to_owned();
        let settings = Settings::read(entries, Owner::App(&entry.key), &folder, &mut self.problems);
        if !entries.iter().any(|entry| entry.key == "script") {
            let text = format!("the app `{}` has no script", entry.key);
            let problem =
                Problem::new(entry.at.clone(), text).help("add what it runs: script = \"app.js\"");
            self.problems.push(problem.missing());
        }
        if let Some(name) = name {
            self.apps.push(AppTable {
                name,
                at: entry.at.clone(),
                settings,
            });
        }
    }

    /// Names in `depends_on` exist, and nobody waits for himself.
    fn dependencies(&mut self) {
        let mut problems = Vec::new();
        for app in &self.apps {
            for (name, at) in &app.settings.depends_on {
                if !self.apps.iter().any(|other| other.name.as_str() == name) {
                    let text = format!(
                        "`{}` depends on `{name}`, which this file does not have",
                        app.name
                    );
                    let mut problem = Problem::new(at.clone(), text).missing();
                    if let Some(close) = self.closest_app(name) {
                        problem = problem.help(format!("did you mean `{close}`?"));
                    }
                    problems.push(problem);
                }
            }
        }
        problems.extend(self.circle());
        self.problems.extend(problems);
    }

    fn circle(&self) -> Option<Problem> {
        let after: BTreeMap<&str, Vec<&str>> = self
            .apps
            .iter()
            .map(|app| (app.name.as_str(), app.waits_for().collect()))
            .collect();
        let chain = circle(&after)?;
        let place = |from: &str, to: &str| {
            let app = self.apps.iter().find(|app| app.name.as_str() == from)?;
            let (_, at) = app
                .settings
                .depends_on
                .iter()
                .find(|(name, _)| name == to)?;
            Some(at.clone())
        };
        let mut places = chain
            .windows(2)
            .filter_map(|pair| Some((place(&pair[0], &pair[1])?, pair)));
        let (first, _) = places.next()?;
        let text = format!("apps wait for each other: {}", chain.join(" → "));
        let mut problem = Problem::new(first, text).label("begins here");
        for (at, pair) in places {
            problem = problem.also(at, format!("`{}` waits for `{}`", pair[0], pair[1]));
        }
        Some(problem.help("take one of them out of `depends_on`"))
    }

    /// Joins both kinds of problems. What could not be read explains why something is missing.
    fn settle(&mut self, syntax: Vec<Problem>) {
        if !syntax.is_empty() {
            let lines: Vec<u32> = syntax
                .iter()
                .map(|problem| self.line(&problem.at))
                .collect();
            let mut kept = std::mem::take(&mut self.problems);
            kept.retain(|problem| !problem.missing && !lines.contains(&self.line(&problem.at)));
            self.problems = kept;
        }
        self.problems.extend(syntax);
        self.problems.sort_by_key(|problem| problem.at.start);
    }
}

fn no_table(name: &str, node: &Node) -> Problem {
    let problem = Problem::new(node.at.clone(), format!("`{name}` is a table"));
    let help = match name {
        "apps" => "write [apps.NAME] for each app".to_owned(),
        name => format!("write [{name}], and the settings below it"),
    };
    problem.label(format!("this is {}", node.what())).help(help)
}

fn unknown_table(entry: &Entry) -> Problem {
    let word = entry.key.as_str();
    let table = matches!(entry.node.value, Value::Table(_));
    let text = match table {
        true => format!("unknown table `{word}`"),
        false => format!("unknown key `{word}`"),
    };
    let problem = Problem::new(entry.at.clone(), text);
    if !table && super::keys::key(word).is_some() {
        let help = format!(
            "a setting stands in a table: write `{word}` below [apps.NAME], or below [defaults] for all apps"
        );
        return problem.label("at the top of the file").help(help);
    }
    let help = match word {
        "app" | "services" | "service" | "processes" | "programs" | "process" => {
            "apps stand in [apps.NAME]".to_owned()
        }
        "default" | "common" | "global" => "settings for all apps stand in [defaults]".to_owned(),
        _ if word.starts_with("env_") => {
            format!("a profile is a table in env: [env.{}]", &word[4..])
        }
        _ => match closest(word, TABLES) {
            Some(close) => format!("did you mean `{close}`?"),
            None if table => {
                format!("a file has [defaults], [env] and [apps.NAME]; is it [apps.{word}]?")
            }
            None => "a file has [defaults], [env] and [apps.NAME]".to_owned(),
        },
    };
    problem.help(help)
}
