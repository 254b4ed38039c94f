//! The lifecycle of apps and their workers as one pure state machine: no IO, no clock, no threads.
//!
//! The supervisor feeds [`Event`]s together with the [`Time`] into [`Engine::handle`] and performs
//! the [`Effect`]s that come out; [`Engine::next_deadline`] says when to send [`Event::Tick`] at
//! the latest. An engine continues from what an earlier one has saved ([`Engine::save_app`],
//! [`Engine::restore`]). All policy lives here: `docs/engine.md` has the tables and the invariants.

mod app;
mod backoff;
mod context;
mod effect;
mod engine;
mod event;
mod order;
mod outcome;
mod policy;
mod pulse;
mod saved;
mod slot;
mod spec;
mod time;
mod view;
mod worker;

pub use effect::{Effect, Notice, StopReason};
pub use engine::Engine;
pub use event::{AppId, Command, CommandId, Event, ExitStatus, Generation, Slot, WorkerId};
pub use outcome::{FailReason, Failure, Outcome, Refusal, Summary, Verb};
pub use policy::Policy;
pub use pulse::{Answer, PulseEffect, PulseSettings, Pulses, Sight, Unanswered};
pub use saved::{AppFacts, RestoredApp, SavedApp, SavedShared, SlotFacts, WorkerFacts};
pub use time::Time;
pub use view::{
    AppStatus, AppView, ExitRecord, RolloutPhase, RolloutView, SlotStatus, SlotView, WorkerStatus,
    WorkerView,
};
