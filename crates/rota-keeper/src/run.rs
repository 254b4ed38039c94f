//! The entry point.

use std::process::ExitCode;

use crate::keeper::Keeper;
use crate::log;
use crate::options::KeeperOptions;

/// Runs the keeper until its supervisor tells it to exit. Call it in a process with one thread.
///
/// The exit code is the one that the supervisor has chosen; 1 when the keeper cannot start.
#[must_use]
pub fn run(options: KeeperOptions) -> ExitCode {
    match Keeper::new(options) {
        Ok(keeper) => ExitCode::from(u8::try_from(keeper.run() & 0xff).unwrap_or(1)),
        Err(error) => {
            log(format_args!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}
