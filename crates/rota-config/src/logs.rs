//! What becomes of the output of an app's workers.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{Size, Span};

/// The longest form of times, in bytes.
const MAX_TIME_FORMAT: usize = 100;

/// Where output goes, in which form, and for how long it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// No files: output goes only to those who follow, and into failure reports.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// The file of standard output, for all workers of the app, or with `{slot}` in it for each its own. Relative to the
    /// working directory; `None` = in ROTA_HOME/logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// The file of standard error, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err: Option<PathBuf>,
    /// A file that gets both streams, besides the others, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<PathBuf>,
    /// All workers of the app write to the same files in ROTA_HOME/logs, instead of one per slot.
    #[serde(skip_serializing_if = "is_false")]
    pub merge: bool,
    /// How a line is written.
    #[serde(skip_serializing_if = "is_default")]
    pub format: LogFormat,
    /// What is put in front of each line, as by strftime(3); `None` = nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// When a file is put aside, and how long it is kept then.
    #[serde(skip_serializing_if = "is_default")]
    pub rotate: RotateSpec,
    /// How `rota run` shows it on its own standard output; `None` = by the number of workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<ShowAs>,
    /// Each line goes to journald as well.
    #[serde(skip_serializing_if = "is_false")]
    pub journald: bool,
}

impl LogSpec {
    /// What is wrong with it, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, path) in [
            ("the file of standard output", &self.out),
            ("the file of standard error", &self.err),
            ("the file of both streams", &self.joined),
        ] {
            if let Some(Err(why)) = path.as_deref().map(check_place) {
                problems.push(format!("{name}: {why}"));
            }
        }
        if let Some(Err(why)) = self.time.as_deref().map(check_time) {
            problems.push(format!("the form of times: {why}"));
        }
        problems
    }
}

/// Checks the place of a log file, without a look at the file system.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_place(path: &Path) -> Result<(), String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if path.file_name().is_none() || bytes.ends_with(b"/") {
        return Err("it must be the name of a file, not of a folder".to_owned());
    }
    match bytes.contains(&0) {
        true => Err("there is a zero byte in it".to_owned()),
        false => Ok(()),
    }
}

/// Checks a form of times, as by strftime(3).
///
/// # Errors
/// A sentence that says what is not understood.
pub fn check_time(format: &str) -> Result<(), String> {
    if format.contains(['\n', '\0']) {
        return Err("there is a line break or a zero byte in it".to_owned());
    }
    if format.len() > MAX_TIME_FORMAT {
        return Err(format!("it has more than {MAX_TIME_FORMAT} bytes"));
    }
    // Whatever the moment, it is formatted or it is not.
    let at = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let formatted = jiff::fmt::strtime::format(format, &at);
    formatted.map(drop).map_err(|error| {
        let error = error.to_string();
        let (_, why) = error.split_once("failed: ").unwrap_or(("", &error));
        format!("`{format}` is no form of times: {why}")
    })
}

/// How `rota run` shows a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShowAs {
    /// As it was written.
    Raw,
    /// Behind the name of its worker.
    Prefix,
    /// As an object of JSON.
    Json,
}

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// The bytes of the worker, behind the time if there is to be one.
    #[default]
    Plain,
    /// An object of JSON per line, with app, worker, stream, time and text.
    Json,
}

impl ShowAs {
    /// The word for it, as the flag has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Prefix => "prefix",
            Self::Json => "json",
        }
    }
}

impl LogFormat {
    /// The word for it, as in rota.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Json => "json",
        }
    }
}

/// When a log file is put aside, and how long it is kept then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotateSpec {
    /// A file that has grown to this is put aside; `None` or zero = whatever its size.
    pub size: Option<Size>,
    /// A file is put aside when this begins; `None` = whatever its age.
    pub every: Option<Period>,
    /// So many files are kept besides the one that is written; 0 = none.
    pub keep: u32,
    /// Files that were put aside longer ago are removed.
    pub max_age: Option<Span>,
    /// Files that were put aside are compressed (gzip).
    pub compress: bool,
}

impl Default for RotateSpec {
    /// Rotation is on, so that no disk fills: 5 files of 20 MB per log, compressed.
    fn default() -> Self {
        Self {
            size: Some(Size::from_bytes(20 * 1024 * 1024)),
            every: None,
            keep: 5,
            max_age: None,
            compress: true,
        }
    }
}

/// A period by the clock on the wall, in the time zone of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// An hour.
    Hourly,
    /// A day.
    Daily,
    /// A week; it begins on Monday.
    Weekly,
}

impl Period {
    /// The word for it, as in rota.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_not_written() {
        let json = serde_json::to_string(&LogSpec::default()).unwrap();
        assert_eq!(json, "{}");
        let older: LogSpec = serde_json::from_str(r#"{"rotate":{"keep":3}}"#).unwrap();
        assert_eq!(older.rotate.keep, 3);
        assert_eq!(older.rotate.size, RotateSpec::default().size);
    }

    #[test]
    fn problems_are_sentences() {
        let spec = LogSpec {
            out: Some("logs/".into()),
            err: Some("/".into()),
            joined: Some("logs/all.log".into()),
            time: Some("%H\n".into()),
            ..LogSpec::default()
        };
        assert_eq!(spec.problems().len(), 3);
        assert!(check_time("%Y-%m-%d %H:%M:%S%.3f %:z").is_ok());
        for wrong in ["%!", "%", "%H\0", &"x".repeat(MAX_TIME_FORMAT + 1)] {
            assert!(check_time(wrong).is_err(), "{wrong}");
        }
        assert!(LogSpec::default().problems().is_empty());
    }
}
