//! One HTTP connection over the Unix socket.

use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::download::Download;
use super::error::ClientError;
use super::lines::Lines;
use crate::{
    AppList, CommandRequest, ErrorBody, HyperIo, LogLine, LogsQuery, ProfileRequest, ProfileSource,
    ShutdownRequest, SignalRequest, SignalResponse, StackRequest, StackResponse, StartRequest,
    StreamEvent, Version, paths, targets_to_query,
};

/// A connection to the daemon. Must be used inside a tokio runtime with IO.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

/// Largest answer that is not a stream. A list of a thousand workers is about one megabyte.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Linux: `sun_path` has 108 bytes, the last one is zero.
const MAX_SOCKET_PATH: usize = 107;

impl Client {
    /// Connects to the daemon of `home`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] or [`ClientError::Stale`] if there is none.
    pub async fn connect(home: &Path) -> Result<Self, ClientError> {
        let socket = paths::socket(home);
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(ClientError::PathTooLong { socket });
        }
        match UnixStream::connect(&socket).await {
            Ok(stream) => Self::over(stream).await,
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound => ClientError::NotRunning { socket },
                io::ErrorKind::ConnectionRefused => ClientError::Stale { socket },
                io::ErrorKind::PermissionDenied => ClientError::Permission { socket },
                _ => ClientError::Connect {
                    socket,
                    source: error,
                },
            }),
        }
    }

    /// Uses a stream that is connected already.
    ///
    /// # Errors
    /// If the stream is broken.
    pub async fn over(stream: UnixStream) -> Result<Self, ClientError> {
        let (sender, connection) = http1::handshake(HyperIo::new(stream))
            .await
            .map_err(ClientError::of_connection)?;
        // Its end is seen by the request that is running, with the same error.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// What daemon this is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version(&mut self) -> Result<Version, ClientError> {
        self.get(paths::VERSION).await
    }

    /// The apps that `targets` mean; no target = all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn apps(&mut self, targets: &[String]) -> Result<AppList, ClientError> {
        let query = targets_to_query(targets);
        if query.is_empty() {
            return self.get(paths::APPS).await;
        }
        self.get(&format!("{}?{query}", paths::APPS)).await
    }

    /// Starts apps.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn start<S: Serialize>(
        mut self,
        request: &StartRequest<S>,
    ) -> Result<Lines<StreamEvent>, ClientError> {
        self.stream(Method::POST, paths::APPS, json(request)?).await
    }

    /// Does something with apps that exist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn command<U: Serialize>(
        mut self,
        request: &CommandRequest<U>,
    ) -> Result<Lines<StreamEvent>, ClientError> {
        self.stream(Method::POST, paths::COMMAND, json(request)?)
            .await
    }

    /// Stops everything, the daemon included.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn shutdown(
        mut self,
        request: &ShutdownRequest,
    ) -> Result<Lines<StreamEvent>, ClientError> {
        self.stream(Method::POST, paths::SHUTDOWN, json(request)?)
            .await
    }

    /// Sends a signal to workers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn signal(&mut self, request: &SignalRequest) -> Result<SignalResponse, ClientError> {
        let response = self
            .send(Method::POST, paths::SIGNAL, json(request)?)
            .await?;
        value(response).await
    }

    /// Where the JavaScript of workers is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stack(&mut self, request: &StackRequest) -> Result<StackResponse, ClientError> {
        let response = self
            .send(Method::POST, paths::STACK, json(request)?)
            .await?;
        value(response).await
    }

    /// Records a profile: whose it is, and the profile.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn profile(
        &mut self,
        request: &ProfileRequest,
    ) -> Result<(ProfileSource, Download), ClientError> {
        let response = self
            .send(Method::POST, paths::PROFILE, json(request)?)
            .await?;
        let source = response.headers().get(ProfileSource::HEADER);
        let source = source
            .and_then(|source| serde_json::from_slice(source.as_bytes()).ok())
            .ok_or_else(|| {
                ClientError::Protocol("it does not say whose profile it is".to_owned())
            })?;
        Ok((source, Download::new(response)))
    }

    /// Reads output; with `follow` without end.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logs(mut self, query: &LogsQuery) -> Result<Lines<LogLine>, ClientError> {
        let path = format!("{}?{}", paths::LOGS, query.to_query());
        self.stream(Method::GET, &path, Bytes::new()).await
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        value(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    async fn stream<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Lines<T>, ClientError> {
        let response = self.send(method, path, body).await?;
        Ok(Lines::new(response.into_body()))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "rota")
            .header(header::CONTENT_TYPE, paths::JSON)
            .body(Full::new(body))
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        let response = self
            .sender
            .send_request(request)
            .await
            .map_err(ClientError::of_connection)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
}

fn json<T: Serialize>(request: &T) -> Result<Bytes, ClientError> {
    serde_json::to_vec(request)
        .map(Bytes::from)
        .map_err(|error| ClientError::Protocol(error.to_string()))
}

async fn value<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let body = whole(response).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))
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
