//! Verbs about configuration files.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::apps::WaitFlags;

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The file [default: rota.toml]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// With this profile of the file; '' for none [default: the one that its apps run with]
    #[arg(short = 'e', long = "env", value_name = "PROFILE")]
    pub profile: Option<String>,

    /// Only these apps, and what they depend on
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "prune"
    )]
    pub only: Vec<String>,

    /// Delete apps that came from this file and are in it no more
    #[arg(long)]
    pub prune: bool,

    /// Only say what would be done; exit code 7 if that is anything
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Write JSON: the plan, then what happens (described in docs/api.md)
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Names or ids [default: all]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Overwrite a file that is there
    #[arg(short, long, requires = "output")]
    pub force: bool,

    /// Write values that look like secrets, too
    #[arg(long)]
    pub reveal: bool,

    /// Write also the variables that merely happened to be in the shell
    #[arg(long)]
    pub all_env: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file [default: rota.toml, else an ecosystem file, Procfile or package.json]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `import-pm2`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What `pm2 save` has written [default: what a running PM2 tells, else PM2_HOME/dump.pm2]
    #[arg(value_name = "DUMP")]
    pub dump: Option<PathBuf>,

    /// Only show what would be taken over
    #[arg(long)]
    pub dry_run: bool,

    /// Take the apps from the running PM2, one after the other: each is deleted there when it is ready here
    #[arg(long = "move", conflicts_with_all = ["dump", "dry_run"])]
    pub take: bool,

    /// Only these apps
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,

    #[command(flatten)]
    pub wait: WaitFlags,
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
