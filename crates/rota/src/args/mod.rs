//! The command line: verbs, flags and their help.

mod app;
mod cli;
mod compat;
mod container;
mod file;
mod logs;
mod process;
mod renewal;
mod resources;
mod serve;
mod startup;
mod values;

pub use app::AppFlags;
pub use cli::{
    Cli, CompletionsArgs, DeleteArgs, DescribeArgs, EnvArgs, FlushArgs, JsonArgs, KillArgs,
    ListArgs, LogsArgs, ManArgs, ProfileArgs, ProfileWhat, ReloadArgs, ResetArgs, ResurrectArgs,
    RunArgs, ScaleArgs, Shell, SignalArgs, StackArgs, StartArgs, StopArgs, TestReloadArgs,
    UpdateFlags, UpgradeArgs, VerbArgs, WaitFlags,
};
pub use file::{ApplyArgs, CheckArgs, ConfigArgs, ConfigWhat, ExportArgs, ImportArgs, InitArgs};
pub use serve::ServeArgs;
pub use startup::{InitSystem, StartupArgs, StartupPlace, UnstartupArgs};
pub use values::{EnvFlag, EnvPair, ScaleValue};
