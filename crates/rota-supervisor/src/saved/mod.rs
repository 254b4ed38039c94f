//! What the supervisor leaves with the keeper for the next one, and how that reads it.
//!
//! Every entry has a key, a blob of JSON with the version of its form, and descriptors. An older or newer supervisor
//! reads what it understands: unknown fields are ignored, and an entry of a form that it does not know is left where
//! it is, and told of.

mod app;
mod daemon;
mod left;
mod worker;

pub(crate) use app::{AppRecord, SavedApp, SavedSlot};
pub(crate) use daemon::SavedDaemon;
pub(crate) use left::{Child, Left};
pub(crate) use worker::SavedWorker;

use rota_engine::{AppId, WorkerId};
use serde::de::DeserializeOwned;

/// The entry of the supervisor's own counters.
pub(crate) const DAEMON_KEY: &str = "daemon";
/// The entry of what all apps share in the engine.
pub(crate) const SHARED_KEY: &str = "shared";
/// The entry of the commands under way.
pub(crate) const OPERATIONS_KEY: &str = "operations";

/// The entry of an app's specifications and records; its descriptors are the sockets of `--listen`.
pub(crate) fn app_key(app: AppId) -> String {
    format!("app/{}", app.0)
}

/// The entry of an app's state in the engine.
pub(crate) fn engine_key(app: AppId) -> String {
    format!("engine/{}", app.0)
}

/// The entry of a worker; its descriptors are the read ends of its output, its notify socket, and the write end of its
/// standard input, as far as there are such.
pub(crate) fn worker_key(worker: WorkerId) -> String {
    format!("worker/{}", worker.0)
}

/// The entry of our end of a worker's channel.
pub(crate) fn channel_key(worker: WorkerId) -> String {
    format!("channel/{}", worker.0)
}

/// The entry of the line to a supervisor's shadow; its number is that of the supervisor's life.
pub(crate) fn shadow_key(life: u32) -> String {
    format!("shadow/{life}")
}

/// Reads a blob.
///
/// # Errors
/// What is wrong with it, for the log.
fn read<T: DeserializeOwned>(blob: &[u8]) -> Result<T, String> {
    serde_json::from_slice(blob).map_err(|error| error.to_string())
}

/// Refuses a form that this program does not know.
pub(crate) fn known_version(version: u32, known: u32) -> Result<(), String> {
    if version == known {
        Ok(())
    } else {
        Err(format!(
            "it has the form {version}, and this rota knows the form {known}"
        ))
    }
}
