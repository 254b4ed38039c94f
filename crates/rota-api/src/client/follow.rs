//! Output, and following it beyond the death of a supervisor.

use super::ask::Ask;
use super::error::ClientError;
use super::lines::Lines;
use super::link::Link;
use crate::{LogLine, LogsQuery, Stream, paths};

/// What a reader is told when the lines come from another supervisor from here on.
const RESUMED: &str =
    "the supervisor was restarted: lines of this moment may be missing or come twice";

/// Lines of output.
#[derive(Debug)]
pub struct LogLines {
    link: Link,
    query: LogsQuery,
    lines: Lines<LogLine>,
}

impl LogLines {
    pub(super) async fn begin(mut link: Link, query: LogsQuery) -> Result<Self, ClientError> {
        let response = link.head(&ask(&query)).await?;
        // From here on a line says it.
        link.tell_nobody();
        Ok(Self {
            link,
            query,
            lines: Lines::new(response.into_body()),
        })
    }

    /// The next line; `None` at the end. Cancelling loses nothing, but for the connection while it is made again.
    ///
    /// While output is followed, a connection that breaks is made again, and it goes on from there; a line of rota
    /// itself (its `app` is empty) says so.
    ///
    /// # Errors
    /// If the daemon is gone, or the connection breaks while past output is read; a line that is not understood.
    pub async fn next(&mut self) -> Result<Option<LogLine>, ClientError> {
        match self.lines.next().await {
            Err(broke) if broke.is_break() && self.query.follow => self.resume(broke).await,
            Ok(line) => {
                self.link.lives();
                Ok(line)
            }
            Err(error) => Err(error),
        }
    }

    async fn resume(&mut self, broke: ClientError) -> Result<Option<LogLine>, ClientError> {
        // Past lines have been shown.
        self.query.lines = Some(0);
        let ask = ask(&self.query);
        self.link.again(&ask, broke).await?;
        let response = self.link.head(&ask).await?;
        self.lines = Lines::new(response.into_body());
        Ok(Some(LogLine {
            app: String::new(),
            slot: 0,
            worker: None,
            generation: None,
            stream: Some(Stream::Err),
            time: None,
            text: RESUMED.to_owned(),
        }))
    }
}

fn ask(query: &LogsQuery) -> Ask {
    Ask::get(format!("{}?{}", paths::LOGS, query.to_query()))
}
