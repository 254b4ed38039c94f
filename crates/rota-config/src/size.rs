//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::span::scaled;

/// A size in bytes: `"300M"`, `"1.5G"`, `"64K"`, a bare number means bytes. Units are powers of
/// 1024, with or without a trailing `B` or `iB`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a size (examples: 64K, 300M, 1.5G; a bare number is bytes)")]
pub struct SizeError {
    text: String,
}

const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

impl Size {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// As bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        parse(text.trim()).map(Self).ok_or_else(|| SizeError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<u64> {
    let number_len = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_len);
    let unit = unit.trim_start().to_ascii_uppercase();
    if unit.is_empty() || unit == "B" {
        return number.parse().ok();
    }
    let (_, shift) = UNITS.iter().find(|(name, _)| {
        let mut rest = unit.chars();
        rest.next() == Some(*name) && matches!(rest.as_str(), "" | "B" | "IB")
    })?;
    scaled(number, 1 << shift)
}

impl fmt::Display for Size {
    /// Short, with at most one decimal: `512B`, `1.5M`, `2G`. It is for reading and rounds; the
    /// serialised form is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in UNITS {
            if self.0 >= 1 << shift {
                let tenths = ((u128::from(self.0) * 10) >> shift) as u64;
                return match tenths % 10 {
                    0 => write!(f, "{}{unit}", tenths / 10),
                    part => write!(f, "{}.{part}{unit}", tenths / 10),
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "a size such as \"300M\"")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("0", 0),
            ("123", 123),
            ("123B", 123),
            ("64K", 65_536),
            ("64kb", 65_536),
            ("300M", 314_572_800),
            ("1.5G", 1_610_612_736),
            ("2 GiB", 2_147_483_648),
        ] {
            assert_eq!(text.parse::<Size>(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "M", "1.2", "-1M", "1X", "1MM", "99999999999999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_a_short_form() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.5K"),
            (314_572_800, "300M"),
            (1_610_612_736, "1.5G"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
