//! The flags of `startup` and `unstartup`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rota_config::Span;

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitSystem {
    /// A unit.
    Systemd,
    /// A script for openrc-run.
    Openrc,
    /// A script with an LSB header.
    Sysv,
}

/// `startup`.
#[derive(Debug, Args)]
pub struct StartupArgs {
    #[command(flatten)]
    pub place: StartupPlace,

    /// Only print the unit or script
    #[arg(long)]
    pub print: bool,

    /// Take from the daemon and its apps what most of them do not need; sudo does not work in apps then
    #[arg(long)]
    pub harden: bool,

    /// Let systemd end and start everything again when the keeper has given no sign for so long: 30s, 2m
    #[arg(long, value_name = "TIME")]
    pub watchdog: Option<Span>,

    /// Overwrite a file that rota has not written
    #[arg(short, long)]
    pub force: bool,
}

/// `unstartup`.
#[derive(Debug, Args)]
pub struct UnstartupArgs {
    #[command(flatten)]
    pub place: StartupPlace,

    /// Remove a file that rota has not written
    #[arg(short, long)]
    pub force: bool,
}

/// Which service.
#[derive(Debug, Args)]
pub struct StartupPlace {
    /// Whose daemon it is [default: yours]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// A service of your own systemd instead of the system's; needs no root
    #[arg(long)]
    pub user_level: bool,

    /// What starts services here [default: what runs]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub init: Option<InitSystem>,

    /// Name of the service [default: rota for root and --user-level, else rota-USER]
    #[arg(long, value_name = "NAME")]
    pub service_name: Option<String>,

    /// Install into the system in this folder, which does not run: an image
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
}
