//! An answer that is a file.

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Bytes, Incoming};

use super::error::ClientError;

/// A body that is taken piece by piece.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
}

impl Download {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        Self {
            body: response.into_body(),
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If the daemon ended before its answer did.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            // Anything but data are trailers, which nobody sends.
            if let Ok(data) = frame.map_err(ClientError::of_connection)?.into_data() {
                return Ok(Some(data));
            }
        }
    }
}
