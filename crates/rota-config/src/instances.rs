//! How many workers an app has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The wanted number of workers. `max` and `0` mean one for each processor that rota may use,
/// `-1` one less (never below one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instances {
    /// Exactly so many, at least one.
    Count(u32),
    /// One for each usable processor.
    Max,
    /// So many less than there are usable processors.
    MaxMinus(u32),
}

/// More workers than this are taken for a mistake.
const LIMIT: u32 = 1024;

/// Why a text does not say how many workers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a number of workers (examples: 4, max, -1 for one less than max; at most {LIMIT})"
)]
pub struct InstancesError {
    text: String,
}

impl Instances {
    /// The number of workers on a machine where `cpus` processors may be used; at least one.
    pub fn count(self, cpus: u32) -> u32 {
        match self {
            Self::Count(count) => count.max(1),
            Self::Max => cpus.max(1),
            Self::MaxMinus(less) => cpus.saturating_sub(less).max(1),
        }
    }
}

impl Default for Instances {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl FromStr for Instances {
    type Err = InstancesError;

    fn from_str(text: &str) -> Result<Self, InstancesError> {
        let fail = || InstancesError {
            text: text.to_owned(),
        };
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("max") || trimmed == "0" {
            return Ok(Self::Max);
        }
        match trimmed.strip_prefix('-') {
            Some(less) => Ok(Self::MaxMinus(number(less).ok_or_else(fail)?)),
            None => Ok(Self::Count(number(trimmed).ok_or_else(fail)?)),
        }
    }
}

/// A number from 1 to [`LIMIT`], digits only.
fn number(text: &str) -> Option<u32> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| (1..=LIMIT).contains(n))
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Max => f.write_str("max"),
            Self::MaxMinus(less) => write!(f, "-{less}"),
        }
    }
}

impl Serialize for Instances {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "a number of workers or \"max\"")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a scale command goes: a number, or more or fewer than now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScaleTo {
    /// This many.
    To(Instances),
    /// So many more.
    Up(u32),
    /// So many fewer.
    Down(u32),
}

impl ScaleTo {
    /// The wanted number, from the present one and the usable processors; `None` if fewer than
    /// one or more than allowed would be left.
    pub fn target(self, now: u32, cpus: u32) -> Option<u32> {
        let target = match self {
            Self::To(instances) => instances.count(cpus),
            Self::Up(by) => now.checked_add(by)?,
            Self::Down(by) => now.checked_sub(by)?,
        };
        (1..=LIMIT).contains(&target).then_some(target)
    }
}

impl FromStr for ScaleTo {
    type Err = InstancesError;

    fn from_str(text: &str) -> Result<Self, InstancesError> {
        let fail = || InstancesError {
            text: text.to_owned(),
        };
        let trimmed = text.trim();
        if let Some(by) = trimmed.strip_prefix('+') {
            return number(by).map(Self::Up).ok_or_else(fail);
        }
        if let Some(by) = trimmed.strip_prefix('-') {
            return number(by).map(Self::Down).ok_or_else(fail);
        }
        if trimmed == "0" {
            return Err(fail());
        }
        trimmed.parse().map(Self::To)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_forms() {
        for (text, expected) in [
            ("4", Instances::Count(4)),
            ("max", Instances::Max),
            ("MAX", Instances::Max),
            ("0", Instances::Max),
            ("-1", Instances::MaxMinus(1)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "-", "-0", "+1", "four", "1.5", "1025", "99999999999"] {
            assert!(text.parse::<Instances>().is_err(), "{text}");
        }
    }

    #[test]
    fn never_below_one() {
        assert_eq!(Instances::Max.count(0), 1);
        assert_eq!(Instances::MaxMinus(1).count(1), 1);
        assert_eq!(Instances::MaxMinus(1).count(4), 3);
        assert_eq!(Instances::Count(9).count(4), 9);
    }

    #[test]
    fn json_keeps_the_form() {
        for json in ["4", "\"max\"", "\"-1\""] {
            let read: Instances = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        assert_eq!(
            serde_json::from_str::<Instances>("-1").unwrap(),
            Instances::MaxMinus(1)
        );
    }

    #[test]
    fn scale_is_relative_with_a_sign() {
        for (text, now, target) in [
            ("4", 2, Some(4)),
            ("+2", 2, Some(4)),
            ("-1", 2, Some(1)),
            ("-2", 2, None),
            ("max", 2, Some(8)),
        ] {
            let scale: ScaleTo = text.parse().unwrap();
            assert_eq!(scale.target(now, 8), target, "{text}");
        }
        assert!("0".parse::<ScaleTo>().is_err());
        assert!("+0".parse::<ScaleTo>().is_err());
    }
}
