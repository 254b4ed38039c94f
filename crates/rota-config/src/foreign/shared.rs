//! What the readers of all these files share.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::mistake::Mistake;
use crate::file::{EnvOrigin, FileApp, KEYS, Origins, Outside, dotenv};
use crate::{AppName, AppSpec, Env};

/// Where a file is, and what it is read with.
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    /// What relative paths are meant from.
    pub(super) folder: &'a Path,
    pub(super) lines: &'a Lines,
    pub(super) profile: Option<&'a str>,
    pub(super) outside: &'a Outside<'a>,
}

impl Place<'_> {
    /// An app of the file with the origins of its settings; `own` is what the file says of it.
    pub(super) fn app(&self, spec: AppSpec, own: Own) -> FileApp {
        let plain = AppSpec::new(AppName::placeholder(), "", self.folder);
        let mut origins = Origins {
            file: self.file.to_owned(),
            profile: self.profile.map(str::to_owned),
            ..Origins::default()
        };
        let set = KEYS
            .iter()
            .filter(|key| key.is_field() && key.value(&spec) != key.value(&plain));
        for key in set {
            let said = own.said.get(key.name).unwrap_or(&own.otherwise);
            origins.keys.insert(key.name.to_owned(), said.line);
            if let Some(field) = &said.field {
                origins.fields.insert(key.name.to_owned(), field.clone());
            }
        }
        for (name, _) in spec.env.iter() {
            let mut files = own.files.iter().rev();
            let given = files.find(|given| given.env.get(name).is_some());
            let origin = EnvOrigin {
                file: given.map(|given| given.file.clone()),
                line: given.map(|given| given.lines.get(name).copied().unwrap_or(0)),
                shell: given.is_none(),
            };
            origins.env.insert(name.to_owned(), origin);
        }
        FileApp {
            spec,
            origins,
            depends_on: Vec::new(),
        }
    }

    /// The whole environment of whoever asks, as it fits an app.
    pub(super) fn inherited(&self, spec: &AppSpec) -> Env {
        let mut env = self.outside.caller.clone();
        spec.process.adapt(&mut env);
        if env.get("PWD").is_some() {
            env.set("PWD", spec.cwd.to_string_lossy());
        }
        env
    }

    /// `.env` beside the file, if there is one: it is read as rota.toml's `env_file` would be.
    pub(super) fn beside(&self, known: &Env, mistakes: &mut Vec<Mistake>) -> Option<Given> {
        let path = self.folder.join(".env");
        let text = match (self.outside.read)(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let text = format!("{} cannot be read: {error}", path.display());
                mistakes.push(Mistake::of_file(text));
                return None;
            }
        };
        let (variables, bad) = dotenv::parse(&text, &|name| known.get(name).map(str::to_owned));
        mistakes.extend(bad.iter().map(|line| {
            Mistake::of_file(format!("{}:{}: {}", path.display(), line.line, line.why))
        }));
        let mut given = Given::of(path, Env::new());
        for variable in variables {
            given.lines.insert(variable.name.clone(), variable.line);
            given.env.set(variable.name, variable.value);
        }
        Some(given)
    }
}

/// What files say of an app.
#[derive(Default)]
pub(super) struct Own {
    /// Variables by the file that gives them, the later ones winning.
    pub(super) files: Vec<Given>,
    /// Where the file says what a key is.
    pub(super) said: BTreeMap<&'static str, Said>,
    /// The same for every other key.
    pub(super) otherwise: Said,
}

/// Where a file says something.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// The field, as the file calls it.
    pub(super) field: Option<String>,
    /// Its line, from 1; 0: it is not known.
    pub(super) line: u32,
}

/// Variables that a file gives.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) file: PathBuf,
    pub(super) env: Env,
    /// On which lines, as far as it is known.
    pub(super) lines: BTreeMap<String, u32>,
}

impl Given {
    pub(super) fn of(file: impl Into<PathBuf>, env: Env) -> Self {
        Self {
            file: file.into(),
            env,
            lines: BTreeMap::new(),
        }
    }

    /// The same, where all of them stand on one line.
    pub(super) fn at(mut self, line: u32) -> Self {
        let names = self.env.iter().map(|(name, _)| (name.to_owned(), line));
        self.lines = names.collect();
        self
    }
}

impl Own {
    /// Adds them to the environment of an app.
    pub(super) fn give(&self, env: &mut Env) {
        for given in &self.files {
            env.extend(&given.env);
        }
    }
}

/// The name that is most like a text which may be none: characters that have a meaning in targets or paths become `-`.
///
/// # Errors
/// If nothing helps.
pub(super) fn name(text: &str) -> Result<AppName, crate::NameError> {
    AppName::new(text).or_else(|error| {
        let plain: String = text
            .trim()
            .trim_start_matches(['.', '-', '+', '@', '/'])
            .chars()
            .map(|c| match c {
                '/' | '\\' | ':' | ',' => '-',
                c if c.is_control() => '-',
                c => c,
            })
            .take(64)
            .collect();
        AppName::new(plain.trim()).map_err(|_| error)
    })
}

/// Without `.` parts.
pub(super) fn plain(path: &Path) -> PathBuf {
    crate::file::plain(path)
}
