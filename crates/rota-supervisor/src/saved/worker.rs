//! A worker: what is known of a process beyond the engine's state.

use std::time::Duration;

use rota_engine::{Generation, Slot, Unanswered};
use rota_node::agent::Hello;
use serde::{Deserialize, Serialize};

use super::known_version;
use crate::courtesy::Given;
use crate::limits::Limits;
use crate::worker::Worker;

/// The form that this program writes.
const VERSION: u32 = 2;

/// A live worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedWorker {
    version: u32,
    /// Its app.
    pub(crate) app: u32,
    /// Its slot.
    pub(crate) slot: Slot,
    /// Its generation.
    pub(crate) generation: Generation,
    /// When its start was ordered, by the monotonic clock in milliseconds.
    pub(crate) started: u64,
    /// It has a notify socket: the descriptor behind those of its output.
    pub(crate) notify: bool,
    /// Its main process, if it named another than the one that was spawned.
    pub(crate) main_pid: Option<u32>,
    /// It has been reported ready.
    pub(crate) told_ready: bool,
    /// What it last said about itself.
    pub(crate) status_text: Option<String>,
    /// The rule of its watchdog.
    pub(crate) watchdog: Option<Duration>,
    /// What its agent said first.
    pub(crate) hello: Option<Hello>,
    /// When it is replaced although nothing is wrong with it.
    pub(crate) limits: Limits,
    /// It was told to disconnect.
    pub(crate) disconnecting: bool,
    /// It has a pipe as standard input, of which we have the writing end: the last descriptor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stdin: bool,
    /// What is known of its silence, if it owes the answer to a ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unanswered: Option<Unanswered>,
    /// Its stack was being looked for: its inspector is open by our doing, if it is.
    #[serde(default)]
    pub(crate) looked_for: bool,
    /// What it has given to workers that serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gives_way: Option<Given>,
}

impl SavedWorker {
    /// What is to be written of a worker that was started at `started` (monotonic, in milliseconds).
    pub(crate) fn of(worker: &Worker, started: u64) -> Self {
        Self {
            version: VERSION,
            app: worker.app.0,
            slot: worker.slot,
            generation: worker.generation,
            started,
            notify: worker.notify.is_some(),
            main_pid: worker.pid.filter(|_| worker.pid != worker.spawned_pid),
            told_ready: worker.told_ready,
            status_text: worker.status_text.clone(),
            watchdog: worker.watchdog.map(|watchdog| watchdog.span),
            hello: worker.agent.hello.clone(),
            limits: worker.limits.clone(),
            disconnecting: worker.disconnecting,
            stdin: worker.input.is_some(),
            unanswered: None,
            looked_for: worker.agent.pulse.is_suspected(),
            gives_way: worker.gives_way,
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub(crate) fn read(blob: &[u8]) -> Result<Self, String> {
        let saved: Self = super::read(blob)?;
        known_version(saved.version, VERSION)?;
        Ok(saved)
    }
}
