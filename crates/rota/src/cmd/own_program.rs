//! Where this program lies.

use std::path::PathBuf;

use rota_api::ExitCode;

use crate::failure::{Failure, Stop};

/// The way to this program that is likely to stay: the name on `PATH`, if that means this file.
pub(super) fn path() -> Result<PathBuf, Stop> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot find out where this program lies").because(&error)
    })?;
    if !own.exists() {
        return Err(Failure::new(
            ExitCode::Failed,
            "the file of this program has been replaced or removed",
        )
        .hint("call the new one")
        .into());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::split_paths(&folders).map(|folder| folder.join("rota"));
    let mut named = named.filter(|path| path.is_absolute());
    let same = named.find(|path| std::fs::canonicalize(path).is_ok_and(|real| real == own));
    Ok(same.unwrap_or(own))
}
