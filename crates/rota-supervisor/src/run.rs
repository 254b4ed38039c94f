//! The entry point of `rota __supervisor`.

use std::error::Error;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::task::LocalSet;

use crate::protection::Protection;

/// What a supervisor is started with.
#[derive(Debug)]
pub struct Options {
    /// `ROTA_HOME`.
    pub home: PathBuf,
    /// The socket to the keeper.
    pub keeper_fd: OwnedFd,
    /// Started by `rota run`: output goes to the terminal as well.
    pub foreground: bool,
}

/// Runs a supervisor until the daemon ends. Call it in a process with one thread.
pub fn run(options: Options) -> ExitCode {
    // Before there are threads.
    let protection = Protection::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match LocalSet::new().block_on(&runtime, crate::boot::run(options, protection)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    }
}

/// Says what went wrong, with its causes.
fn fail(error: &dyn Error) -> ExitCode {
    let mut text = format!("rota: the supervisor ends: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    crate::output::tell(&text);
    ExitCode::FAILURE
}
