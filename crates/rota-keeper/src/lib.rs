//! The keeper: parent of every process and holder of every descriptor that must outlive the supervisor.
//!
//! It does six things: spawn what it is told, reap and report, signal what it is told, keep entries (a key, a
//! blob, descriptors), restart the supervisor with everything handed back, and become a newer program. It has no policy, no async
//! runtime, and does not look into what it keeps. One thread, small enough to be read in one sitting:
//!
//! - [`protocol`]: the messages, and how they travel; begin there
//! - `begin`, `keeper`: the start and the loop; `requests`, `transaction`: what it does for the supervisor
//! - `children`, `deaths`, `orphans`, `tag`: processes and what they leave behind
//! - `groups`: their control groups, where there are any
//! - `notify`, `stored`, `watchdog`: who has started it, what that one keeps for it, and that it lives
//! - `store`: the entries; `outbox`: what waits to be sent; `supervisor`, `backoff`: its process
//! - `upgrade`, `image`, `state`: becoming another program
//! - [`client`]: the supervisor's end

mod backoff;
mod begin;
mod children;
pub mod client;
mod deaths;
#[cfg(fuzzing)]
pub mod fuzzing;
mod groups;
mod hash;
mod image;
mod keeper;
mod link;
mod log;
mod notify;
mod options;
mod orphans;
mod outbox;
pub mod protocol;
mod requests;
mod run;
mod state;
mod store;
mod stored;
mod supervisor;
mod tag;
mod transaction;
mod upgrade;
mod watchdog;

pub use groups::{Where, group_prefix};
pub use options::{
    API_KEY, BOOT_KEY, FAILED_FLAG, KEEPER_VERB, KeeperOptions, PREVIOUS_FLAG, RESUME_FLAG, Resume,
    SUPERVISOR_FD, TRIAL_FLAG,
};
pub use run::{resume, run, trial};
pub use stored::{STORED_KEY, Stored, handed_back};

use log::{log, say};
