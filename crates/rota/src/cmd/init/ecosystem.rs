//! A rota.toml from PM2's ecosystem file.

use std::path::{Path, PathBuf};

use rota_config::Env;
use rota_config::file::{FileApp, Translated, translation};

use super::Written;
use crate::cmd::{file, specs};
use crate::failure::Failure;
use crate::files::{Fault, Kind, read, usual};

/// The ecosystem file of a folder.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    usual(folder, |kind| {
        matches!(kind, Kind::JavaScript | Kind::Json | Kind::Yaml)
    })
}

/// What it says, as a rota.toml beside it.
///
/// # Errors
/// If it cannot be read, or has mistakes.
pub(super) fn translate(path: &Path) -> Result<Written, Failure> {
    let source = read(path)?;
    let caller = specs::caller_env();
    let apps = |profile: Option<&str>| {
        source
            .apps(profile, &caller)
            .map_err(|faults| refused(path, &faults))
    };
    let plain = apps(None)?;
    file::warn(&plain.warnings);
    let mut translated: Vec<Translated> = plain
        .apps
        .into_iter()
        .map(|app| Translated {
            app,
            profiles: Vec::new(),
        })
        .collect();
    for profile in source.profiles() {
        // In the order of the file, whatever the profile makes of the names.
        let under = apps(Some(&profile))?.apps;
        for (one, under) in translated.iter_mut().zip(under) {
            let changed = changed(&one.app, &under);
            one.profiles.push((profile.clone(), changed));
        }
    }
    let folder = source.path().parent().unwrap_or(Path::new("/"));
    Ok(Written {
        text: translation(&path.display().to_string(), folder, &translated),
        names: translated
            .iter()
            .map(|one| one.app.spec.name.to_string())
            .collect(),
    })
}

fn changed(plain: &FileApp, under: &FileApp) -> Env {
    let pairs = under.spec.env.iter();
    pairs
        .filter(|(name, value)| plain.spec.env.get(name) != Some(value))
        .collect()
}

fn refused(path: &Path, faults: &[Fault]) -> Failure {
    let text = format!("{} cannot be translated: it has mistakes", path.display());
    let mut failure =
        Failure::usage(text).hint(format!("`rota check {}` tells them", path.display()));
    failure.detail = faults
        .iter()
        .map(|fault| match fault {
            Fault::Line(problem) => problem.message.clone(),
            Fault::Field(mistake) => crate::output::clean(&mistake.to_string()).into_owned(),
        })
        .collect();
    failure
}
