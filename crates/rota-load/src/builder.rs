//! What to load, and with which clients.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::report::{ClientKind, Report};
use super::running::Running;

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix stream socket.
    Unix(PathBuf),
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

/// How a response says which worker it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerFrom {
    /// The value of this response header, for instance `x-worker` (the default).
    Header(String),
    /// The first 64 bytes of the body, trimmed: for servers that answer with their pid.
    Body,
}

/// One client of a load: what it asks, and how it treats its connection.
#[derive(Debug, Clone)]
pub(super) struct ClientSpec {
    pub(super) kind: ClientKind,
    /// The request as it is written to the socket.
    pub(super) request: Vec<u8>,
    /// One connection per request.
    pub(super) close: bool,
    /// Milliseconds to wait between a response and the next request.
    pub(super) pause: Option<Range<u64>>,
    /// Local address to connect from.
    pub(super) source: Option<IpAddr>,
}

/// A group of equal clients, before the requests are written out.
#[derive(Debug, Clone)]
struct Group {
    kind: ClientKind,
    count: usize,
    path: Option<String>,
    close: bool,
    pause: Option<Range<u64>>,
}

/// A load to be put on a server; see the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct Load {
    target: Target,
    path: String,
    host: Option<String>,
    user_agent: Option<String>,
    groups: Vec<Group>,
    pub(super) timeout: Duration,
    pub(super) worker_from: WorkerFrom,
    pub(super) good_status: Range<u16>,
    pub(super) budget: Option<u64>,
    sources: Vec<IpAddr>,
}

impl Load {
    /// A load without clients yet, on the path `/`, with a time limit of 30 s per request.
    pub fn new(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            path: "/".to_owned(),
            host: None,
            user_agent: None,
            groups: Vec::new(),
            timeout: Duration::from_secs(30),
            worker_from: WorkerFrom::Header("x-worker".to_owned()),
            good_status: 200..400,
            budget: None,
            sources: Vec::new(),
        }
    }

    /// The path that all clients ask for, unless they were given their own.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The `Host` that requests name, instead of the address.
    ///
    /// It is written as it is, as the path is: the caller sees to it that there is no line break in them.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Requests say who sends them, for the server's log.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }

    /// Which status codes are good: 2xx and 3xx unless told otherwise.
    #[must_use]
    pub fn good_status(mut self, range: Range<u16>) -> Self {
        self.good_status = range;
        self
    }

    /// The time that one request may take, from connecting (or writing) to the last byte of its answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How the worker that answered is known.
    #[must_use]
    pub fn worker_from(mut self, from: WorkerFrom) -> Self {
        self.worker_from = from;
        self
    }

    /// Ends the load by itself after this many requests in all; see [`Running::finished`].
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Self {
        self.budget = Some(requests);
        self
    }

    /// Local addresses to connect from, dealt to the clients in turn (TCP only): 127.0.0.0/8 has many,
    /// and a balancer by client address needs more than one.
    #[must_use]
    pub fn sources(mut self, sources: impl IntoIterator<Item = IpAddr>) -> Self {
        self.sources = sources.into_iter().collect();
        self
    }

    /// Adds clients that send request after request on one connection.
    #[must_use]
    pub fn keep_alive(self, clients: usize) -> Self {
        self.group(ClientKind::KeepAlive, clients, None, false, None)
    }

    /// Adds clients that open a connection for every request and send `Connection: close`.
    #[must_use]
    pub fn one_shot(self, clients: usize) -> Self {
        self.group(ClientKind::OneShot, clients, None, true, None)
    }

    /// Adds clients that keep their connection and pause between an answer and the next request, each
    /// time for a random number of milliseconds in the range.
    ///
    /// A connection that the server closes during the pause is counted as [`KindReport::closed_idle`]; it
    /// is a failed request only if the request was written before the client could know.
    ///
    /// [`KindReport::closed_idle`]: super::KindReport::closed_idle
    #[must_use]
    pub fn idle(self, clients: usize, pause_ms: Range<u64>) -> Self {
        self.group(ClientKind::Idle, clients, None, false, Some(pause_ms))
    }

    /// Adds keep-alive clients that ask for a path which takes its time to answer.
    #[must_use]
    pub fn slow(self, clients: usize, path: impl Into<String>) -> Self {
        self.group(ClientKind::Slow, clients, Some(path.into()), false, None)
    }

    fn group(
        mut self,
        kind: ClientKind,
        count: usize,
        path: Option<String>,
        close: bool,
        pause: Option<Range<u64>>,
    ) -> Self {
        self.groups.push(Group {
            kind,
            count,
            path,
            close,
            pause,
        });
        self
    }

    /// Starts the clients on a thread of their own.
    ///
    /// # Errors
    /// The thread or its runtime could not be created.
    pub fn start(self) -> io::Result<Running> {
        Running::spawn(self)
    }

    /// Runs the load for a time and returns what happened. Blocks the calling thread.
    ///
    /// # Errors
    /// As [`Load::start`].
    pub fn run_for(self, time: Duration) -> io::Result<Report> {
        let running = self.start()?;
        std::thread::sleep(time);
        Ok(running.stop_blocking())
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// One entry per client, with its request written out.
    pub(super) fn clients(&self) -> Vec<ClientSpec> {
        let host = match (&self.host, &self.target) {
            (Some(host), _) => host.clone(),
            (None, Target::Tcp(address)) => address.to_string(),
            (None, Target::Unix(_)) => "localhost".to_owned(),
        };
        let agent = self.user_agent.as_deref();
        let agent = agent.map_or_else(String::new, |name| format!("User-Agent: {name}\r\n"));
        let mut sources = self.sources.iter().copied().cycle();
        let mut clients = Vec::new();
        for group in &self.groups {
            let path = group.path.as_deref().unwrap_or(&self.path);
            let close = if group.close {
                "Connection: close\r\n"
            } else {
                ""
            };
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{agent}{close}\r\n");
            for _ in 0..group.count {
                clients.push(ClientSpec {
                    kind: group.kind,
                    request: request.clone().into_bytes(),
                    close: group.close,
                    pause: group.pause.clone(),
                    source: sources.next(),
                });
            }
        }
        clients
    }
}
