//! Finding and reading a file that says what is to run.

use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_config::file::{FileApp, closest};
use rota_config::foreign::Taken;

use super::tell::{show, warn};
use crate::args::EnvFlag;
use crate::cmd::specs;
use crate::context::{Context, remark};
use crate::failure::{Failure, Stop};
use crate::files::{Fault, Kind, Source, read, usual};

/// The file that `rota init` writes.
pub(in crate::cmd) const DEFAULT: &str = "rota.toml";

/// The file among the words of `start` and `run`; without any word, the one in this folder.
///
/// # Errors
/// If there is none, or more is named than one file.
pub(in crate::cmd) fn named(words: &[String]) -> Result<Option<PathBuf>, Failure> {
    if !words.is_empty() {
        return only(words);
    }
    match here() {
        Some(path) => Ok(Some(path)),
        None => Err(Failure::usage(
            "there is nothing to start: no script is named, and there is no rota.toml here, no ecosystem file, no Procfile \
             and no package.json",
        )
        .hint("name a script (`rota start app.js`), or write a rota.toml with `rota init`")),
    }
}

/// The file in this folder, which is told if it is none of ours.
pub(in crate::cmd) fn here() -> Option<PathBuf> {
    let path = usual(Path::new("."), |_| true)?;
    if Kind::of(&path) != Some(Kind::Rota) {
        remark(&format!("reading {}", path.display()));
    }
    Some(path)
}

/// The file, if one is named.
///
/// # Errors
/// If more is named than that.
pub(in crate::cmd) fn only(words: &[String]) -> Result<Option<PathBuf>, Failure> {
    let file = words
        .iter()
        .find(|word| Kind::of(Path::new(word)).is_some());
    match file {
        Some(file) if words.len() > 1 => Err(Failure::usage(format!(
            "{file} is a configuration file, and more is named beside it"
        ))
        .hint("one file at a time, and nothing else; `--only` chooses apps of it")),
        file => Ok(file.map(PathBuf::from)),
    }
}

/// The apps of a file under a profile, or everything that is wrong with it.
pub(in crate::cmd) fn describe(file: &Source, profile: Option<&str>) -> Result<Taken, Vec<Fault>> {
    file.apps(profile, &specs::caller_env())
}

/// The apps of a file, ready to be started; what is wrong with it is told before, and what is to be said about it.
///
/// # Errors
/// If anything is wrong with it.
pub(super) fn apps(
    context: &Context,
    path: &Path,
    profile: Option<&str>,
) -> Result<(Source, Taken), Stop> {
    let file = read(path)?;
    let apps = under(context, path, &file, profile)?;
    warn(&apps.warnings);
    Ok((file, apps))
}

/// The apps of a file under another profile.
///
/// # Errors
/// If anything is wrong with it.
pub(super) fn under(
    context: &Context,
    path: &Path,
    file: &Source,
    profile: Option<&str>,
) -> Result<Taken, Stop> {
    let profile = profile.filter(|name| !name.is_empty());
    let apps = match describe(file, profile) {
        Ok(apps) => apps,
        Err(faults) => return Err(refuse(context, path, file, &faults, ExitCode::Usage)),
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
    file: &Source,
    apps: &[FileApp],
) -> Result<(), Stop> {
    let faults = file.programs(apps);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(refuse(context, path, file, &faults, ExitCode::CannotRun)),
    }
}

fn refuse(context: &Context, path: &Path, file: &Source, faults: &[Fault], code: ExitCode) -> Stop {
    show(context, path, file, faults);
    let count = match faults.len() {
        1 => "a mistake".to_owned(),
        more => format!("{more} mistakes"),
    };
    let text = format!("{} has {count}; nothing was done", path.display());
    Failure::new(code, text).into()
}

fn known_profile(file: &Source, path: &Path, profile: &str) -> Result<(), Failure> {
    let profiles = file.profiles();
    if profiles.iter().any(|known| known == profile) {
        return Ok(());
    }
    let failure = Failure::usage(format!("{} has no profile `{profile}`", path.display()));
    let close = closest(profile, profiles.iter().map(String::as_str));
    Err(match (close, profiles.is_empty()) {
        (Some(close), _) => failure.hint(format!("did you mean `{close}`?")),
        (None, true) => failure.hint(file.profile_example(profile)),
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
