//! What workers have as standard input.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownWord;

/// What workers have as standard input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// `/dev/null`: who reads is at the end of the input at once.
    #[default]
    Null,
    /// A pipe of its own for each worker, which rota holds open for the worker's life: what `rota send` and
    /// `rota attach` write comes out of it. A program that reads to the end of its input waits, instead of ending at
    /// once.
    Pipe,
}

impl Stdin {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Pipe => "pipe",
        }
    }
}

impl FromStr for Stdin {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Null, Self::Pipe]
            .into_iter()
            .find(|stdin| stdin.as_str() == text)
            .ok_or_else(|| UnknownWord::new(text, "null, pipe"))
    }
}

impl fmt::Display for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for stdin in [Stdin::Null, Stdin::Pipe] {
            assert_eq!(stdin.to_string().parse(), Ok(stdin));
            let json = serde_json::to_value(stdin).unwrap();
            assert_eq!(json, stdin.as_str());
        }
        assert!("inherit".parse::<Stdin>().is_err());
    }
}
