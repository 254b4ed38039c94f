//! One GET request, for its status.

use std::pin::pin;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use rota_api::HyperIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ProbeError;

/// How much of a body is read. It is read at all so that the server does not see its connection
/// reset, which some write into their logs.
const MAX_BODY: usize = 64 * 1024;

/// Asks for the path over a fresh connection. A status from 200 to 399 is success; a redirect is not
/// followed.
pub(crate) async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    authority: String,
    path: &str,
) -> Result<(), ProbeError> {
    let request = Request::get(path)
        .header(HOST, &authority)
        .header(USER_AGENT, concat!("rota/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|source| ProbeError::Request {
            path: path.to_owned(),
            source,
        })?;
    match exchange(stream, request).await {
        Ok(200..=399) => Ok(()),
        Ok(status) => Err(ProbeError::Status {
            target: authority,
            status,
        }),
        Err(source) => Err(ProbeError::Http {
            target: authority,
            source,
        }),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<u16> {
    let (mut sender, connection) = http1::handshake(HyperIo::new(stream)).await?;
    let mut connection = pin!(connection);
    let mut exchange = pin!(async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        skip(response.into_body()).await;
        Ok(status)
    });
    tokio::select! {
        biased;
        status = &mut exchange => status,
        // The connection has ended: what arrived before is still to be told.
        _ = &mut connection => exchange.await,
    }
}

/// Reads what is sent, up to the limit. The status counts, however the body ends.
async fn skip(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_BODY {
            return;
        }
    }
}
