//! Verbs that change apps.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::app::AppFlags;
use super::container::ContainerFlags;
use super::values::{EnvFlag, ScaleValue};
use crate::cmd::completions;

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub app: AppFlags,

    #[command(flatten)]
    pub container: ContainerFlags,
}

/// `start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    #[command(flatten)]
    pub app: AppFlags,

    /// Restart the app if it runs already
    #[arg(short, long)]
    pub force: bool,

    /// Of a configuration file only these apps, and what they depend on
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,

    #[command(flatten)]
    pub wait: WaitFlags,
}

/// Waiting, and the form of the output.
#[derive(Debug, Args)]
pub struct WaitFlags {
    /// Return when it is accepted, not when it has happened
    #[arg(long)]
    pub no_wait: bool,

    /// Write events as JSON, one per line
    #[arg(long)]
    pub json: bool,
}

/// `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all
    #[arg(required = true, value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    #[command(flatten)]
    pub wait: WaitFlags,
}

/// `delete`.
pub type DeleteArgs = StopArgs;

/// `reset`.
pub type ResetArgs = StopArgs;

/// `restart` and `reload`.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all
    #[arg(required = true, value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    #[command(flatten)]
    pub update: UpdateFlags,

    #[command(flatten)]
    pub wait: WaitFlags,
}

/// What a restart or reload changes.
#[derive(Debug, Args)]
pub struct UpdateFlags {
    /// Take this shell's environment
    #[arg(long)]
    pub update_env: bool,

    /// Set an environment variable; may be repeated. Of a configuration file: the profile
    #[arg(short, long, value_name = "KEY=VALUE|PROFILE")]
    pub env: Vec<EnvFlag>,

    /// Another interpreter: /opt/node-22/bin/node
    #[arg(long, value_name = "PROGRAM")]
    pub interpreter: Option<String>,

    /// Other arguments for the interpreter, separated by blanks
    #[arg(
        long,
        value_name = "ARGS",
        allow_hyphen_values = true,
        visible_alias = "interpreter-args"
    )]
    pub node_args: Option<String>,
}

/// `test-reload`.
#[derive(Debug, Args)]
pub struct TestReloadArgs {
    /// Name of the app
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(completions::names))]
    pub name: String,

    /// How many reloads
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub times: u32,

    /// What to ask for: /PATH at the app's own address, or http://HOST:PORT/PATH [default: /]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// How many clients of each of the three kinds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// Write one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `scale`.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Name of the app, a namespace, '/EXPRESSION/', or all
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub target: String,

    /// Number of workers: 4, max, or relative: +1, -1
    #[arg(value_name = "N", allow_hyphen_values = true)]
    pub instances: ScaleValue,

    #[command(flatten)]
    pub wait: WaitFlags,
}
