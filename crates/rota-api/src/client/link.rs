//! One HTTP connection over the Unix socket, made again when it breaks.
//!
//! The keeper holds the listening socket: while a dead supervisor is replaced, a new connection waits in the socket's
//! queue until the next supervisor takes it. So a broken connection is made again, and the request sent again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::ask::Ask;
use super::error::ClientError;
use crate::{ErrorBody, HyperIo};

/// Largest answer that is not a stream. A list of a thousand workers is about one megabyte.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Linux: `sun_path` has 108 bytes, the last one is zero.
const MAX_SOCKET_PATH: usize = 107;

/// How long a daemon that was there may be away.
const PATIENCE: Duration = Duration::from_secs(15);

/// The first pause between two attempts to connect; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How often a request is sent again without any sign of life in between: one that kills whoever reads it must not
/// kill supervisors without end.
const MOST_TRIES: u32 = 10;

/// Told once, when a request is sent again.
pub(super) type Notice = Box<dyn FnOnce() + Send>;

/// A connection to the daemon.
pub(super) struct Link {
    /// Where it can be made again.
    socket: Option<PathBuf>,
    sender: SendRequest<Full<Bytes>>,
    notice: Option<Notice>,
    /// Since when there has been no sign of life, and how often the connection broke since then.
    silent: Option<Instant>,
    breaks: u32,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("socket", &self.socket)
            .field("breaks", &self.breaks)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) async fn connect(socket: PathBuf) -> Result<Self, ClientError> {
        let sender = dial(&socket).await?;
        Ok(Self {
            socket: Some(socket),
            ..Self::of(sender)
        })
    }

    /// Over a stream that cannot be made again.
    pub(super) async fn over(stream: UnixStream) -> Result<Self, ClientError> {
        Ok(Self::of(handshake(stream).await?))
    }

    fn of(sender: SendRequest<Full<Bytes>>) -> Self {
        Self {
            socket: None,
            sender,
            notice: None,
            silent: None,
            breaks: 0,
        }
    }

    /// Sets what is called when a request is sent again for the first time.
    pub(super) fn tell_once(&mut self, notice: Notice) {
        self.notice = Some(notice);
    }

    /// Leaves it to the caller to say that a request was sent again.
    pub(super) fn tell_nobody(&mut self) {
        self.notice = None;
    }

    /// Something came from the daemon.
    pub(super) fn lives(&mut self) {
        (self.silent, self.breaks) = (None, 0);
    }

    /// Sends a request, again if need be, until an answer begins.
    pub(super) async fn head(&mut self, ask: &Ask) -> Result<Response<Incoming>, ClientError> {
        loop {
            match self.once(ask).await {
                Err(error) if error.is_break() => self.again(ask, error).await?,
                other => return other,
            }
        }
    }

    /// Sends a request, again if need be, until there is a whole answer.
    pub(super) async fn value<T: DeserializeOwned>(&mut self, ask: &Ask) -> Result<T, ClientError> {
        loop {
            match self.value_once(ask).await {
                Err(error) if error.is_break() => self.again(ask, error).await?,
                other => {
                    self.lives();
                    return other;
                }
            }
        }
    }

    /// As [`Self::value`] for what must not be sent twice.
    pub(super) async fn value_once<T: DeserializeOwned>(
        &mut self,
        ask: &Ask,
    ) -> Result<T, ClientError> {
        let body = whole(self.once(ask).await?).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))
    }

    /// Sends a request, once.
    pub(super) async fn once(&mut self, ask: &Ask) -> Result<Response<Incoming>, ClientError> {
        let sent = self.sender.send_request(ask.to_http()?).await;
        let response = sent.map_err(ClientError::of_connection)?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(response).await),
        }
    }

    /// Connects again after the connection broke.
    ///
    /// # Errors
    /// The error that it broke with, if there is no daemon any more, or it dies again and again.
    pub(super) async fn again(&mut self, ask: &Ask, broke: ClientError) -> Result<(), ClientError> {
        let Some(socket) = self.socket.clone() else {
            return Err(broke);
        };
        let silent = *self.silent.get_or_insert_with(Instant::now);
        self.breaks += 1;
        if self.breaks > MOST_TRIES {
            return Err(broke);
        }
        let mut pause = FIRST_PAUSE;
        // Whoever starts a daemon anew takes the path away for a moment.
        let mut refused = false;
        loop {
            match dial(&socket).await {
                Ok(sender) => {
                    self.sender = sender;
                    if let Some(notice) = self.notice.take() {
                        notice();
                    }
                    return Ok(());
                }
                // A daemon that ends in order takes its path away.
                Err(ClientError::NotRunning { .. }) if !refused => return Err(broke),
                Err(error) if error.is_absent() && !ask.ends_daemon => refused = true,
                Err(error) if error.is_busy() => {}
                Err(_) => return Err(broke),
            }
            if silent.elapsed() + pause > PATIENCE {
                return Err(broke);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The error for what cannot be sent again: whether a daemon is there to be asked anew.
    pub(super) async fn lost(&self, broke: ClientError) -> ClientError {
        lost(self.socket.as_deref(), broke).await
    }

    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }
}

/// See [`Link::lost`].
pub(super) async fn lost(socket: Option<&Path>, broke: ClientError) -> ClientError {
    match socket {
        Some(socket) if broke.is_break() && dial(socket).await.is_ok() => ClientError::Restarted,
        _ => broke,
    }
}

async fn dial(socket: &Path) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let path = || socket.to_owned();
    if socket.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ClientError::PathTooLong { socket: path() });
    }
    match UnixStream::connect(socket).await {
        Ok(stream) => handshake(stream).await,
        Err(source) => Err(match source.kind() {
            io::ErrorKind::NotFound => ClientError::NotRunning { socket: path() },
            io::ErrorKind::ConnectionRefused => ClientError::Stale { socket: path() },
            io::ErrorKind::PermissionDenied => ClientError::Permission { socket: path() },
            _ => ClientError::Connect {
                socket: path(),
                source,
            },
        }),
    }
}

async fn handshake(stream: UnixStream) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let (sender, connection) = http1::handshake(HyperIo::new(stream))
        .await
        .map_err(ClientError::of_connection)?;
    // Its end is seen by the request that is running, with the same error.
    tokio::spawn(connection);
    Ok(sender)
}

async fn refusal(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    match whole(response).await {
        Ok(body) => match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => ClientError::Api(body.error),
            Err(_) => ClientError::Protocol(format!("HTTP status {status}")),
        },
        Err(error) => error,
    }
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    Limited::new(response.into_body(), MAX_ANSWER_BYTES)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::of_connection(*error),
            Err(error) => ClientError::Protocol(error.to_string()),
        })
}
