//! From a file to the apps that it describes.

use std::io;
use std::path::{Path, PathBuf};

use super::document::{AppTable, ConfigFile};
use super::dotenv;
use super::keys::KEYS;
use super::node::Place;
use super::origins::{EnvOrigin, Origins};
use super::problem::Problem;
use super::settings::{Field, Inherit, Variable, scratch};
use crate::{AppName, AppSpec, Env, ResolveErrorKind, resolve};

/// An app of a file.
#[derive(Debug, Clone)]
pub struct FileApp {
    /// Its specification, with its environment.
    pub spec: AppSpec,
    /// Where its settings come from.
    pub origins: Origins,
    /// What must be ready before it is started.
    pub depends_on: Vec<AppName>,
}

/// What the reading of apps needs from outside.
pub struct Outside<'a> {
    /// The environment of whoever asks.
    pub caller: &'a Env,
    /// Reads a file of variables.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Variables that programs need to run at all; every app has those of whoever starts it. `LC_*` besides.
pub const USUAL: [&str; 9] = [
    "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
];

impl ConfigFile {
    /// The apps of the file under a profile, in its order; none where something is wrong.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn apps(
        &self,
        profile: Option<&str>,
        outside: &Outside<'_>,
    ) -> Result<Vec<FileApp>, Vec<Problem>> {
        let mut problems = self.problems.clone();
        let apps: Vec<FileApp> = self
            .apps
            .iter()
            .map(|table| self.build(table, profile, outside, &mut problems))
            .collect();
        problems.sort_by_key(|problem| problem.at.start);
        problems.dedup();
        match problems.is_empty() {
            true => Ok(apps),
            false => Err(problems),
        }
    }

    /// What is wrong with what the apps run: a look at the file system.
    pub fn programs(&self, apps: &[FileApp]) -> Vec<Problem> {
        let table = |app: &FileApp| self.apps.iter().find(|table| table.name == app.spec.name);
        let mut problems: Vec<Problem> = apps
            .iter()
            .filter_map(|app| self.program(table(app)?, app))
            .collect();
        problems.sort_by_key(|problem| problem.at.start);
        problems
    }

    fn program(&self, table: &AppTable, app: &FileApp) -> Option<Problem> {
        let error = resolve(&app.spec).err()?;
        let key = match &error.kind {
            ResolveErrorKind::BadCwd { .. } => "cwd",
            ResolveErrorKind::NoInterpreter { .. } => "interpreter",
            _ => "script",
        };
        let field = [key, "script"].into_iter().find_map(|key| {
            let own = table.settings.field(key);
            own.or_else(|| self.defaults.field(key))
        });
        let at = field.map_or_else(|| table.at.clone(), |field| field.node.at.clone());
        let problem = Problem::new(at, format!("{}: {error}", app.spec.name));
        Some(match error.hint {
            Some(hint) => problem.help(hint),
            None => problem,
        })
    }

    fn build(
        &self,
        table: &AppTable,
        profile: Option<&str>,
        outside: &Outside<'_>,
        problems: &mut Vec<Problem>,
    ) -> FileApp {
        let folder = self.folder();
        let mut app = FileApp {
            spec: AppSpec {
                name: table.name.clone(),
                ..scratch(folder)
            },
            origins: Origins {
                file: self.path.clone(),
                profile: profile.map(str::to_owned),
                ..Origins::default()
            },
            depends_on: Vec::new(),
        };
        for field in self.fields(table) {
            // What is wrong with a value has been told when it was read.
            if field.key.set(&mut app.spec, &field.node, folder).is_ok() {
                let line = self.line(&field.at);
                app.origins.keys.insert(field.key.name.to_owned(), line);
            }
        }
        let names = self.apps.iter().map(|other| &other.name);
        let depends_on = table.settings.depends_on.iter();
        app.depends_on = names
            .filter(|name| {
                depends_on
                    .clone()
                    .any(|(wanted, _)| wanted == name.as_str())
            })
            .cloned()
            .collect();
        if self.problems.is_empty() {
            Environment {
                file: self,
                app: &mut app,
                outside,
                problems,
            }
            .fill(table, profile);
            // A net under the checks of single keys.
            for problem in app.spec.problems() {
                let text = format!("{}: {problem}", app.spec.name);
                problems.push(Problem::new(table.at.clone(), text));
            }
        }
        app
    }

    /// The app's own settings, and those of the defaults that it does not replace; in the order of the table.
    fn fields<'a>(&'a self, table: &'a AppTable) -> impl Iterator<Item = &'a Field> {
        KEYS.iter().filter_map(move |key| {
            let own = table.settings.field(key.name);
            let field = own.or_else(|| self.defaults.field(key.name))?;
            // A shared setting that means nothing for this app.
            let needed = key
                .needs
                .is_none_or(|needs| table.settings.field(needs).is_some());
            needed.then_some(field)
        })
    }
}

/// Makes the environment of an app: the shell's few, the files, the tables; the later ones win.
struct Environment<'a> {
    file: &'a ConfigFile,
    app: &'a mut FileApp,
    outside: &'a Outside<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Environment<'_> {
    fn fill(&mut self, table: &AppTable, profile: Option<&str>) {
        let file = self.file;
        self.inherit(table);
        let own = table.settings.env_files.as_ref();
        if let Some(files) = own.or(file.defaults.env_files.as_ref()) {
            for (path, at) in &files.texts {
                self.read(path, at);
            }
        }
        let chosen = profile.unwrap_or_default();
        for variables in [&file.env, &table.settings.env] {
            self.set_all(&variables.plain);
            if profile.is_some() {
                self.set_all(variables.profile(chosen));
            }
        }
    }

    fn inherit(&mut self, table: &AppTable) {
        let mut env = self.outside.caller.clone();
        self.app.spec.process.adapt(&mut env);
        let own = table.settings.inherit.as_ref();
        let inherit = own.or(self.file.defaults.inherit.as_ref());
        for (name, value) in env.iter() {
            let named = match inherit {
                Some(Inherit::Names(names)) => {
                    let mut names = names.texts.iter();
                    names
                        .find(|(pattern, _)| matches(pattern, name))
                        .map(|(_, at)| at)
                }
                _ => None,
            };
            let all = matches!(inherit, Some(Inherit::All(true)));
            if named.is_some() || all || usual(name) {
                let origin = EnvOrigin {
                    file: named.map(|_| self.file.path.clone()),
                    line: named.map(|at| self.file.line(at)),
                    shell: true,
                };
                self.set(name, value, origin);
            }
        }
    }

    fn read(&mut self, name: &str, at: &Place) {
        let path = self.file.folder().join(name);
        let text = match (self.outside.read)(&path) {
            Ok(text) => text,
            Err(error) => {
                let text = format!("`env_file`: {} cannot be read: {error}", path.display());
                self.problems.push(Problem::new(at.clone(), text));
                return;
            }
        };
        let env = &self.app.spec.env;
        let (variables, bad) = dotenv::parse(&text, &|name| env.get(name).map(str::to_owned));
        for line in bad {
            let text = format!("{}:{}: {}", path.display(), line.line, line.why);
            self.problems
                .push(Problem::new(at.clone(), text).label("this file"));
        }
        for variable in variables {
            let origin = place(&path, variable.line);
            self.set(&variable.name, &variable.value, origin);
        }
    }

    fn set_all(&mut self, variables: &[Variable]) {
        for variable in variables {
            let origin = place(&self.file.path, self.file.line(&variable.at));
            self.set(&variable.name, &variable.value, origin);
        }
    }

    fn set(&mut self, name: &str, value: &str, origin: EnvOrigin) {
        self.app.spec.env.set(name, value);
        self.app.origins.env.insert(name.to_owned(), origin);
    }
}

fn place(file: &Path, line: u32) -> EnvOrigin {
    EnvOrigin {
        file: Some(PathBuf::from(file)),
        line: Some(line),
        shell: false,
    }
}

/// True for what every app has of whoever starts it.
pub(crate) fn usual(name: &str) -> bool {
    USUAL.contains(&name) || name.starts_with("LC_")
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}
