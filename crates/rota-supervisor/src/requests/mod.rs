//! What callers ask for: checked, translated into the engine's commands, and given to it.

mod command;
mod daemon;
mod export;
mod logs;
mod order;
mod plan;
mod prepare;
mod resurrect;
mod select;
mod start;
mod upgrade;
