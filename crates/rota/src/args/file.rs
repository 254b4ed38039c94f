//! Verbs about configuration files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file [default: rota.toml]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Overwrite a rota.toml that is there
    #[arg(short, long)]
    pub force: bool,

    /// Write to standard output instead
    #[arg(long, conflicts_with = "force")]
    pub stdout: bool,
}

/// `config`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct ConfigArgs {
    /// What to show.
    #[command(subcommand)]
    pub what: ConfigWhat,
}

/// What is shown.
#[derive(Debug, Subcommand)]
pub enum ConfigWhat {
    /// The effective settings of an app, and where each comes from
    #[command(after_help = "Examples:\n  rota config show api\n  rota config show api --json")]
    Show {
        /// Name of the app
        #[arg(value_name = "NAME")]
        target: String,

        /// Write JSON (described in docs/api.md)
        #[arg(long)]
        json: bool,
    },
    /// The keys that an app may have in rota.toml
    #[command(after_help = "Examples:\n  rota config keys")]
    Keys,
    /// The JSON Schema of rota.toml, for editors
    #[command(after_help = "Examples:\n  rota config schema > rota.schema.json")]
    Schema,
}
