//! Verbs about the standard input of workers.

use clap::Args;
use clap_complete::ArgValueCandidates;
use rota_config::Span;

use crate::cmd::completions;

/// `send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Name, id, NAME:SLOT, namespace, '/EXPRESSION/', or all: every worker of it
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub target: String,

    /// What is written, with a line end behind it; without it, or for -: what comes from standard input, as it is
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,

    /// Without a line end behind the text
    #[arg(short = 'n', long)]
    pub no_newline: bool,

    /// How long to wait for room in a pipe that is full
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub wait: Span,

    /// Write JSON (described in docs/api.md)
    #[arg(long)]
    pub json: bool,
}

/// `attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Name or id of an app with one worker, or NAME:SLOT
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub target: String,

    /// How many past lines to show first
    #[arg(long, value_name = "N", default_value_t = crate::cmd::logs::LINES)]
    pub lines: u32,

    /// Without the app's name in front of lines
    #[arg(long)]
    pub raw: bool,
}
