//! A request in a form that can be sent more than once.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use serde::Serialize;

use super::error::ClientError;
use crate::{OperationToken, paths};

/// A request, and how it is asked again.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    path: String,
    body: Bytes,
    /// What the body is.
    content: &'static str,
    /// Only what changes something has one.
    token: Option<OperationToken>,
    /// A socket that refuses is the end of it, and not waited for.
    pub(super) ends_daemon: bool,
}

impl Ask {
    /// Reads something; harmless to ask twice.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: Bytes::new(),
            content: paths::JSON,
            token: None,
            ends_daemon: false,
        }
    }

    /// Asks for something without a name: must not be sent twice.
    pub(super) fn post<T: Serialize>(path: &str, request: &T) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        Ok(Self {
            method: Method::POST,
            body: Bytes::from(body),
            ..Self::get(path)
        })
    }

    /// The same with bytes as they are.
    pub(super) fn bytes(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            body: Bytes::from(bytes),
            content: paths::BYTES,
            ..Self::get(path)
        }
    }

    /// Changes something, under a name of its own: sent twice it is carried out once.
    pub(super) fn operation<T: Serialize>(path: &str, request: &T) -> Result<Self, ClientError> {
        Ok(Self {
            token: Some(OperationToken::random()),
            ..Self::post(path, request)?
        })
    }

    /// The same, expecting that the daemon is gone afterwards.
    pub(super) fn ending_the_daemon(self) -> Self {
        Self {
            ends_daemon: true,
            ..self
        }
    }

    pub(super) fn to_http(&self) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::HOST, "rota")
            .header(header::CONTENT_TYPE, self.content);
        if let Some(token) = self.token {
            request = request.header(OperationToken::HEADER, token.to_string());
        }
        request
            .body(Full::new(self.body.clone()))
            .map_err(|error| ClientError::Protocol(error.to_string()))
    }
}
