//! What a worker may use together with everything that it starts: the limits of its control group.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Size;

/// Limits of each worker with everything that it starts, held by the kernel. Everything that is absent is not limited.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResourceSpec {
    /// The most memory. Above it the kernel kills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<Size>,
    /// From here on the kernel takes memory back, and slows the worker down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_high: Option<Size>,
    /// The most processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max: Option<CpuMax>,
    /// Its share when processors are short, 1 to 10000; 100 is usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u32>,
    /// The most processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
}

impl ResourceSpec {
    /// True if nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it by itself.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let none = |size: Option<Size>| size.is_some_and(|size| size.bytes() == 0);
        if none(self.memory_max) || none(self.memory_high) || self.pids_max == Some(0) {
            problems.push("a limit must be more than zero".into());
        }
        if let (Some(high), Some(max)) = (self.memory_high, self.memory_max)
            && high >= max
        {
            problems.push(format!(
                "memory_high ({high}) is never reached: memory_max is {max}"
            ));
        }
        if self
            .cpu_weight
            .is_some_and(|weight| !(1..=10_000).contains(&weight))
        {
            problems.push("cpu_weight must be between 1 and 10000".into());
        }
        problems
    }
}

/// An amount of processor time: `150%` or `1.5` is one processor and a half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CpuMax {
    percent: u32,
}

/// Why a text is not an amount of processor time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of processor time (examples: 150%, 1.5; at least 1%)")]
pub struct CpuMaxError(String);

/// More processors than any machine has.
const PROCESSORS_MAX: u32 = 8192;

impl CpuMax {
    /// In percent of one processor.
    pub const fn percent(self) -> u32 {
        self.percent
    }
}

/// A number with at most two digits behind the point, in hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(100)?
        .checked_add(part)
}

impl FromStr for CpuMax {
    type Err = CpuMaxError;

    fn from_str(text: &str) -> Result<Self, CpuMaxError> {
        let percent = match text.strip_suffix('%') {
            Some(percent) if percent.bytes().all(|byte| byte.is_ascii_digit()) => {
                percent.parse().ok()
            }
            Some(_) => None,
            None => hundredths(text),
        };
        percent
            .filter(|percent| (1..=PROCESSORS_MAX * 100).contains(percent))
            .map(|percent| Self { percent })
            .ok_or_else(|| CpuMaxError(text.to_owned()))
    }
}

impl fmt::Display for CpuMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent)
    }
}

impl Serialize for CpuMax {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CpuMax {
    /// Text only: what a bare number means depends on who reads it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_both_ways() {
        for (text, percent) in [
            ("150%", 150),
            ("1.5", 150),
            ("0.25", 25),
            ("2", 200),
            ("1%", 1),
            ("0.01", 1),
        ] {
            let max: CpuMax = text.parse().unwrap();
            assert_eq!(max.percent(), percent, "{text}");
            assert_eq!(max.to_string().parse(), Ok(max));
        }
        for text in [
            "", "%", "0", "0%", "0.001", "-1", "+1", "1.5%", ".5", "1.", "x", "1e3", "9999999",
        ] {
            assert!(text.parse::<CpuMax>().is_err(), "{text}");
        }
    }

    #[test]
    fn survives_json() {
        let json = r#"{"memory_max":314572800,"cpu_max":"150%","pids_max":64}"#;
        let spec: ResourceSpec = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), json);
        let people: ResourceSpec =
            serde_json::from_str(r#"{"memory_max":"300M","cpu_max":"1.5","pids_max":64}"#).unwrap();
        assert_eq!(people, spec);
        assert!(serde_json::from_str::<ResourceSpec>(r#"{"cpu_max":2}"#).is_err());
        assert!(serde_json::from_str::<ResourceSpec>(r#"{"memory":1}"#).is_err());
        assert!(ResourceSpec::default().is_empty() && !spec.is_empty());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let size = |text: &str| Some(text.parse().unwrap());
        let wrong = ResourceSpec {
            memory_max: size("1M"),
            memory_high: size("1M"),
            cpu_weight: Some(0),
            pids_max: Some(0),
            ..ResourceSpec::default()
        };
        assert_eq!(wrong.problems().len(), 3);
        let right = ResourceSpec {
            memory_high: size("900K"),
            cpu_weight: Some(10_000),
            pids_max: Some(1),
            ..wrong
        };
        assert!(right.problems().is_empty());
    }
}
