//! `rota`: the command line, and the entry points of the daemon's two processes.

mod args;
mod cmd;
mod context;
mod daemon;
mod entry;
mod failure;
mod files;
mod output;
mod pm2;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

/// The daemon's processes are this same program; their verbs are no part of the command line.
fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    match line.get(1).and_then(|verb| verb.to_str()) {
        Some(entry::KEEPER) => entry::keeper(),
        Some(entry::SUPERVISOR) => entry::supervisor(),
        Some(serve::VERB) => serve::main(),
        _ if cmd::completions::answer() => ExitCode::SUCCESS,
        _ => match pm2::called_as(&line) {
            Some((role, args)) => pm2::main(role, args),
            None => cmd::main(),
        },
    }
}
