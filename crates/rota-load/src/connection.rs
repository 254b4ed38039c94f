//! One connection: making it, and one request with its answer on it.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use super::builder::{Target, WorkerFrom};
use super::http::{Progress, Response};
use super::report::{FailureKind, Phase};

/// Bytes read at once: an answer of a test server usually fits, and then needs one read.
const READ_SIZE: usize = 16 * 1024;

/// Why a request failed, before it is known which client it was.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FailureKind,
    pub(super) phase: Phase,
    pub(super) status: Option<u16>,
    pub(super) detail: String,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) close: bool,
    pub(super) worker: Option<String>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }
    }

    fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(data),
            Self::Unix(stream) => stream.try_write(data),
        }
    }

    fn local_port(&self) -> Option<u16> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await.map(drop),
            Self::Unix(stream) => stream.ready(interest).await.map(drop),
        }
    }
}

/// An open connection, and what is worth telling about it when it fails.
pub(super) struct Connection {
    stream: Stream,
    made: Instant,
    /// Requests answered on it so far.
    pub(super) answered: u64,
    /// The worker at the other end, once it has told.
    pub(super) worker: Option<String>,
    /// The client's port, of a TCP connection.
    pub(super) port: Option<u16>,
    phase: Cell<Phase>,
    status: Cell<Option<u16>>,
}

impl Connection {
    /// Connects within the time limit.
    pub(super) async fn open(
        target: &Target,
        source: Option<IpAddr>,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let connect = async {
            match target {
                Target::Tcp(address) => connect_tcp(*address, source).await.map(Stream::Tcp),
                Target::Unix(path) => connect_unix(path).await.map(Stream::Unix),
            }
        };
        let stream = match tokio::time::timeout(limit, connect).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(connect_fault(&error)),
            Err(_) => return Err(timed_out(Phase::Connect, None)),
        };
        Ok(Self {
            port: stream.local_port(),
            stream,
            made: Instant::now(),
            answered: 0,
            worker: None,
            phase: Cell::new(Phase::Write),
            status: Cell::new(None),
        })
    }

    /// Time since the connection was made.
    pub(super) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// Sends the request and reads its answer within the time limit.
    pub(super) async fn exchange(
        &self,
        request: &[u8],
        worker_from: &WorkerFrom,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        self.phase.set(Phase::Write);
        self.status.set(None);
        match tokio::time::timeout(limit, self.exchange_unbounded(request, worker_from)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(self.phase.get(), self.status.get())),
        }
    }

    async fn exchange_unbounded(
        &self,
        request: &[u8],
        worker_from: &WorkerFrom,
    ) -> Result<Answer, Fault> {
        if let Err(error) = self.write(request).await {
            return Err(self.fault(&error));
        }
        self.phase.set(Phase::Await);
        let mut response = Response::new(worker_from);
        let mut buffer = [0; READ_SIZE];
        loop {
            let count = match self.read(&mut buffer).await {
                Ok(count) => count,
                Err(error) => return Err(self.fault(&error)),
            };
            if count == 0 {
                return self.ended(response);
            }
            self.phase.set(Phase::Response);
            let progress = response.feed(&buffer[..count]);
            self.status.set(response.status);
            match progress {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => return Ok(answer(response)),
                Err(malformed) => {
                    return Err(Fault {
                        kind: FailureKind::Malformed,
                        phase: Phase::Response,
                        status: self.status.get(),
                        detail: malformed.to_string(),
                    });
                }
            }
        }
    }

    /// The server has closed the connection while the answer was awaited.
    fn ended(&self, response: Response<'_>) -> Result<Answer, Fault> {
        if response.ends_at_close() {
            return Ok(answer(response));
        }
        let kind = if response.started() {
            FailureKind::ClosedMidResponse
        } else {
            FailureKind::ClosedBeforeResponse
        };
        Err(Fault {
            kind,
            phase: self.phase.get(),
            status: response.status,
            detail: "the server closed the connection".to_owned(),
        })
    }

    /// Whether the server has already ended this connection, as far as the client can know by now.
    pub(super) fn is_closed(&self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits until the server ends this connection (or sends something that nobody asked for).
    pub(super) async fn closed(&self) {
        loop {
            if self.stream.ready(Interest::READABLE).await.is_err() || self.is_closed() {
                return;
            }
        }
    }

    async fn write(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.stream.try_write(data) {
                Ok(count) => data = &data[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.ready(Interest::WRITABLE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.ready(Interest::READABLE).await?;
            match self.stream.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        let phase = self.phase.get();
        // A write to a closed connection raises EPIPE when the reset has been noticed before.
        let kind = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FailureKind::Reset,
            _ if phase == Phase::Response => FailureKind::ClosedMidResponse,
            _ => FailureKind::ClosedBeforeResponse,
        };
        Fault {
            kind,
            phase,
            status: self.status.get(),
            detail: error.to_string(),
        }
    }
}

fn answer(response: Response<'_>) -> Answer {
    Answer {
        status: response.status.unwrap_or(0),
        close: response.close,
        worker: response.worker(),
    }
}

fn connect_fault(error: &io::Error) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::ConnectRefused,
        io::ErrorKind::ConnectionReset => FailureKind::Reset,
        _ => FailureKind::ConnectFailed,
    };
    Fault {
        kind,
        phase: Phase::Connect,
        status: None,
        detail: error.to_string(),
    }
}

fn timed_out(phase: Phase, status: Option<u16>) -> Fault {
    Fault {
        kind: FailureKind::Timeout,
        phase,
        status,
        detail: "no complete answer within the time limit".to_owned(),
    }
}

async fn connect_tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(address).await
}

/// A Unix socket's `connect` fails with EAGAIN while the listener's backlog is full, where TCP would wait.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            result => return result,
        }
    }
}
