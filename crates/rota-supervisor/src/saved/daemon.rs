//! The supervisor's own counters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::progress::RolloutPosition;

/// What belongs to no app.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedDaemon {
    /// The last app number given out.
    pub(crate) last_app: u32,
    /// The daemon has been told to stop.
    pub(crate) stopping: bool,
    /// Since when, by the monotonic clock in milliseconds, if it has to end within a time.
    pub(crate) stopping_since: Option<u64>,
    /// What it exits with, if that is decided.
    pub(crate) exit_code: Option<u8>,
    /// Sockets stay open for the next daemon.
    pub(crate) leaves_sockets: bool,
    /// For the exit code of `rota run`.
    pub(crate) something_failed: bool,
    /// The command that has asked for another program.
    pub(crate) upgrading: Option<u64>,
    /// Where each app's rollout stands, by the app's number.
    pub(crate) positions: BTreeMap<u32, RolloutPosition>,
}
