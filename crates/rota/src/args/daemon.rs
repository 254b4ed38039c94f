//! Verbs about the daemon, and about this program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::apps::WaitFlags;

/// `pm2`.
#[derive(Debug, Args)]
pub struct Pm2Args {
    /// What PM2 would be told
    #[arg(
        value_name = "PM2'S ARGUMENTS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub rest: Vec<std::ffi::OsString>,
}

/// `kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// At once: no draining, no stop signal
    #[arg(long)]
    pub now: bool,

    /// Write events as JSON, one per line
    #[arg(long)]
    pub json: bool,
}

/// `resurrect`.
#[derive(Debug, Args)]
pub struct ResurrectArgs {
    #[command(flatten)]
    pub wait: WaitFlags,
}

/// `upgrade`.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// The new rota [default: this program]
    pub program: Option<PathBuf>,

    /// Write events as JSON, one per line
    #[arg(long)]
    pub json: bool,
}

/// Verbs that only have a form of output.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Shells that can be helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Zsh
    Zsh,
    /// fish
    Fish,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder; it is made [default: rota.1 to standard output]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}
