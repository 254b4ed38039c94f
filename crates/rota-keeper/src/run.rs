//! The entry points.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use rota_sys::memfd;

use crate::image;
use crate::keeper::Keeper;
use crate::options::{KeeperOptions, Resume};
use crate::state::{STATE_MAX, State, StateError};
use crate::upgrade::proof;
use crate::{log, say};

/// Runs the keeper until its supervisor tells it to exit. Call it in a process with one thread.
///
/// The exit code is the one that the supervisor has chosen; 1 when the keeper cannot start.
#[must_use]
pub fn run(options: KeeperOptions) -> ExitCode {
    match Keeper::new(options) {
        Ok(keeper) => code(keeper.run()),
        Err(error) => {
            log(format_args!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Goes on as the keeper that another image of this process was. Call it in a process with one thread.
///
/// If it cannot, it becomes the program of before again, if there is one. The exit code is as for [`run`].
#[must_use]
pub fn resume(resume: Resume) -> ExitCode {
    match take_over(&resume.state) {
        Ok(keeper) => code(keeper.resumed(resume).run()),
        Err(why) => {
            log(format_args!("cannot go on as the keeper: {why}"));
            let error = image::give_back(&resume, &why);
            log(format_args!(
                "cannot go back to the program of before: {error}"
            ));
            ExitCode::FAILURE
        }
    }
}

/// Whether this program could go on with a state: says so on stderr and exits with 0, or says why not.
#[must_use]
pub fn trial(state: OwnedFd) -> ExitCode {
    let understood = read(&state).and_then(|bytes| {
        State::decode(&bytes).map_err(describe)?;
        Ok(proof(&bytes))
    });
    match understood {
        Ok(proof) => {
            say(format_args!("{proof}"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            log(format_args!("{why}"));
            ExitCode::FAILURE
        }
    }
}

fn take_over(state: &OwnedFd) -> Result<Keeper, String> {
    let bytes = read(state)?;
    let state = State::decode(&bytes).map_err(describe)?;
    Keeper::restored(&state).map_err(|error| error.to_string())
}

fn read(state: &OwnedFd) -> Result<Vec<u8>, String> {
    memfd::read(state, STATE_MAX).map_err(|error| format!("cannot read the state: {error}"))
}

fn describe(error: StateError) -> String {
    let reason = std::error::Error::source(&error).map(|source| format!(": {source}"));
    format!(
        "cannot take the state over: {error}{}",
        reason.unwrap_or_default()
    )
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}
