//! Reading NDJSON, one bounded line after another.

use std::marker::PhantomData;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;

use super::error::ClientError;
use crate::paths::MAX_LINE_BYTES;

/// A stream of JSON values, one per line.
#[derive(Debug)]
pub struct Lines<T, B = hyper::body::Incoming> {
    body: B,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// How much of the unread part is known to have no line end.
    searched: usize,
    item: PhantomData<fn() -> T>,
}

impl<T, B> Lines<T, B>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            item: PhantomData,
        }
    }

    /// The next value; `None` at the end. Cancelling loses nothing.
    ///
    /// # Errors
    /// If the connection breaks, or a line is too long or not understood.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(line) = self.take_line()? {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return parse(&line).map(Some);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(ClientError::of_connection(error)),
                None if self.buffer.len() == self.start => return Ok(None),
                None => return Err(ClientError::Ended),
            }
        }
    }

    /// Takes a whole line out of the buffer, if there is one.
    fn take_line(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let unread = self.buffer.get(self.start..).unwrap_or_default();
        let fresh = unread.get(self.searched..).unwrap_or_default();
        if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
            let length = self.searched + at;
            let line = unread.get(..length).unwrap_or_default().to_vec();
            self.start += length + 1;
            self.searched = 0;
            return Ok(Some(line));
        }
        if unread.len() > MAX_LINE_BYTES {
            let text = format!("a line is longer than {MAX_LINE_BYTES} bytes");
            return Err(ClientError::Protocol(text));
        }
        self.searched = unread.len();
        self.buffer.drain(..self.start);
        self.start = 0;
        Ok(None)
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(line).map_err(|error| ClientError::Protocol(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body that comes in the given pieces.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn read(pieces: Vec<Vec<u8>>) -> (Vec<u32>, Option<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let body = Pieces(pieces.into_iter().map(Bytes::from).collect());
        let mut lines = Lines::<u32, _>::new(body);
        let mut values = Vec::new();
        runtime.block_on(async {
            loop {
                match lines.next().await {
                    Ok(Some(value)) => values.push(value),
                    Ok(None) => return (values, None),
                    Err(error) => return (values, Some(error.to_string())),
                }
            }
        })
    }

    #[test]
    fn lines_may_be_cut_anywhere() {
        let whole = b"1\n22\n\n333\r\n";
        for cut in 0..=whole.len() {
            let (a, b) = whole.split_at(cut);
            let (values, error) = read(vec![a.to_vec(), b.to_vec()]);
            assert_eq!((values, error), (vec![1, 22, 333], None), "cut at {cut}");
        }
        let bytes = whole.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(read(bytes).0, [1, 22, 333]);
    }

    #[test]
    fn an_unfinished_line_is_an_error() {
        let (values, error) = read(vec![b"1\n2".to_vec()]);
        assert_eq!(values, [1]);
        assert!(error.unwrap().contains("in the middle"));
    }

    #[test]
    fn an_endless_line_is_not_buffered() {
        let piece = vec![b' '; 64 * 1024];
        let (values, error) = read(vec![piece; 1000]);
        assert!(values.is_empty());
        assert!(error.unwrap().contains("longer than"));
    }

    #[test]
    fn garbage_is_an_error_with_its_cause() {
        let (_, error) = read(vec![b"{]\n".to_vec()]);
        assert!(
            error
                .unwrap()
                .starts_with("the daemon's answer is not understood")
        );
    }
}
