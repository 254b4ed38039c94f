//! A file on its way to a caller, piece by piece; reading it holds nobody else up.

use std::fs::File;
use std::future::Future as _;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is read at a time, in bytes.
const PIECE: u64 = 128 * 1024;

/// What is sent.
pub(super) enum Answer {
    /// Known at once.
    Text(Full<Bytes>),
    /// A part of a file.
    File(Stretch),
}

/// A part of a file.
pub(super) struct Stretch {
    file: Arc<File>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl Answer {
    /// A few words.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Full::new(text.into()))
    }

    /// So many bytes of a file.
    pub(super) fn file(file: File, at: u64, length: u64) -> Self {
        Self::File(Stretch {
            file: Arc::new(file),
            at,
            left: length,
            reading: None,
        })
    }
}

impl Stretch {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, at) = (&self.file, self.at);
        let length = self.left.min(PIECE);
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            spawn_blocking(move || piece(&file, at, length))
        });
        let Poll::Ready(done) = Pin::new(reading).poll(context) else {
            return Poll::Pending;
        };
        self.reading = None;
        let bytes = done.map_err(io::Error::other).and_then(|read| read);
        Poll::Ready(Some(bytes.map(|bytes| {
            self.at += bytes.len() as u64;
            self.left -= bytes.len() as u64;
            Bytes::from(bytes)
        })))
    }
}

fn piece(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(&mut bytes, at)?;
    if read == 0 {
        // The length was promised. The connection is broken off, so that nobody takes it for the whole.
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file has become shorter",
        ));
    }
    bytes.truncate(read);
    Ok(bytes)
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Text(text) => Pin::new(text)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::File(stretch) => stretch
                .poll(context)
                .map(|piece| piece.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_end_stream(),
            Self::File(stretch) => stretch.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => text.size_hint(),
            Self::File(stretch) => SizeHint::with_exact(stretch.left),
        }
    }
}
