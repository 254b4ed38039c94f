//! The HTTP side of the API: connections, bodies, and answers as JSON or as lines of JSON.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode};
use rota_api::{ApiError, ErrorCode, NoToken, OperationToken, paths};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// How much of a request that is too long is read after all, in bytes, and thrown away: whoever writes all of its
/// request before it reads the answer would meet a closed connection, and never see the answer.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// How many lines a reader of a stream may lag behind before it is dropped.
const STREAM_BACKLOG: usize = 1024;

/// The same for lines of output, whose sender waits. They may have 64 KiB each, and some times that as JSON: what a
/// reader that has stalled makes wait here is memory.
const OUTPUT_BACKLOG: usize = 8;

/// What handlers answer.
pub type Answer = Response<AnswerBody>;

/// A whole body, or one that grows line by line.
pub enum AnswerBody {
    /// Known at once.
    Full(Full<Bytes>),
    /// Lines of JSON, as they come.
    Lines(mpsc::Receiver<Bytes>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            AnswerBody::Full(full) => Pin::new(full).poll_frame(context),
            AnswerBody::Lines(lines) => lines
                .poll_recv(context)
                .map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }
}

/// The writing end of a stream of JSON lines. A reader that is too slow is dropped, never waited for.
#[derive(Clone)]
pub struct LineSender {
    lines: mpsc::Sender<Bytes>,
}

impl LineSender {
    /// Sends one value as a line. Returns false when nobody reads any more, or not fast enough.
    pub fn send<T: Serialize>(&self, value: &T) -> bool {
        let Ok(mut line) = serde_json::to_vec(value) else {
            return false;
        };
        line.push(b'\n');
        self.lines.try_send(Bytes::from(line)).is_ok()
    }

    /// Sends one value as a line, waiting for the reader to have room. Returns false when it has gone.
    pub async fn send_waiting<T: Serialize>(&self, value: &T) -> bool {
        self.send_all_waiting(std::iter::once(value)).await
    }

    /// Sends some values at once, as lines, in the same way.
    pub async fn send_all_waiting<T: Serialize>(&self, values: impl Iterator<Item = T>) -> bool {
        let mut lines = Vec::new();
        for value in values {
            if serde_json::to_writer(&mut lines, &value).is_err() {
                return false;
            }
            lines.push(b'\n');
        }
        self.lines.send(Bytes::from(lines)).await.is_ok()
    }

    /// True if the reader has gone.
    pub fn is_closed(&self) -> bool {
        self.lines.is_closed()
    }

    /// Resolves when the reader has gone.
    pub async fn closed(&self) {
        self.lines.closed().await;
    }
}

/// The name that the caller has given to what it asks for.
///
/// # Errors
/// When the header is there, but holds no token.
pub fn token<B>(request: &Request<B>) -> Result<Option<OperationToken>, ApiError> {
    let Some(value) = request.headers().get(OperationToken::HEADER) else {
        return Ok(None);
    };
    let token = value.to_str().unwrap_or_default().parse();
    token.map(Some).map_err(|error: NoToken| {
        let text = format!("the header {}: {error}", OperationToken::HEADER);
        ApiError::new(ErrorCode::BadRequest, text)
    })
}

/// A streamed answer and the end to write its lines to.
pub fn stream() -> (Answer, LineSender) {
    stream_of(STREAM_BACKLOG)
}

/// The same for output, to be sent with [`LineSender::send_waiting`].
pub fn output_stream() -> (Answer, LineSender) {
    stream_of(OUTPUT_BACKLOG)
}

fn stream_of(backlog: usize) -> (Answer, LineSender) {
    let (sender, receiver) = mpsc::channel(backlog);
    let mut answer = Response::new(AnswerBody::Lines(receiver));
    answer.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/x-ndjson"),
    );
    (answer, LineSender { lines: sender })
}

/// A file as an answer, of this length, with one header of its own.
pub fn file(
    pieces: mpsc::Receiver<Bytes>,
    length: u64,
    header: (&'static str, String),
) -> Option<Answer> {
    use hyper::header::{CONTENT_LENGTH, HeaderValue};
    let mut answer = Response::new(AnswerBody::Lines(pieces));
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(header.0, HeaderValue::from_bytes(header.1.as_bytes()).ok()?);
    Some(answer)
}

/// A JSON answer with status 200.
pub fn json<T: Serialize>(value: &T) -> Answer {
    json_with(StatusCode::OK, value)
}

/// An error answer; the status follows from its code.
pub fn error(error: ApiError) -> Answer {
    let status =
        StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_with(status, &rota_api::ErrorBody { error })
}

fn json_with<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    let mut body = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    body.push(b'\n');
    let mut answer = Response::new(AnswerBody::Full(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    answer
}

/// Reads and parses a request's body.
///
/// # Errors
/// A body that is too long, cut off, or not what the endpoint takes.
pub async fn read_json<T: DeserializeOwned>(body: Incoming) -> Result<T, ApiError> {
    let bytes = read(body, paths::MAX_REQUEST_BYTES, too_large).await?;
    serde_json::from_slice(&bytes).map_err(|e| {
        ApiError::new(
            ErrorCode::BadRequest,
            format!("the request is not understood: {e}"),
        )
    })
}

/// Reads what is to be written to standard input, as it is.
///
/// # Errors
/// A body that is too long, or cut off.
pub async fn read_stdin(body: Incoming) -> Result<Bytes, ApiError> {
    let too_large = || {
        let limit = paths::MAX_STDIN_BYTES / 1024;
        let text = format!("more than {limit} KiB are to be written at once");
        ApiError::new(ErrorCode::TooLarge, text).with_hint("write it in parts")
    };
    read(body, paths::MAX_STDIN_BYTES, too_large).await
}

async fn read(
    mut body: Incoming,
    limit: usize,
    too_large: impl FnOnce() -> ApiError,
) -> Result<Bytes, ApiError> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(too_large())
        }
        Err(error) => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("cannot read the request: {error}"),
        )),
    }
}

fn too_large() -> ApiError {
    let limit = paths::MAX_REQUEST_BYTES / (1024 * 1024);
    ApiError::new(
        ErrorCode::TooLarge,
        format!("the request is larger than {limit} MiB"),
    )
    .with_hint("each script of a start brings the whole environment along: start fewer at once, or from a smaller environment")
}

/// Reads the rest of a body, within bounds, and keeps nothing of it.
async fn discard(body: &mut Incoming) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
