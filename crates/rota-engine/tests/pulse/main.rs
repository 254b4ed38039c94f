//! Heartbeats: the rule by examples, and in a simulated machine.
//!
//! `ROTA_SIM_SEEDS`, `ROTA_SIM_FIRST` and `ROTA_SIM_SEED` as for the engine's simulation.

#![expect(
    clippy::unwrap_used,
    reason = "a test program: a panic is how it fails"
)]

mod deaths;
mod machine;
#[path = "../sim/random.rs"]
mod random;
mod rule;
mod sim;
