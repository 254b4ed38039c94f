//! Values of flags that only the command line knows.

use std::fmt;
use std::str::FromStr;

use rota_config::ScaleTo;

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

#[cfg(test)]
mod tests {
    use super::*;

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
