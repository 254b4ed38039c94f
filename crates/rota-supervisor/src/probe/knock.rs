//! Knocking, once and until somebody answers.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rota_config::{Probe, ProbeTarget};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::http;

/// Pause between two tries, however small the configured one: a probe must not keep us busy.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Why a knock was in vain.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Nobody accepts connections there.
    #[error("no connection to {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No complete answer within the limit of one try.
    #[error("no answer from {target} within {} ms", .limit.as_millis())]
    Timeout {
        /// Host and port.
        target: String,
        /// The limit.
        limit: Duration,
    },
    /// It does not speak HTTP, or hangs up in the middle.
    #[error("no HTTP answer from {target}")]
    Http {
        /// Host and port.
        target: String,
        /// Why.
        source: hyper::Error,
    },
    /// The path is none that a request can have.
    #[error("{path} cannot be requested")]
    Request {
        /// Path and query.
        path: String,
        /// Why.
        source: hyper::http::Error,
    },
    /// It answers that it is not ready.
    #[error("{target} answers with status {status}")]
    Status {
        /// Host and port.
        target: String,
        /// The HTTP status.
        status: u16,
    },
}

impl ProbeError {
    /// The error and what caused it, in one line.
    pub fn describe(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Knocks until somebody answers, and tells every failure. Never ends by itself; dropping it ends it.
/// Returns the number of tries.
pub async fn wait_until_ready(probe: &Probe, mut failed: impl FnMut(ProbeError)) -> u32 {
    let mut tries = 1_u32;
    while let Err(error) = try_once(probe).await {
        failed(error);
        tries = tries.saturating_add(1);
        sleep(probe.interval.duration().max(SHORTEST_INTERVAL)).await;
    }
    tries
}

/// Knocks once.
///
/// # Errors
///
/// See [`ProbeError`]. Where there are two addresses (`localhost`), the error is the first one's, since
/// a program that listens on IPv4 only is the usual case.
pub async fn try_once(probe: &Probe) -> Result<(), ProbeError> {
    let limit = probe.timeout.duration();
    match timeout(limit, knock(&probe.target)).await {
        Ok(result) => result,
        Err(_) => Err(ProbeError::Timeout {
            target: probe.target.authority(),
            limit,
        }),
    }
}

async fn knock(target: &ProbeTarget) -> Result<(), ProbeError> {
    let stream = connect(target.addresses()).await?;
    match target {
        ProbeTarget::Tcp { .. } => Ok(()),
        ProbeTarget::Http { path, .. } => http::get(stream, target.authority(), path).await,
    }
}

async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, ProbeError> {
    let mut first = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => {
                first.get_or_insert(ProbeError::Connect { address, source });
            }
        }
    }
    Err(first.unwrap_or_else(|| ProbeError::Connect {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        source: io::ErrorKind::AddrNotAvailable.into(),
    }))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};
    use std::os::fd::OwnedFd;

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::{JoinHandle, LocalSet, spawn_local};

    use super::*;

    fn probe(target: &str) -> Probe {
        let mut probe: Probe = target.parse().unwrap();
        probe.interval = "1ms".parse().unwrap();
        // A limit that only a hang reaches.
        probe.timeout = "1m".parse().unwrap();
        probe
    }

    /// A server that gives one answer per connection, in turn, and then no more.
    async fn server(answers: Vec<&'static [u8]>) -> (SocketAddr, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = spawn_local(async move {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                requests.push(String::from_utf8(request).unwrap());
                stream.write_all(answer).await.ok();
            }
            requests
        });
        (address, task)
    }

    async fn outcome(answer: &'static [u8]) -> Result<(), ProbeError> {
        let (address, task) = server(vec![answer]).await;
        let result = try_once(&probe(&format!("http://{address}/x"))).await;
        task.await.unwrap();
        result
    }

    #[tokio::test]
    async fn it_knocks_until_the_answer_is_yes() {
        LocalSet::new()
            .run_until(async {
                let (address, task) = server(vec![
                    b"HTTP/1.1 503 Not Yet\r\nContent-Length: 5\r\n\r\nsoon\n",
                    b"garbage\r\n\r\n",
                    b"",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
                ])
                .await;
                let mut errors = Vec::new();
                let probe = probe(&format!("http://{address}/health?deep=1"));
                let tries = wait_until_ready(&probe, |error| errors.push(error)).await;
                assert_eq!(tries, 4);
                assert!(matches!(errors[0], ProbeError::Status { status: 503, .. }));
                assert_eq!(
                    errors[0].to_string(),
                    format!("{address} answers with status 503")
                );
                assert!(matches!(errors[1], ProbeError::Http { .. }));
                assert!(errors[1].source().is_some());
                assert!(matches!(errors[2], ProbeError::Http { .. }));
                let requests = task.await.unwrap();
                let request = requests[0].to_ascii_lowercase();
                assert!(request.starts_with("get /health?deep=1 http/1.1\r\n"));
                assert!(request.contains(&format!("host: {address}\r\n")));
                assert!(request.contains("connection: close\r\n"));
            })
            .await;
    }

    #[tokio::test]
    async fn which_answers_are_a_yes() {
        LocalSet::new()
            .run_until(async {
                let good: [&[u8]; 5] = [
                    b"HTTP/1.1 204 No Content\r\n\r\n",
                    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
                    b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
                    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                    // The status counts, even if the body is cut.
                    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                ];
                for answer in good {
                    outcome(answer).await.unwrap();
                }
                for status in ["400", "404", "500"] {
                    let answer: &'static str =
                        format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").leak();
                    let error = outcome(answer.as_bytes()).await.unwrap_err();
                    assert!(error.to_string().ends_with(status), "{error}");
                }
                let endless: &'static [u8] = vec![b'x'; 1 << 20].leak();
                assert!(matches!(
                    outcome(endless).await.unwrap_err(),
                    ProbeError::Http { .. }
                ));
            })
            .await;
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_to_its_end() {
        LocalSet::new()
            .run_until(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let task = spawn_local(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.readable().await.unwrap();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                });
                try_once(&probe(&format!("http://{address}")))
                    .await
                    .unwrap();
                task.await.unwrap();
            })
            .await;
    }

    /// A port of 127.0.0.1 that is held and refuses connections: bound, but nobody listens.
    fn refusing() -> (OwnedFd, u16) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        (socket, address.port())
    }

    #[tokio::test]
    async fn localhost_is_both_addresses() {
        // The port may be taken on ::1: then another one.
        let (held, listener, port) = loop {
            let (held, port) = refusing();
            if let Ok(listener) = TcpListener::bind(("::1", port)).await {
                break (held, listener, port);
            }
        };
        try_once(&probe(&format!("tcp://localhost:{port}")))
            .await
            .unwrap();
        try_once(&probe(&format!("tcp://[::1]:{port}")))
            .await
            .unwrap();
        drop((held, listener));
    }

    #[tokio::test]
    async fn a_refused_connection_says_where() {
        let (held, port) = refusing();
        let error = try_once(&probe(&format!("tcp://127.0.0.1:{port}")))
            .await
            .unwrap_err();
        assert_eq!(
            error.describe(),
            format!("no connection to 127.0.0.1:{port}: Connection refused (os error 111)")
        );
        drop(held);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut probe = probe(&format!("http://{address}/"));
        probe.timeout = "20ms".parse().unwrap();
        let error = try_once(&probe).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no answer from {address} within 20 ms")
        );
        drop(listener);
    }
}
