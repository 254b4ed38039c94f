//! When an app is started anew although nothing is wrong with it: its files changed, or a clock says so.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Span, UnknownWord, defaults};

/// Start the app anew when its files change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchSpec {
    /// What is watched, relative to the working directory; empty = all of that.
    pub paths: Vec<PathBuf>,
    /// What is not, besides what `.gitignore` files name: patterns as in those.
    pub ignore: Vec<String>,
    /// So long nothing must have changed before anything happens.
    pub delay: Span,
    /// What happens then.
    pub action: RenewAction,
}

impl Default for WatchSpec {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            ignore: Vec::new(),
            delay: Span::new(defaults::WATCH_DELAY),
            action: RenewAction::default(),
        }
    }
}

/// Start the app anew at times.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronSpec {
    /// When: `0 3 * * *` as in crontab(5); with six fields the first is that of seconds; `@daily` and the like.
    pub schedule: String,
    /// The time zone by its name in the IANA database; `None` = that of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What happens then.
    #[serde(default)]
    pub action: RenewAction,
}

/// How an app is started anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewAction {
    /// By a rollout, without losing a request.
    #[default]
    Reload,
    /// All workers at once.
    Restart,
}

impl CronSpec {
    /// A schedule in the daemon's time zone.
    pub fn new(schedule: impl Into<String>) -> Self {
        Self {
            schedule: schedule.into(),
            zone: None,
            action: RenewAction::default(),
        }
    }
}

impl RenewAction {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

impl FromStr for RenewAction {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Reload, Self::Restart]
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| UnknownWord::new(text, "reload, restart"))
    }
}

impl fmt::Display for RenewAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
