//! The lifecycle of apps and their workers as one pure state machine: no IO, no clock, no threads.
//!
//! The supervisor feeds [`Event`]s together with the [`Time`] into [`Engine::handle`] and performs
//! the [`Effect`]s that come out; [`Engine::next_deadline`] says when to send [`Event::Tick`] at
//! the latest. All policy lives here: `docs/engine.md` has the tables and the invariants.

mod effect;
mod event;
mod outcome;
mod policy;
mod time;
mod view;

pub use effect::{Effect, Notice, StopReason};
pub use event::{AppId, Command, CommandId, Event, ExitStatus, Generation, Slot, WorkerId};
pub use outcome::{FailReason, Failure, Outcome, Refusal, Summary, Verb};
pub use policy::Policy;
pub use time::Time;
pub use view::{
    AppStatus, AppView, ExitRecord, RolloutPhase, RolloutView, SlotStatus, SlotView, WorkerStatus,
    WorkerView,
};

/// The state machine of all apps.
///
/// Plain data: cloning it is a checkpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct Engine {
    now: Time,
}

impl Engine {
    /// An engine with no apps. The seed feeds the jitter of restart delays.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let _ = seed;
        Self { now: Time(0) }
    }

    /// Takes note of what happened at `now` and says what to do about it.
    #[must_use]
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Effect> {
        let _ = event;
        self.now = self.now.max(now);
        Vec::new()
    }

    /// When [`Event::Tick`] is needed at the latest; `None`: never, unless something else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// All apps in the order of their ids.
    pub fn apps(&self) -> impl Iterator<Item = AppView<'_>> {
        std::iter::empty()
    }

    /// One app.
    #[must_use]
    pub fn app(&self, app: AppId) -> Option<AppView<'_>> {
        let _ = app;
        None
    }

    /// One live worker.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerView> {
        let _ = worker;
        None
    }
}
