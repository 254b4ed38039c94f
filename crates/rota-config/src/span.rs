//! Time spans as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time span: `"10s"`, `"1m30s"`, `"500ms"`, `"2h"`, `"1d"`; a bare number means milliseconds,
/// as in PM2. Resolution is one millisecond.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span(Duration);

/// Why a text is not a time span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a time span: {why} (examples: 500ms, 10s, 1m30s, 2h; a bare number is milliseconds)"
)]
pub struct SpanError {
    text: String,
    why: &'static str,
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Longer spans are taken for a mistake; it also keeps sums of times far from overflow.
const MAX_MILLIS: u64 = 365 * 86_400_000;

impl Span {
    /// From a duration, cut to milliseconds.
    pub const fn new(duration: Duration) -> Self {
        Self(Duration::from_millis(duration.as_millis() as u64))
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// As milliseconds.
    pub const fn millis(self) -> u64 {
        self.0.as_millis() as u64
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self::new(duration)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let fail = |why| SpanError {
            text: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(fail("it is empty"));
        }
        let millis = if trimmed.bytes().all(|b| b.is_ascii_digit()) {
            trimmed.parse().map_err(|_| fail("it is too long"))?
        } else {
            parse_parts(trimmed).map_err(fail)?
        };
        if millis > MAX_MILLIS {
            return Err(fail("it is longer than a year"));
        }
        Ok(Self::from_millis(millis))
    }
}

/// Sums parts like `1m30s`; units must come in falling order, each at most once.
fn parse_parts(text: &str) -> Result<u64, &'static str> {
    let mut rest = text;
    let mut total = 0u64;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or("a unit is missing")?;
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let factor = UNITS
            .iter()
            .find(|(name, _)| unit.eq_ignore_ascii_case(name))
            .map(|(_, factor)| *factor)
            .ok_or("the unit must be d, h, m, s or ms")?;
        if factor >= last_unit {
            return Err("units must go from large to small");
        }
        last_unit = factor;
        total = total
            .checked_add(scaled(number, factor).ok_or("the number is not valid")?)
            .ok_or("it is too long")?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// `number` (digits with at most one point) times `factor`, in whole units.
pub(crate) fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let mut total = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let digits: u128 = fraction.parse().ok()?;
        let part = digits * u128::from(factor) / 10u128.pow(fraction.len() as u32);
        total = total.checked_add(u64::try_from(part).ok()?)?;
    }
    Some(total)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "a time span such as \"10s\"")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("0", 0),
            ("1600", 1600),
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("2H", 7_200_000),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            assert_eq!(
                text.parse::<Span>(),
                Ok(Span::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest_with_a_reason() {
        for text in [
            "", "s", "10x", "1s1m", "1s1s", "-1s", "1..5s", ".5s", "10s5", "999999d", "1 0s", "٣s",
        ] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("is not a time span"), "{text}: {error}");
        }
    }

    #[test]
    fn display_is_read_back_equal() {
        for millis in [0, 1, 999, 1000, 61_001, 3_600_000, 93_784_005] {
            let span = Span::from_millis(millis);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        assert_eq!(Span::from_millis(90_000).to_string(), "1m30s");
    }

    #[test]
    fn json_takes_numbers_and_texts() {
        assert_eq!(serde_json::from_str::<Span>("3000").unwrap().millis(), 3000);
        assert_eq!(
            serde_json::from_str::<Span>("\"3s\"").unwrap().millis(),
            3000
        );
        assert!(serde_json::from_str::<Span>("-3").is_err());
    }
}
