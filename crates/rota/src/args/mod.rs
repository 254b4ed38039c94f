//! The command line: verbs, flags and their help.

mod app;
mod apps;
mod cli;
mod compat;
mod container;
mod daemon;
mod file;
mod input;
mod logs;
mod look;
mod process;
mod renewal;
mod resources;
mod serve;
mod startup;
mod values;

pub use app::AppFlags;
pub use apps::{
    DeleteArgs, ReloadArgs, ResetArgs, RunArgs, ScaleArgs, StartArgs, StopArgs, TestReloadArgs,
    UpdateFlags, WaitFlags,
};
pub use cli::{Cli, VerbArgs};
pub use daemon::{CompletionsArgs, JsonArgs, KillArgs, ManArgs, ResurrectArgs, Shell, UpgradeArgs};
pub use file::{ApplyArgs, CheckArgs, ConfigArgs, ConfigWhat, ExportArgs, ImportArgs, InitArgs};
pub use input::{AttachArgs, SendArgs};
pub use look::{
    DescribeArgs, EnvArgs, FlushArgs, ListArgs, LogsArgs, ProfileArgs, ProfileWhat, SignalArgs,
    StackArgs,
};
pub use serve::ServeArgs;
pub use startup::{InitSystem, StartupArgs, StartupPlace, UnstartupArgs};
pub use values::{EnvFlag, EnvPair, ScaleValue};
