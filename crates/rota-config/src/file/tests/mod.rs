//! rota.toml as a whole.

mod errors;
mod export;
mod meaning;
mod table;

use std::io;
use std::path::Path;

use super::{ConfigFile, FileApp, Outside, Problem};
use crate::Env;

const PATH: &str = "/srv/shop/rota.toml";

/// The shell of the tests.
fn shell() -> Env {
    [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/home/me"),
        ("LC_ALL", "C"),
        ("AWS_REGION", "eu"),
        ("AWS_KEY", "x"),
        ("SSH_TTY", "/dev/pts/1"),
    ]
    .into_iter()
    .collect()
}

/// The files of variables of the tests.
fn files(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/srv/shop/.env") => {
            Ok("PORT=3000\nURL=http://localhost:${PORT}/$HOME\nNODE_ENV=file\n".into())
        }
        Some("/srv/shop/more.env") => Ok("PORT=4000\n".into()),
        Some("/srv/shop/bad.env") => Ok("A=1\nwhat is this\n".into()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

fn read(text: &str, profile: Option<&str>) -> Result<Vec<FileApp>, Vec<Problem>> {
    let caller = shell();
    let outside = Outside {
        caller: &caller,
        read: &files,
    };
    ConfigFile::parse(PATH, text).apps(profile, &outside)
}

#[track_caller]
fn apps(text: &str) -> Vec<FileApp> {
    read(text, None).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[track_caller]
fn app(settings: &str) -> FileApp {
    apps(&format!("[apps.web]\nscript = \"app.js\"\n{settings}")).remove(0)
}
