//! The verbs, one file each.

mod delete;
mod describe;
mod kill;
mod list;
mod logs;
mod operation;
mod parse;
mod ping;
mod reload;
mod restart;
mod run;
mod scale;
mod signal;
mod specs;
mod start;
mod stop;
mod version;

pub use parse::main;
