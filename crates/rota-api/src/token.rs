//! The name that a client gives to something that it asks for.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an operation, chosen at random by the client that asks for it.
///
/// A client whose connection broke sends the same request with the same token again: what was begun is not begun a
/// second time, and the answer comes to whoever asks for it now. A token is a name, not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OperationToken(u128);

/// Digits of a token.
const DIGITS: usize = 32;

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operation's token has {DIGITS} hexadecimal digits")]
pub struct NoToken;

impl OperationToken {
    /// The header that carries it, as 32 hexadecimal digits.
    pub const HEADER: &str = "rota-operation";

    /// A token that nobody else has.
    pub fn random() -> Self {
        // The standard library seeds its hashers from the kernel's source of randomness, each instance otherwise than
        // the one before.
        let half = || {
            let now = std::time::SystemTime::now();
            u128::from(RandomState::new().hash_one((std::process::id(), now)))
        };
        Self(half() << 64 | half())
    }
}

impl fmt::Display for OperationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.0)
    }
}

impl FromStr for OperationToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        // The number's own parser would take a sign.
        if text.len() != DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoToken);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| NoToken)
    }
}

impl From<OperationToken> for String {
    fn from(token: OperationToken) -> Self {
        token.to_string()
    }
}

impl TryFrom<String> for OperationToken {
    type Error = NoToken;

    fn try_from(text: String) -> Result<Self, NoToken> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for token in [
            OperationToken(0),
            OperationToken(0xabc),
            OperationToken::random(),
        ] {
            let text = token.to_string();
            assert_eq!(text.len(), 32);
            assert_eq!(text.parse(), Ok(token));
            let json = serde_json::to_string(&token).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(
                serde_json::from_str::<OperationToken>(&json).unwrap(),
                token
            );
        }
    }

    #[test]
    fn anything_else_is_none() {
        let long = "0".repeat(33);
        let signed = format!("+{}", "0".repeat(31));
        for text in ["", "abc", &long, &signed, "g".repeat(32).as_str()] {
            assert_eq!(text.parse::<OperationToken>(), Err(NoToken), "{text}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let tokens: std::collections::BTreeSet<_> =
            (0..1000).map(|_| OperationToken::random()).collect();
        assert_eq!(tokens.len(), 1000);
    }
}
