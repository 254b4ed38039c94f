//! Finding and reading a configuration file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_config::file::{ConfigFile, FileApp, Outside, Problem};

use super::tell::show;
use crate::args::EnvFlag;
use crate::cmd::specs;
use crate::context::Context;
use crate::failure::{Failure, Stop};

/// The file that is meant when none is named.
pub(in crate::cmd) const DEFAULT: &str = "rota.toml";
/// A larger file is none of ours, in bytes.
const LARGEST: u64 = 1 << 20;

/// The configuration file among the words of `start` and `run`; without any word, the one in this folder.
///
/// # Errors
/// If there is none, or more is named than one file.
pub(in crate::cmd) fn named(words: &[String]) -> Result<Option<PathBuf>, Failure> {
    if words.is_empty() {
        let path = PathBuf::from(DEFAULT);
        return match path.is_file() {
            true => Ok(Some(path)),
            false => Err(Failure::usage(
                "there is nothing to start: no script is named, and there is no rota.toml here",
            )
            .hint("name a script (`rota start app.js`), or write a rota.toml with `rota init`")),
        };
    }
    only(words)
}

/// The configuration file, if one is named.
///
/// # Errors
/// If more is named than that.
pub(in crate::cmd) fn only(words: &[String]) -> Result<Option<PathBuf>, Failure> {
    let file = words.iter().find(|word| is_config(word));
    match file {
        Some(file) if words.len() > 1 => Err(Failure::usage(format!(
            "{file} is a configuration file, and more is named beside it"
        ))
        .hint("one file at a time, and nothing else; `--only` chooses apps of it")),
        file => Ok(file.map(PathBuf::from)),
    }
}

fn is_config(word: &str) -> bool {
    Path::new(word)
        .extension()
        .is_some_and(|extension| extension == "toml")
}

/// Reads a file; what is wrong with it is in it.
///
/// # Errors
/// If it cannot be read at all.
pub(in crate::cmd) fn read(path: &Path) -> Result<ConfigFile, Failure> {
    let absolute = specs::absolute(path)?;
    let text = read_text(&absolute).map_err(|error| {
        let failure = Failure::new(
            ExitCode::CannotRun,
            format!("cannot read {}", path.display()),
        );
        let failure = failure.because(&error);
        match error.kind() {
            io::ErrorKind::NotFound => {
                failure.hint("`rota init` writes a rota.toml for the project in this folder")
            }
            _ => failure,
        }
    })?;
    Ok(ConfigFile::parse(absolute, text))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(io::Error::other("it is larger than 1 MiB")),
        false => Ok(text),
    }
}

/// The apps of a file under a profile, or everything that is wrong with it.
pub(in crate::cmd) fn describe(
    file: &ConfigFile,
    profile: Option<&str>,
) -> Result<Vec<FileApp>, Vec<Problem>> {
    let caller = specs::caller_env();
    let outside = Outside {
        caller: &caller,
        read: &read_text,
    };
    file.apps(profile, &outside)
}

/// The apps of a file, ready to be started; what is wrong is told before.
///
/// # Errors
/// If anything is wrong with it.
pub(super) fn apps(
    context: &Context,
    path: &Path,
    profile: Option<&str>,
) -> Result<(ConfigFile, Vec<FileApp>), Stop> {
    let file = read(path)?;
    let apps = under(context, path, &file, profile)?;
    Ok((file, apps))
}

/// The apps of a file under another profile.
///
/// # Errors
/// If anything is wrong with it.
pub(super) fn under(
    context: &Context,
    path: &Path,
    file: &ConfigFile,
    profile: Option<&str>,
) -> Result<Vec<FileApp>, Stop> {
    let profile = profile.filter(|name| !name.is_empty());
    let apps = match describe(file, profile) {
        Ok(apps) => apps,
        Err(problems) => return Err(refuse(context, path, file, &problems, ExitCode::Usage)),
    };
    if let Some(profile) = profile {
        known_profile(file, path, profile)?;
    }
    Ok(apps)
}

/// Refuses apps whose programs are not there.
pub(super) fn check_programs(
    context: &Context,
    path: &Path,
    file: &ConfigFile,
    apps: &[FileApp],
) -> Result<(), Stop> {
    let problems = file.programs(apps);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(refuse(context, path, file, &problems, ExitCode::CannotRun)),
    }
}

fn refuse(
    context: &Context,
    path: &Path,
    file: &ConfigFile,
    problems: &[Problem],
    code: ExitCode,
) -> Stop {
    show(context, path, file, problems);
    let count = match problems.len() {
        1 => "a mistake".to_owned(),
        more => format!("{more} mistakes"),
    };
    let text = format!("{} has {count}; nothing was done", path.display());
    Failure::new(code, text).into()
}

fn known_profile(file: &ConfigFile, path: &Path, profile: &str) -> Result<(), Failure> {
    let profiles = file.profiles();
    if profiles.contains(&profile) {
        return Ok(());
    }
    let failure = Failure::usage(format!("{} has no profile `{profile}`", path.display()));
    Err(match (file.closest_profile(profile), profiles.is_empty()) {
        (Some(close), _) => failure.hint(format!("did you mean `{close}`?")),
        (None, true) => failure.hint(format!(
            "a profile is a table of variables: [env.{profile}]"
        )),
        (None, false) => failure.hint(format!("it has {}", profiles.join(", "))),
    })
}

/// The profile of `--env`, `None` if it is not given; `Some("")` is none at all. The variables of a file's apps stand
/// in the file.
pub(super) fn profile(flags: &[EnvFlag]) -> Result<Option<&str>, Failure> {
    let mut profile = None;
    for flag in flags {
        match flag {
            EnvFlag::Variable(pair) => {
                let text = format!(
                    "--env {}=…: the variables of these apps stand in the file",
                    pair.key
                );
                return Err(Failure::usage(text).hint(
                    "write it there under [env] or [apps.NAME.env]; --env PROFILE chooses a profile",
                ));
            }
            EnvFlag::Profile(_) if profile.is_some() => {
                return Err(Failure::usage("--env names two profiles").hint("choose one"));
            }
            EnvFlag::Profile(name) => profile = Some(name.as_str()),
        }
    }
    Ok(profile)
}
