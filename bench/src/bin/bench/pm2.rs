//! PM2 from npm, into a folder under cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::context::Result;
use crate::process;

/// The major version that is compared with.
const VERSION: &str = "pm2@7";

/// The path of PM2's command, installing it if it is missing.
pub(crate) fn install(folder: &Path) -> Result<PathBuf> {
    let command = folder.join("node_modules/pm2/bin/pm2");
    if !command.exists() {
        eprintln!("bench: installing {VERSION} ...");
        std::fs::create_dir_all(folder)?;
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--prefix",
        ])
        .arg(folder)
        .arg(VERSION);
        process::run(&mut npm, Duration::from_secs(600))?;
    }
    Ok(command)
}

/// The version that is installed. Read, not asked for: `pm2 --version` starts a daemon.
pub(crate) fn version(command: &Path) -> String {
    let read = || {
        let package = command.parent()?.parent()?.join("package.json");
        let package: serde_json::Value =
            serde_json::from_slice(&std::fs::read(package).ok()?).ok()?;
        Some(package.get("version")?.as_str()?.to_owned())
    };
    read().unwrap_or_else(|| "unknown".to_owned())
}
