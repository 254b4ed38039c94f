//! Where output comes from, and one line of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Which of its two outputs a worker wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::Err => "err",
        })
    }
}

/// The origin of output: one stream of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The app's name.
    pub app: Arc<str>,
    /// The worker's place in the app.
    pub slot: u32,
    /// The incarnation.
    pub worker: u64,
    /// The rollout that it belongs to.
    pub generation: u32,
    /// Which output.
    pub stream: Stream,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With a line break.
    Newline,
    /// It is longer than [`MAX_LINE`](super::MAX_LINE): the next line of the source continues it.
    Broken,
    /// With the end of the output, without a line break.
    Eof,
}

/// One line of output, for those who follow live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Who wrote it.
    pub source: Arc<Source>,
    /// When it was read: milliseconds since the Unix epoch.
    pub time: u64,
    /// The bytes as written, without the line break. Neither UTF-8 nor free of control characters.
    pub bytes: Box<[u8]>,
    /// How it ended.
    pub end: LineEnd,
}

impl LogLine {
    /// The line as text; what is not UTF-8 becomes replacement characters.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}
