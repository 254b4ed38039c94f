//! Standard output, which may be closed at any time by who reads it.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use super::paint::{Ink, Paint};
use crate::failure::{Failure, Stop};

/// Standard output. Lines are kept until [`Out::flush`] or the end.
#[derive(Debug)]
pub struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    /// How it may be painted.
    pub paint: Paint,
}

impl Out {
    pub(crate) fn stdout(no_color: bool) -> Self {
        Self {
            writer: BufWriter::new(io::stdout().lock()),
            paint: Paint::stdout(no_color),
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// [`Stop::Closed`] if nobody reads any more.
    pub fn line(&mut self, text: &str) -> Result<(), Stop> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.writer.write_all(bytes).map_err(stop)
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Stop> {
        serde_json::to_writer(&mut self.writer, value).map_err(|error| stop(error.into()))?;
        self.bytes(b"\n")
    }

    /// Writes a value as JSON that people can read too.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn pretty_json<T: Serialize>(&mut self, value: &T) -> Result<(), Stop> {
        serde_json::to_writer_pretty(&mut self.writer, value)
            .map_err(|error| stop(error.into()))?;
        self.bytes(b"\n")
    }

    /// The text in this colour.
    pub fn ink(&self, ink: Ink, text: &str) -> String {
        self.paint.apply(ink, text)
    }

    /// Hands everything over.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn flush(&mut self) -> Result<(), Stop> {
        self.writer.flush().map_err(stop)
    }
}

fn stop(error: io::Error) -> Stop {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Stop::Closed;
    }
    Failure::new(
        rota_api::ExitCode::Failed,
        "cannot write to standard output",
    )
    .because(&error)
    .into()
}
