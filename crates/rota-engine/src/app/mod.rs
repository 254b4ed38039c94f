//! One app: its slots, its workers, and the command that is being carried out on them.

mod commands;
mod define;
mod failure;
mod launch;
mod lifecycle;
mod plan;
mod queue;
mod recycling;
mod rollback;
mod rollout;
mod settle;
mod shortage;
mod state;
mod views;
mod work;

pub(crate) use plan::{Rollout, Stage};
pub(crate) use queue::Work;
pub(crate) use state::{App, Farewell, Life, Operation, count};
