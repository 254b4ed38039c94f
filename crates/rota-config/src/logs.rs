//! What becomes of the output of an app's workers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Size, Span};

/// Where output goes, in which form, and for how long it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// No files: output goes only to those who follow, and into failure reports.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// The file of standard output, absolute; `None` = one in ROTA_HOME/logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// The file of standard error, absolute; `None` = one in ROTA_HOME/logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err: Option<PathBuf>,
    /// A file that gets both streams, besides the others; absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<PathBuf>,
    /// All workers of the app write to the same files, instead of one per slot.
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

/// When a log file is put aside, and how long it is kept then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotateSpec {
    /// A file that has grown to this is put aside; `None` = whatever its size.
    pub size: Option<Size>,
    /// A file is put aside when this begins; `None` = whatever its age.
    pub every: Option<Period>,
    /// So many files are kept besides the one that is written; 0 = none.
    pub keep: u32,
    /// Files older than this are removed.
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

fn is_false(value: &bool) -> bool {
    !value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
