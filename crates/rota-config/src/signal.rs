//! Names of signals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A signal that a user may choose, kept by its full name (`SIGTERM`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct SignalName(String);

/// The text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a signal (examples: SIGTERM, INT, usr2, 15)")]
pub struct SignalError {
    text: String,
}

/// Names and numbers on Linux, the same on x86-64, ARM and RISC-V.
const SIGNALS: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

impl SignalName {
    /// The usual stop signal.
    pub fn term() -> Self {
        Self("SIGTERM".to_owned())
    }

    /// SIGINT, by which PM2 stops.
    pub fn int() -> Self {
        Self("SIGINT".to_owned())
    }

    /// The full name, such as `SIGTERM`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number on Linux.
    pub fn number(&self) -> i32 {
        SIGNALS
            .iter()
            .find(|(name, _)| self.0.ends_with(name) && self.0.len() == name.len() + 3)
            .map_or(15, |(_, number)| *number)
    }

    /// The name of a signal by its number, if it has one.
    pub fn from_number(number: i32) -> Option<Self> {
        SIGNALS
            .iter()
            .find(|(_, n)| *n == number)
            .map(|(name, _)| Self(format!("SIG{name}")))
    }
}

impl FromStr for SignalName {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let upper = text.trim().to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let found = match short.parse::<i32>() {
            Ok(number) => Self::from_number(number),
            Err(_) => SIGNALS
                .iter()
                .find(|(name, _)| *name == short)
                .map(|(name, _)| Self(format!("SIG{name}"))),
        };
        found.ok_or_else(|| SignalError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SignalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "a signal such as \"SIGTERM\"")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_give_the_full_name() {
        for text in ["SIGUSR2", "usr2", "Usr2", "12", "sigusr2"] {
            let signal: SignalName = text.parse().unwrap();
            assert_eq!((signal.as_str(), signal.number()), ("SIGUSR2", 12));
        }
        for (name, number) in SIGNALS {
            assert_eq!(name.parse::<SignalName>().unwrap().number(), number);
        }
    }

    #[test]
    fn unknown_ones_are_errors() {
        for text in ["", "SIG", "TERMINATE", "0", "99", "-9", "SIGSIGTERM"] {
            assert!(text.parse::<SignalName>().is_err(), "{text}");
        }
    }
}
