//! The words for the state of apps and workers, PM2's where PM2 has one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of an app as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AppStatus {
    /// Every wanted worker is ready.
    #[serde(rename = "online")]
    Online,
    /// Workers are starting, none is being replaced.
    #[serde(rename = "launching")]
    Launching,
    /// A rollout is running.
    #[serde(rename = "reloading")]
    Reloading,
    /// Workers are being stopped.
    #[serde(rename = "stopping")]
    Stopping,
    /// Stopped on purpose, or done.
    #[serde(rename = "stopped")]
    Stopped,
    /// Given up after too many crashes.
    #[serde(rename = "errored")]
    Errored,
    /// A crashed worker waits for its next start.
    #[serde(rename = "waiting restart")]
    WaitingRestart,
    /// A word of a later version.
    #[serde(rename = "unknown", other)]
    Unknown,
}

/// The state of one worker, or of a slot without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WorkerStatus {
    /// Started, not yet ready.
    #[serde(rename = "launching")]
    Launching,
    /// Ready, serving.
    #[serde(rename = "online")]
    Online,
    /// Takes no new connections, finishes those that it has.
    #[serde(rename = "draining")]
    Draining,
    /// Has got the stop signal.
    #[serde(rename = "stopping")]
    Stopping,
    /// Has got SIGKILL.
    #[serde(rename = "killing")]
    Killing,
    /// No process: stopped on purpose, or done.
    #[serde(rename = "stopped")]
    Stopped,
    /// No process: waits for its next start after a crash.
    #[serde(rename = "waiting restart")]
    WaitingRestart,
    /// No process: given up after too many crashes.
    #[serde(rename = "errored")]
    Errored,
    /// A word of a later version.
    #[serde(rename = "unknown", other)]
    Unknown,
}

impl AppStatus {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Launching => "launching",
            Self::Reloading => "reloading",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Errored => "errored",
            Self::WaitingRestart => "waiting restart",
            Self::Unknown => "unknown",
        }
    }
}

impl WorkerStatus {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "launching",
            Self::Online => "online",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Killing => "killing",
            Self::Stopped => "stopped",
            Self::WaitingRestart => "waiting restart",
            Self::Errored => "errored",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for AppStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_display_are_the_same_word() {
        for status in [
            AppStatus::Online,
            AppStatus::Launching,
            AppStatus::Reloading,
            AppStatus::Stopping,
            AppStatus::Stopped,
            AppStatus::Errored,
            AppStatus::WaitingRestart,
        ] {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(serde_json::from_str::<AppStatus>(&json).unwrap(), status);
        }
        for status in [
            WorkerStatus::Launching,
            WorkerStatus::Online,
            WorkerStatus::Draining,
            WorkerStatus::Stopping,
            WorkerStatus::Killing,
            WorkerStatus::Stopped,
            WorkerStatus::WaitingRestart,
            WorkerStatus::Errored,
        ] {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
        }
    }

    #[test]
    fn words_of_later_versions_do_not_break_an_old_client() {
        let read: WorkerStatus = serde_json::from_str("\"hibernating\"").unwrap();
        assert_eq!(read, WorkerStatus::Unknown);
    }
}
