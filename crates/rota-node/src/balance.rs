//! The names of the balance modes.

use std::fmt;
use std::str::FromStr;

/// How a worker gets its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Balance {
    /// The primary accepts and gives to the worker with the fewest open connections, ties in turn.
    #[default]
    RoundRobin,
    /// The primary accepts and gives by the client's address: the same client, the same slot.
    IpHash,
    /// The workers share the listening socket; the kernel picks.
    Shared,
    /// Each slot has its own `SO_REUSEPORT` socket; the kernel spreads connections over them.
    ReusePort,
}

impl Balance {
    /// The name as it is written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::IpHash => "ip-hash",
            Self::Shared => "shared",
            Self::ReusePort => "reuseport",
        }
    }

    /// The primary accepts the connections of such workers (the others accept by themselves).
    #[must_use]
    pub fn is_dealt(self) -> bool {
        matches!(self, Self::RoundRobin | Self::IpHash)
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no balance mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown balance mode {0:?}: use round-robin, ip-hash, shared or reuseport")]
pub struct ParseBalanceError(String);

impl FromStr for Balance {
    type Err = ParseBalanceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::RoundRobin,
            Self::IpHash,
            Self::Shared,
            Self::ReusePort,
        ]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| ParseBalanceError(text.to_owned()))
    }
}
