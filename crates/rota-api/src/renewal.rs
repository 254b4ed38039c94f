//! When and why an app is started anew although nothing is wrong with it.

use serde::{Deserialize, Serialize};

/// What makes the daemon start an app anew, and when that was last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenewalView {
    /// Its files are watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchView>,
    /// A schedule is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<CronView>,
    /// The last time that either has started it anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<RenewedView>,
}

/// How an app's files are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchView {
    /// Files and folders.
    pub paths: Vec<String>,
    /// Patterns of what does not count.
    pub ignore: Vec<String>,
    /// So long nothing must have changed, in milliseconds.
    pub delay_ms: u64,
    /// `reload` or `restart`.
    pub action: String,
    /// How many folders the kernel watches; absent: none yet, or none because the app is stopped, or it is polled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folders: Option<u64>,
    /// Why it is watched by looking again and again, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The schedule of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CronView {
    /// The expression.
    pub schedule: String,
    /// The time zone; absent: the daemon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `reload` or `restart`.
    pub action: String,
    /// When it is due next, Unix time in milliseconds; absent while the app is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<u64>,
    /// The same for people, in its time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// That an app was started anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenewedView {
    /// Unix time in milliseconds.
    pub at: u64,
    /// Why: `lib/db.js has changed`.
    pub why: String,
}
