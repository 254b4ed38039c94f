//! The verbs, one file each.

mod check;
mod config;
mod daemon;
mod delete;
pub(crate) mod describe;
mod describe_settings;
mod describe_worker;
mod env;
mod file;
mod import_pm2;
mod init;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod operation;
mod parse;
mod ping;
mod profile;
mod reload;
mod reset;
mod restart;
mod resurrect;
mod run;
mod scale;
mod sheet;
mod signal;
pub(crate) mod specs;
mod stack;
mod start;
mod startup;
mod stop;
mod story;
mod test_reload;
pub(crate) mod upgrade;
mod version;

pub use parse::main;
