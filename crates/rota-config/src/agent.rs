//! The agent in a Node worker, and what is done with what it tells.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Size, Span, UnknownWord, defaults};

/// The agent: whether there is one, and how it watches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSpec {
    /// Preload the agent into Node workers. Without it there are no heartbeats, no figures from
    /// inside, and a reload cannot hand kept connections over.
    pub enabled: bool,
    /// How often a worker is asked for a sign of life.
    pub interval: Span,
    /// How long its answer may take before the beat counts as missed.
    pub timeout: Span,
    /// So many beats missed in a row, and the worker is hung; 0 = never.
    pub misses: u32,
    /// An event loop that was blocked for so long is worth a warning; zero = no warnings.
    pub block_warning: Span,
    /// What a worker does when every process of rota is gone.
    pub guard_loss: GuardLoss,
}

impl Default for AgentSpec {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Span::new(defaults::HEARTBEAT_INTERVAL),
            timeout: Span::new(defaults::HEARTBEAT_TIMEOUT),
            misses: defaults::HEARTBEAT_MISSES,
            block_warning: Span::new(defaults::BLOCK_WARNING),
            guard_loss: GuardLoss::default(),
        }
    }
}

/// What a worker does when every process of rota is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardLoss {
    /// It exits, as a worker of Node's cluster does.
    #[default]
    Exit,
    /// It serves on, with what it can reach: its open connections, and its socket if it has one.
    Serve,
}

impl GuardLoss {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Serve => "serve",
        }
    }
}

impl FromStr for GuardLoss {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Exit, Self::Serve]
            .into_iter()
            .find(|word| word.as_str() == text)
            .ok_or_else(|| UnknownWord::new(text, "exit, serve"))
    }
}

impl fmt::Display for GuardLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a worker is replaced although nothing is wrong with it; the new one first, one at a time.
/// Each limit is shortened by up to a tenth, by chance, so that workers do not reach it together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// Resident memory (PM2's `max_memory_restart`). Not shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Size>,
    /// Requests answered; needs the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<u64>,
    /// Time since it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
}
