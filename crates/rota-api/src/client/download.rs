//! An answer that is a file.

use std::path::PathBuf;

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Bytes, Incoming};

use super::error::ClientError;
use super::link;

/// A body that is taken piece by piece.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    /// Where the daemon can be looked for if it breaks off.
    socket: Option<PathBuf>,
}

impl Download {
    pub(super) fn new(response: Response<Incoming>, socket: Option<PathBuf>) -> Self {
        Self {
            body: response.into_body(),
            socket,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If the daemon ended before its answer did; [`ClientError::Restarted`] if it is there again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = match frame.map_err(ClientError::of_connection) {
                Ok(frame) => frame,
                Err(broke) => return Err(link::lost(self.socket.as_deref(), broke).await),
            };
            // Anything but data are trailers, which nobody sends.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}
