//! The answer of an operation, also when the supervisor dies in between.

use super::ask::Ask;
use super::error::ClientError;
use super::lines::Lines;
use super::link::Link;
use crate::StreamEvent;

/// What an operation tells: progress, and at last its results.
#[derive(Debug)]
pub struct Events {
    link: Link,
    ask: Ask,
    lines: Lines<StreamEvent>,
    finished: bool,
}

impl Events {
    pub(super) async fn begin(mut link: Link, ask: Ask) -> Result<Self, ClientError> {
        let response = link.head(&ask).await?;
        Ok(Self {
            link,
            ask,
            lines: Lines::new(response.into_body()),
            finished: false,
        })
    }

    /// The next event; `None` behind [`StreamEvent::Finished`].
    ///
    /// A connection that breaks before the end is made again, and the operation asked for again by its name: it is not
    /// begun anew, but what was told in between is not told again.
    ///
    /// # Errors
    /// If the daemon is gone, does not live long enough to answer, or refuses; a line that is not understood.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            if self.finished {
                return Ok(None);
            }
            let broke = match self.lines.next().await {
                Ok(Some(event)) => {
                    self.link.lives();
                    self.finished = matches!(event, StreamEvent::Finished(_));
                    return Ok(Some(event));
                }
                Ok(None) => ClientError::Ended,
                Err(error) if error.is_break() => error,
                Err(error) => return Err(error),
            };
            self.link.again(&self.ask, broke).await?;
            let response = self.link.head(&self.ask).await?;
            self.lines = Lines::new(response.into_body());
        }
    }
}
