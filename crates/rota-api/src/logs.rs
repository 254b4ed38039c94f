//! Lines of output.

use serde::{Deserialize, Serialize};

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Which streams are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamFilter {
    /// Standard output only.
    Out,
    /// Standard error only.
    Err,
    /// Both.
    #[default]
    Both,
}

impl StreamFilter {
    /// True if `stream` is meant.
    pub fn accepts(self, stream: Stream) -> bool {
        match self {
            Self::Out => stream == Stream::Out,
            Self::Err => stream == Stream::Err,
            Self::Both => true,
        }
    }

    /// The word for it, as in a query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Both => "both",
        }
    }
}

/// The query of `GET /v1/logs`: `target=api&target=3&lines=15&follow=true&stream=err`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsQuery {
    /// Names, ids or `name:slot`; none = all.
    pub targets: Vec<String>,
    /// How many past lines per file.
    pub lines: u32,
    /// Go on with new lines until the client closes.
    pub follow: bool,
    /// Which streams.
    pub stream: StreamFilter,
}

impl Default for LogsQuery {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            lines: 15,
            follow: false,
            stream: StreamFilter::Both,
        }
    }
}

/// One line of the answer to `GET /v1/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The app; empty for a notice of rota itself (such as lines that were left out).
    pub app: String,
    /// The slot.
    pub slot: u32,
    /// The worker's unique number, if known.
    pub worker: Option<u64>,
    /// The stream.
    pub stream: Stream,
    /// Unix time in milliseconds; absent for lines from before, read from a file.
    pub time: Option<u64>,
    /// The line without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}
