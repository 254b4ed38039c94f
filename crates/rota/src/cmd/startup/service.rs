//! What there is to know of the service.

use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_sys::accounts::Accounts;

use crate::args::StartupPlace;
use crate::cmd::own_program;
use crate::context::Context;
use crate::failure::{Failure, Stop};

/// A service that starts a user's daemon.
#[derive(Debug)]
pub(super) struct Service {
    /// Its name, without an ending.
    pub(super) name: String,
    /// Whose daemon it is.
    pub(super) user: String,
    /// That user's number.
    pub(super) uid: u32,
    /// That user's home.
    pub(super) folder: PathBuf,
    /// `ROTA_HOME`.
    pub(super) home: PathBuf,
    /// This program.
    pub(super) program: PathBuf,
    /// It belongs to the user's own systemd.
    pub(super) user_level: bool,
    /// Where the system's files are: `/`, or the folder of an image.
    pub(super) root: PathBuf,
    /// It is not an image.
    pub(super) live: bool,
}

impl Service {
    /// Finds out what the flags leave open.
    ///
    /// # Errors
    /// A user that does not exist, or paths that no unit or script can name.
    pub(super) fn of(context: &Context, place: &StartupPlace) -> Result<Self, Stop> {
        let own = rustix::process::geteuid().as_raw();
        let accounts = accounts(place.root.as_deref()).map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot read the list of users").because(&error)
        })?;
        let found = match &place.user {
            Some(name) => accounts.user(name),
            None => accounts.user_of(own),
        };
        let Some(user) = found else {
            let who = place.user.clone().unwrap_or_else(|| own.to_string());
            return Err(Failure::usage(format!("there is no user {who}")).into());
        };
        if place.user_level && user.uid != own {
            let text = format!(
                "--user-level is for the user who calls, and you are not {}",
                user.name
            );
            return Err(Failure::usage(text)
                .hint("call it as that user, or leave --user-level out")
                .into());
        }
        let folder = PathBuf::from(&user.home);
        let set = std::env::var_os("ROTA_HOME").is_some_and(|value| !value.is_empty());
        let home = match set || user.uid == own {
            true => context.home()?.path().to_owned(),
            false => folder.join(".rota"),
        };
        let name = match &place.service_name {
            Some(name) => checked(name)?,
            None if place.user_level || user.uid == 0 => "rota".to_owned(),
            None => checked(&format!("rota-{}", user.name))?,
        };
        let root = place.root.clone().unwrap_or_else(|| PathBuf::from("/"));
        let service = Self {
            name,
            user: user.name.clone(),
            uid: user.uid,
            folder,
            home,
            program: own_program::path()?,
            user_level: place.user_level,
            root,
            live: place.root.is_none(),
        };
        for path in [&service.folder, &service.home, &service.program] {
            writable(path)?;
        }
        Ok(service)
    }

    /// What is said of whose service it is.
    pub(super) fn owner(&self) -> String {
        format!("the apps of {} in {}", self.user, self.home.display())
    }
}

/// The users of this system, or of an image.
fn accounts(root: Option<&Path>) -> std::io::Result<Accounts> {
    let Some(root) = root.filter(|root| root.join("etc/passwd").exists()) else {
        return Accounts::read();
    };
    let read = |name: &str| std::fs::read_to_string(root.join("etc").join(name));
    Ok(Accounts::parse(&read("passwd")?, &read("group")?))
}

/// A name that is one everywhere: of a unit, of a script, of a file.
fn checked(name: &str) -> Result<String, Stop> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match !name.is_empty() && name.len() <= 64 && name.chars().all(fine) {
        true => Ok(name.to_owned()),
        false => Err(
            Failure::usage(format!("`{name}` cannot be the name of a service"))
                .hint("--service-name takes letters, digits, - and _")
                .into(),
        ),
    }
}

/// What no quoting brings safely through a unit, a script and another shell.
fn writable(path: &Path) -> Result<(), Stop> {
    let bad = |c: char| c.is_control() || "'\"\\`$%".contains(c);
    match path.to_str() {
        Some(text) if !text.contains(bad) && path.is_absolute() => Ok(()),
        _ => Err(Failure::usage(format!(
            "{} cannot stand in a service's file: it is no absolute path, or has quotes, $, % or the like in it",
            path.display()
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_that_nothing_can_carry_are_refused() {
        for name in ["rota", "rota-deploy", "a_1"] {
            assert!(checked(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "../x", "a@b", "a.service", "ä"] {
            assert!(checked(name).is_err(), "{name}");
        }
        for path in ["/usr/bin/rota", "/home/two words/.rota"] {
            assert!(writable(Path::new(path)).is_ok(), "{path}");
        }
        for path in [
            "rota",
            "/a'b",
            "/a\"b",
            "/$x",
            "/%h",
            "/a\nExecStart=b",
            "/a\\b",
        ] {
            assert!(writable(Path::new(path)).is_err(), "{path}");
        }
    }
}
