//! What the readers of all these files share.

use std::io;
use std::path::{Path, PathBuf};

use super::mistake::Mistake;
use crate::file::{EnvOrigin, FileApp, KEYS, Origins, Outside, dotenv};
use crate::{AppName, AppSpec, Env};

/// Where a file is, and what it is read with.
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    /// What relative paths are meant from.
    pub(super) folder: &'a Path,
    pub(super) profile: Option<&'a str>,
    pub(super) outside: &'a Outside<'a>,
}

impl Place<'_> {
    /// An app of the file with the origins of its settings; `own` are the variables that the file gives.
    pub(super) fn app(&self, spec: AppSpec, own: Own) -> FileApp {
        let plain = AppSpec::new(AppName::placeholder(), "", self.folder);
        let mut origins = Origins {
            file: self.file.to_owned(),
            profile: self.profile.map(str::to_owned),
            ..Origins::default()
        };
        let said = KEYS
            .iter()
            .filter(|key| key.is_field() && key.value(&spec) != key.value(&plain));
        // Lines are not known: what was read is the value of a program, or data without places.
        origins.keys = said.map(|key| (key.name.to_owned(), 0)).collect();
        for (name, _) in spec.env.iter() {
            let file = own
                .files
                .iter()
                .rev()
                .find(|(_, env)| env.get(name).is_some());
            let origin = EnvOrigin {
                file: file.map(|(file, _)| file.clone()),
                line: file.map(|_| 0),
                shell: file.is_none(),
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
    pub(super) fn beside(
        &self,
        known: &Env,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<(PathBuf, Env)> {
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
        let env = variables
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect();
        Some((path, env))
    }
}

/// Variables by the file that gives them, the later ones winning.
#[derive(Default)]
pub(super) struct Own {
    pub(super) files: Vec<(PathBuf, Env)>,
}

impl Own {
    /// Adds them to the environment of an app.
    pub(super) fn give(&self, env: &mut Env) {
        for (_, own) in &self.files {
            env.extend(own);
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
