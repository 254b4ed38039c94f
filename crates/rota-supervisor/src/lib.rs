//! The supervisor: performs the engine's effects through the keeper, deals connections, serves the API.
//!
//! `boot` begins and ends it; `supervisor` holds the state and feeds events to the engine; `events`,
//! `requests` and `signals` are where events come from, `perform` and `launch` where effects go. Rooms of their
//! own: `dispatch` (channels and connections), `shadow` (connections outlive the process), `output` (logs), `stdin`,
//! `probe`, `notify`, `api`, `record`, `survivors` and `stored` (the death of a keeper).

mod adopt;
mod agent;
mod answers;
mod api;
mod apps;
mod attributes;
mod boot;
mod checkpoint;
mod compat;
mod config;
mod courtesy;
pub mod dispatch;
mod drained;
mod environment;
mod estate;
mod events;
mod failures;
mod foreground;
#[cfg(fuzzing)]
pub mod fuzzing;
mod holding;
mod home;
mod identity;
mod keeper;
mod last_words;
mod launch;
mod limits;
mod listen;
pub mod notify;
mod operations;
mod orders;
mod outfit;
pub mod output;
mod perform;
mod precedence;
pub mod probe;
mod process_view;
mod progress;
mod protection;
mod reach;
mod record;
mod redefine;
mod renewal;
mod requests;
mod run;
mod saved;
mod service;
mod settings_view;
pub mod shadow;
mod shortage;
mod signals;
mod stdin;
mod stored;
mod supervisor;
mod survivors;
mod targets;
mod view;
mod watch;
mod words;
mod worker;

pub use run::{Options, run};
pub use survivors::LeftBehind;
