//! Heartbeats: which workers do not answer, and which of them hang.
//!
//! A pure state machine beside the engine: times, answers and looks at processes go in, verdicts
//! come out. `docs/hangs.md` has the rule in words.

mod beat;
mod pulses;
mod types;

pub use pulses::Pulses;
pub use types::{Answer, PulseEffect, PulseSettings, Sight, Unanswered};
