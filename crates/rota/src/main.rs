//! `rota`: the command line, and the entry points of the daemon's two processes.

mod args;
mod cmd;
mod context;
mod daemon;
mod entry;
mod failure;
mod files;
mod output;

use std::process::ExitCode;

/// The daemon's processes are this same program; their verbs are no part of the command line.
fn main() -> ExitCode {
    let verb = std::env::args_os().nth(1);
    match verb.as_ref().and_then(|verb| verb.to_str()) {
        Some(entry::KEEPER) => entry::keeper(),
        Some(entry::SUPERVISOR) => entry::supervisor(),
        _ => cmd::main(),
    }
}
