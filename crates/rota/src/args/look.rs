//! Verbs that look at apps.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use regex_lite::Regex;
use rota_config::{SignalName, Span};

use super::values::{expression, moment};
use crate::cmd::completions;

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all [default: all]
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    /// Write JSON (described in docs/api.md)
    #[arg(long)]
    pub json: bool,
}

/// `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all
    #[arg(required = true, value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    /// Write JSON (described in docs/api.md)
    #[arg(long)]
    pub json: bool,
}

/// `env`.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// Name, id, or NAME:SLOT
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub target: String,

    /// Show secrets too
    #[arg(long)]
    pub reveal: bool,

    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all [default: all]
    #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    /// How many past lines of each log [default: 15; all with --since, --until or --grep]
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<u32>,

    /// Not before this: 10m or 2h ago, 2026-01-31, '2026-01-31 14:00', 2026-01-31T14:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<u64>,

    /// Not after this
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "follow")]
    pub until: Option<u64>,

    /// Only lines that match a regular expression
    #[arg(short, long, value_name = "REGEX", value_parser = expression)]
    pub grep: Option<Regex>,

    /// With the time and the generation of the worker in front, where they are known
    #[arg(short, long, conflicts_with = "json")]
    pub time: bool,

    /// Go on with new lines until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,

    /// Standard error only
    #[arg(long, conflicts_with = "out")]
    pub err: bool,

    /// Standard output only
    #[arg(long)]
    pub out: bool,

    /// Without the app's name in front
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,

    /// Write JSON, one object per line
    #[arg(long)]
    pub json: bool,
}

/// `flush`.
#[derive(Debug, Args)]
pub struct FlushArgs {
    /// Names, ids, NAME:SLOT, or all [default: all]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `signal`.
#[derive(Debug, Args)]
pub struct SignalArgs {
    /// The signal: SIGUSR2, hup, 12
    #[arg(value_name = "SIGNAL")]
    pub signal: SignalName,

    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all
    #[arg(required = true, value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `stack`.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Names, ids, NAME:SLOT, namespaces, '/EXPRESSION/', or all
    #[arg(required = true, value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
    pub targets: Vec<String>,

    /// Write JSON (described in docs/api.md)
    #[arg(long)]
    pub json: bool,
}

/// `profile`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct ProfileArgs {
    /// What to record.
    #[command(subcommand)]
    pub what: ProfileWhat,
}

/// What is recorded.
#[derive(Debug, Subcommand)]
pub enum ProfileWhat {
    /// Where processor time goes: a .cpuprofile
    #[command(
        after_help = "Examples:\n  rota profile cpu api --duration 10s\n  rota profile cpu api:0 -o slow.cpuprofile"
    )]
    Cpu {
        /// A name, an id, or NAME:SLOT
        #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
        target: String,

        /// For how long
        #[arg(short, long, value_name = "TIME", default_value = "10s")]
        duration: Span,

        #[command(flatten)]
        to: ProfileOutput,
    },
    /// What is in memory: a .heapsnapshot. The worker stands still meanwhile
    #[command(
        after_help = "Examples:\n  rota profile heap api\n  rota profile heap api:0 -o before.heapsnapshot"
    )]
    Heap {
        /// A name, an id, or NAME:SLOT
        #[arg(value_name = "TARGET", add = ArgValueCandidates::new(completions::targets))]
        target: String,

        #[command(flatten)]
        to: ProfileOutput,
    },
}

/// Where a profile goes.
#[derive(Debug, Args)]
pub struct ProfileOutput {
    /// The file, which must not exist [default: NAME-SLOT-TIME.cpuprofile or .heapsnapshot, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write JSON about it
    #[arg(long)]
    pub json: bool,
}
