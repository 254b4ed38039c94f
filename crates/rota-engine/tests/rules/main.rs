//! The engine's rules, one by one. `tests/sim` tries them all at once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test program: a panic is how it fails"
)]

mod adopting;
mod commands;
mod defining;
mod ladder;
mod leaving;
mod order;
mod pairs;
mod recycling;
mod restart;
mod rig;
mod rollback;
mod rollout;
mod saved;
mod shortage;
