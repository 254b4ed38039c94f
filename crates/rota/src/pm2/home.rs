//! Where the daemon of `pm2` is, and where files are that PM2 has and rota has not.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rota_api::ExitCode;

use crate::failure::Failure;

fn set(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    std::path::absolute(PathBuf::from(value)).ok()
}

/// The daemon's home: ROTA_HOME; else `rota` in PM2_HOME, so that whoever keeps several PM2s apart keeps several rotas
/// apart; else what rota itself takes.
pub fn rota_home() -> Option<PathBuf> {
    match (set("ROTA_HOME"), set("PM2_HOME")) {
        (None, Some(home)) => Some(home.join("rota")),
        _ => None,
    }
}

/// The folder of dump.pm2 and module_conf.json: PM2_HOME, or `pm2` in the daemon's home.
pub fn pm2_home(rota_home: &Path) -> PathBuf {
    set("PM2_HOME").unwrap_or_else(|| rota_home.join("pm2"))
}

/// Reads a file of that folder; `None` if it is not there.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Writes a file of that folder for its owner alone, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let attempt = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    attempt().map_err(|error| failed("write", path, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot {what} {}", path.display());
    Failure::new(ExitCode::Failed, text).because(error)
}
