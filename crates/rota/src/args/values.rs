//! Values of flags that only the command line knows.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use regex_lite::Regex;
use rota_config::{ScaleTo, Span};

/// `KEY=VALUE` of `--env`. The value may be a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvPair {
    /// The name.
    pub key: String,
    /// The value, which may have `=` in it.
    pub value: String,
}

impl fmt::Debug for EnvPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=(hidden)", self.key)
    }
}

impl FromStr for EnvPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("it must be KEY=VALUE".to_owned()),
        }
    }
}

/// What follows `--env`: a variable, or the profile of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvFlag {
    /// `KEY=VALUE`.
    Variable(EnvPair),
    /// A profile's name; empty: none.
    Profile(String),
}

impl FromStr for EnvFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains('=') {
            true => text.parse().map(Self::Variable),
            false => Ok(Self::Profile(text.to_owned())),
        }
    }
}

/// A comma-separated list of exit codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitCodes(pub Vec<i32>);

impl FromStr for ExitCodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(|part| match part.parse() {
                Ok(code @ 0..=255) => Ok(code),
                _ => Err(format!("`{part}` is not an exit code (0 to 255)")),
            })
            .collect::<Result<Vec<i32>, String>>()
            .and_then(|codes| match codes.is_empty() {
                true => Err("the list is empty".to_owned()),
                false => Ok(Self(codes)),
            })
    }
}

/// The number of `scale`; zero is understood, so that it can be answered with what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScaleValue {
    /// A number that an app may have.
    To(String),
    /// Zero.
    Zero,
}

impl FromStr for ScaleValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self::Zero);
        }
        match text.parse::<ScaleTo>() {
            Ok(_) => Ok(Self::To(text.to_owned())),
            Err(error) => Err(format!("{error}; +N and -N are relative to now")),
        }
    }
}

/// A moment, in milliseconds since the Unix epoch: so long ago, a date or time in the zone of this machine, or RFC 3339.
pub(super) fn moment(text: &str) -> Result<u64, String> {
    moment_from(text, &Zoned::now())
}

fn moment_from(text: &str, now: &Zoned) -> Result<u64, String> {
    let zone: TimeZone = now.time_zone().clone();
    let text = text.trim();
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    // A bare number would be milliseconds, which nobody means.
    let has_unit = ago.ends_with(|last: char| last.is_ascii_alphabetic());
    let at = if let (Ok(span), true) = (ago.parse::<Span>(), has_unit) {
        let now = u64::try_from(now.timestamp().as_millisecond()).unwrap_or(0);
        return Ok(now.saturating_sub(span.millis()));
    } else if let Ok(at) = text.parse::<Timestamp>() {
        Some(at)
    } else if let Ok(at) = text.parse::<DateTime>() {
        at.to_zoned(zone).ok().map(|at| at.timestamp())
    } else if let Ok(date) = text.parse::<Date>() {
        date.to_zoned(zone).ok().map(|at| at.timestamp())
    } else {
        let at = format!("{}T{text}", now.date()).parse::<DateTime>();
        at.ok()
            // A number alone says neither what it counts nor from where.
            .filter(|_| text.contains(':'))
            .and_then(|at| at.to_zoned(zone).ok())
            .map(|at| at.timestamp())
    };
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok())
        .ok_or_else(|| {
            "it must be a time ago (10m, 2h), a date (2026-01-31), a time ('2026-01-31 14:00', 14:00), or RFC 3339".to_owned()
        })
}

/// A regular expression.
pub(super) fn expression(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ago_or_by_the_calendar() {
        let now: Zoned = "2026-02-01T12:00:00+01:00[+01:00]".parse().unwrap();
        let at = |text: &str| {
            let at = moment_from(text, &now).unwrap();
            let at = Timestamp::from_millisecond(i64::try_from(at).unwrap()).unwrap();
            at.to_string()
        };
        assert_eq!(at("10m"), "2026-02-01T10:50:00Z");
        assert_eq!(at("1h30m ago"), "2026-02-01T09:30:00Z");
        assert_eq!(at("2026-01-31"), "2026-01-30T23:00:00Z");
        assert_eq!(at("2026-01-31 14:00"), "2026-01-31T13:00:00Z");
        assert_eq!(at("2026-01-31T14:00:00Z"), "2026-01-31T14:00:00Z");
        assert_eq!(at("2026-01-31T14:00:00.5+02:00"), "2026-01-31T12:00:00.5Z");
        assert_eq!(at("08:15"), "2026-02-01T07:15:00Z");
        for text in ["", "yesterday", "10", "2026-13-01", "1969-01-01"] {
            assert!(moment_from(text, &now).is_err(), "{text}");
        }
        assert!(expression("a|b").is_ok() && expression("(").is_err());
    }

    #[test]
    fn env_pairs_split_at_the_first_sign() {
        let pair: EnvPair = "A=b=c d".parse().unwrap();
        assert_eq!((pair.key.as_str(), pair.value.as_str()), ("A", "b=c d"));
        assert_eq!(format!("{pair:?}"), "A=(hidden)");
        assert_eq!("A=".parse::<EnvPair>().unwrap().value, "");
        assert!("A".parse::<EnvPair>().is_err() && "=x".parse::<EnvPair>().is_err());
    }

    #[test]
    fn what_is_no_pair_is_a_profile() {
        let profile = EnvFlag::Profile("production".into());
        assert_eq!("production".parse(), Ok(profile));
        assert!(matches!("A=".parse(), Ok(EnvFlag::Variable(_))));
        assert!("=x".parse::<EnvFlag>().is_err());
    }

    #[test]
    fn exit_codes_are_a_list() {
        assert_eq!("0,143".parse(), Ok(ExitCodes(vec![0, 143])));
        assert_eq!("0 2".parse(), Ok(ExitCodes(vec![0, 2])));
        for text in ["", "a", "256", "-1"] {
            assert!(text.parse::<ExitCodes>().is_err(), "{text}");
        }
    }

    #[test]
    fn zero_workers_is_understood_for_a_better_answer() {
        assert_eq!("0".parse(), Ok(ScaleValue::Zero));
        assert_eq!("+2".parse(), Ok(ScaleValue::To("+2".into())));
        assert!("many".parse::<ScaleValue>().is_err());
    }
}
