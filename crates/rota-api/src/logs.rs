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
    /// How many past lines per log; `None` = all.
    pub lines: Option<u32>,
    /// Go on with new lines until the client closes.
    pub follow: bool,
    /// Which streams.
    pub stream: StreamFilter,
    /// Past lines not before this: Unix time in milliseconds. Lines of which no time is known are taken by that of their file.
    pub since: Option<u64>,
    /// Past lines not after this.
    pub until: Option<u64>,
    /// Past lines that match this expression only; live ones are all sent.
    pub grep: Option<String>,
}

impl Default for LogsQuery {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            lines: Some(15),
            follow: false,
            stream: StreamFilter::Both,
            since: None,
            until: None,
            grep: None,
        }
    }
}

/// One line of the answer to `GET /v1/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The app; empty for a notice of rota itself (such as lines that were left out).
    pub app: String,
    /// The slot; zero if several workers share the log, and it does not say.
    pub slot: u32,
    /// The worker's unique number, if known.
    pub worker: Option<u64>,
    /// The generation that it belongs to, if known.
    #[serde(default)]
    pub generation: Option<u32>,
    /// The stream; absent if both are in the file, and it does not say.
    pub stream: Option<Stream>,
    /// Unix time in milliseconds; of past lines only if it is known.
    pub time: Option<u64>,
    /// The line without its end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Empty logs, and remove what was put aside of them (`POST /v1/logs/flush`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlushRequest {
    /// Names, ids, `name:slot` or `all`; none = all.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// The answer to a [`FlushRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlushResponse {
    /// How many logs were emptied.
    pub files: u64,
    /// How much was in them, besides what was put aside.
    pub bytes: u64,
    /// Those that could not be emptied, and why.
    pub errors: Vec<String>,
}
