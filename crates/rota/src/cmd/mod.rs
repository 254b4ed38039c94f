//! The verbs, one file each.

mod check;
mod config;
mod daemon;
mod delete;
mod describe;
mod describe_settings;
mod describe_worker;
mod env;
mod file;
mod import_pm2;
mod init;
mod kill;
mod list;
mod logs;
mod operation;
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
pub mod specs;
mod stack;
mod start;
mod startup;
mod stop;
mod story;
mod test_reload;
mod upgrade;
mod version;

pub use parse::main;
