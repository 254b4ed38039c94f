//! Who the workers of an app are, and what they may use.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Env, Size};

/// Who the workers are, and what they may use. Everything that is absent stays as it is in the daemon.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSpec {
    /// The user: a name or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group, instead of the user's primary one: a name or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The supplementary groups, instead of all that the user has: names or numbers. Empty = none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Whether `execve` can give new privileges (setuid programs); `None` = not to an app with a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,
    /// The file mode creation mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<Umask>,
    /// Added to the scheduling priority, -20 to 19 (positive: nicer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// Resource limits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rlimits: BTreeMap<RlimitName, Rlimit>,
    /// How gladly the kernel kills it when memory is short: -1000 (never) to 1000 (first).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
}

/// Variables that speak of a person and its folders. An app with a user of its own has those of that user instead
/// of the ones of whoever started it.
pub const PERSONAL: [&str; 6] = [
    "HOME",
    "LOGNAME",
    "MAIL",
    "SHELL",
    "USER",
    "XDG_RUNTIME_DIR",
];

impl ProcessSpec {
    /// True if it says who the workers are.
    pub fn names_somebody(&self) -> bool {
        self.user.is_some() || self.group.is_some() || self.groups.is_some()
    }

    /// Whether new privileges are barred.
    pub fn bars_privileges(&self) -> bool {
        self.no_new_privs.unwrap_or(self.user.is_some())
    }

    /// Takes the variables of the caller out that would mislead another user.
    pub fn adapt(&self, caller: &mut Env) {
        if self.user.is_some() {
            for name in PERSONAL {
                caller.remove(name);
            }
        }
    }

    /// What is wrong with it by itself.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let names = self.user.iter().chain(&self.group);
        let bad = |name: &String| name.is_empty() || name.contains([':', ',', '\0', '\n']);
        if names.chain(self.groups.iter().flatten()).any(bad) {
            problems
                .push("the name of a user or group cannot be empty, nor have `:` or `,`".into());
        }
        if self.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            problems.push("nice must be between -20 and 19".into());
        }
        if self
            .oom_score_adj
            .is_some_and(|score| !(-1000..=1000).contains(&score))
        {
            problems.push("oom_score_adj must be between -1000 and 1000".into());
        }
        for (name, limit) in &self.rlimits {
            if limit.soft > limit.hard {
                let text = format!("the soft limit of {name} is above the hard one: {limit}");
                problems.push(text);
            }
        }
        problems
    }
}

/// A file mode creation mask, in octal digits: `027`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Umask(u32);

/// Why a text is not a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mask: three octal digits, such as 027")]
pub struct UmaskError(String);

impl Umask {
    /// As the bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for Umask {
    type Err = UmaskError;

    fn from_str(text: &str) -> Result<Self, UmaskError> {
        let octal = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let bits = u32::from_str_radix(text, 8).ok();
        match bits.filter(|bits| octal && *bits <= 0o777) {
            Some(bits) => Ok(Self(bits)),
            None => Err(UmaskError(text.to_owned())),
        }
    }
}

impl fmt::Display for Umask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

/// What can be limited, by the names of `ulimit` and `limits.conf`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RlimitName {
    /// Address space, in bytes. Node reserves far more than it uses.
    As,
    /// Core files, in bytes.
    Core,
    /// Processor time, in seconds.
    Cpu,
    /// Data segments, in bytes.
    Data,
    /// Written files, in bytes.
    Fsize,
    /// Locked memory, in bytes.
    Memlock,
    /// Open files.
    Nofile,
    /// Processes and threads of the user, all together.
    Nproc,
    /// Signals that wait.
    Sigpending,
    /// The stack, in bytes.
    Stack,
}

impl RlimitName {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::As,
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::Fsize,
        Self::Memlock,
        Self::Nofile,
        Self::Nproc,
        Self::Sigpending,
        Self::Stack,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::Fsize => "fsize",
            Self::Memlock => "memlock",
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Sigpending => "sigpending",
            Self::Stack => "stack",
        }
    }
}

impl fmt::Display for RlimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A limit: what holds, and what the process itself may raise it to. `u64::MAX` is unlimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rlimit {
    /// What holds.
    pub soft: u64,
    /// The most.
    pub hard: u64,
}

/// Why a text is not a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RlimitError {
    /// It has no known name.
    #[error(
        "`{0}` is not one of as, core, cpu, data, fsize, memlock, nofile, nproc, sigpending, stack"
    )]
    Name(String),
    /// It has no value.
    #[error("`{0}` is not a limit (examples: 4096, 1024:4096, 512M, unlimited)")]
    Value(String),
    /// There is no `=`.
    #[error("`{0}` is not NAME=LIMIT (example: nofile=65536)")]
    Form(String),
}

impl FromStr for Rlimit {
    type Err = RlimitError;

    /// `soft:hard`, or one value for both.
    fn from_str(text: &str) -> Result<Self, RlimitError> {
        let value = |part: &str| match part {
            "unlimited" | "infinity" => Ok(u64::MAX),
            number => number
                .parse::<Size>()
                .map(Size::bytes)
                .map_err(|_| RlimitError::Value(text.to_owned())),
        };
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        Ok(Self {
            soft: value(soft)?,
            hard: value(hard)?,
        })
    }
}

impl fmt::Display for Rlimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |f: &mut fmt::Formatter<'_>, value| match value {
            u64::MAX => f.write_str("unlimited"),
            number => write!(f, "{number}"),
        };
        show(f, self.soft)?;
        if self.hard != self.soft {
            f.write_str(":")?;
            show(f, self.hard)?;
        }
        Ok(())
    }
}

/// `nofile=65536`: a limit with its name, as a flag has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedRlimit {
    /// What is limited.
    pub name: RlimitName,
    /// To how much.
    pub limit: Rlimit,
}

impl FromStr for NamedRlimit {
    type Err = RlimitError;

    fn from_str(text: &str) -> Result<Self, RlimitError> {
        let (word, limit) = text
            .split_once('=')
            .ok_or_else(|| RlimitError::Form(text.to_owned()))?;
        let name = RlimitName::ALL
            .into_iter()
            .find(|name| name.as_str() == word)
            .ok_or_else(|| RlimitError::Name(word.to_owned()))?;
        Ok(Self {
            name,
            limit: limit.parse()?,
        })
    }
}

impl Serialize for Umask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Umask {
    /// Text only: `22` as a number would be another mask than `"22"`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Rlimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rlimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "a limit, such as \"1024:4096\"")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Rlimit {
        text.parse().unwrap()
    }

    #[test]
    fn limits_are_read_and_written() {
        for (text, soft, hard) in [
            ("4096", 4096, 4096),
            ("1024:4096", 1024, 4096),
            ("0", 0, 0),
            ("unlimited", u64::MAX, u64::MAX),
            ("512:unlimited", 512, u64::MAX),
        ] {
            assert_eq!(limit(text), Rlimit { soft, hard });
            assert_eq!(limit(text).to_string(), text);
        }
        assert_eq!(limit("64M").soft, 64 << 20);
        for bad in ["", ":", "1:", "x", "-1", "1:2:3"] {
            assert!(bad.parse::<Rlimit>().is_err(), "{bad}");
        }
        let named: NamedRlimit = "nofile=1:2".parse().unwrap();
        assert_eq!(
            (named.name, named.limit),
            (RlimitName::Nofile, limit("1:2"))
        );
        for (bad, words) in [("files=3", "not one of"), ("nofile", "nofile=65536")] {
            let error = bad.parse::<NamedRlimit>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn masks_are_octal() {
        for (text, bits) in [("027", 0o27), ("22", 0o22), ("0", 0), ("777", 0o777)] {
            assert_eq!(text.parse::<Umask>().unwrap().bits(), bits);
        }
        for bad in ["", "8", "1000", "+7", "0o22", " 22"] {
            assert!(bad.parse::<Umask>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Umask>("22").is_err());
        assert_eq!("7".parse::<Umask>().unwrap().to_string(), "007");
    }

    #[test]
    fn survives_json() {
        let json = r#"{"user":"web","groups":[],"umask":"027","rlimits":{"core":0,"nofile":"1024:4096"},"oom_score_adj":300}"#;
        let spec: ProcessSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec.rlimits[&RlimitName::Core], limit("0"));
        assert!(spec.bars_privileges() && spec.names_somebody());
        let again = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ProcessSpec>(&again).unwrap(), spec);
        assert_eq!(
            serde_json::to_string(&ProcessSpec::default()).unwrap(),
            "{}"
        );
        assert!(!ProcessSpec::default().bars_privileges());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let spec = ProcessSpec {
            user: Some(String::new()),
            nice: Some(20),
            oom_score_adj: Some(-1001),
            rlimits: [(RlimitName::Core, limit("2:1"))].into(),
            ..ProcessSpec::default()
        };
        assert_eq!(spec.problems().len(), 4);
        assert!(ProcessSpec::default().problems().is_empty());
    }

    #[test]
    fn another_user_is_not_told_of_the_callers_home() {
        let mut env: Env = [("HOME", "/root"), ("PATH", "/bin")].into_iter().collect();
        ProcessSpec::default().adapt(&mut env);
        assert_eq!(env.get("HOME"), Some("/root"));
        let spec = ProcessSpec {
            user: Some("web".into()),
            ..ProcessSpec::default()
        };
        spec.adapt(&mut env);
        assert_eq!(env.iter().collect::<Vec<_>>(), [("PATH", "/bin")]);
    }
}
