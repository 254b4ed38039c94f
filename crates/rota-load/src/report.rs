//! What a load has seen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::histogram::{Histogram, Latency};

/// The kinds of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Request after request on one connection.
    KeepAlive,
    /// One connection per request.
    OneShot,
    /// Keep-alive with pauses.
    Idle,
    /// Requests that take their time.
    Slow,
}

/// What became of a request that got no complete and good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Nobody listened.
    ConnectRefused,
    /// The connection could not be made for another reason (a missing Unix socket, no descriptors…).
    ConnectFailed,
    /// The server (or its kernel) reset the connection.
    Reset,
    /// The connection ended without one byte of an answer.
    ClosedBeforeResponse,
    /// The connection ended in the middle of the answer.
    ClosedMidResponse,
    /// A complete answer whose status is not good: not 2xx or 3xx, unless the load was told otherwise.
    BadStatus,
    /// What came is not HTTP/1.x, or more came than was announced.
    Malformed,
    /// No complete answer within the time limit.
    Timeout,
}

/// How far a request had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connecting.
    Connect,
    /// Writing the request.
    Write,
    /// The request is written, nothing has been answered yet.
    Await,
    /// Part of the answer has arrived.
    Response,
}

/// One failed request.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// It began or ended while the load was marked ([`Running::mark`](super::Running::mark)).
    pub marked: bool,
    /// The client that sent it.
    pub client: ClientKind,
    /// What went wrong.
    pub kind: FailureKind,
    /// How far the request had come.
    pub phase: Phase,
    /// Time since the load began.
    pub at: Duration,
    /// Age of the connection; zero when it was never made.
    pub connection_age: Duration,
    /// Requests answered on this connection before.
    pub answered_before: u64,
    /// The status code, if one had arrived.
    pub status: Option<u16>,
    /// The worker that answered the connection's earlier requests, if known.
    pub worker: Option<String>,
    /// The client's port, by which a server's log knows the connection; none where there was no TCP connection.
    pub client_port: Option<u16>,
    /// The operating system's or the parser's words.
    pub detail: String,
}

/// Connections and requests of one worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WorkerCount {
    /// Requests that it answered.
    pub requests: u64,
    /// Connections whose first answer came from it.
    pub connections: u64,
}

/// How evenly the workers were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Workers that were seen.
    pub workers: usize,
    /// The count of the most loaded worker.
    pub most: u64,
    /// The count of the least loaded worker.
    pub least: u64,
    /// The most loaded worker's count by the mean: 1.0 is even.
    pub most_by_mean: f64,
    /// The least loaded worker's count by the mean: 1.0 is even.
    pub least_by_mean: f64,
}

impl Share {
    /// The share over the given counts; `None` when there is nothing to share.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn of(counts: &[u64]) -> Option<Self> {
        let (&most, &least) = (counts.iter().max()?, counts.iter().min()?);
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let mean = total as f64 / counts.len() as f64;
        Some(Self {
            workers: counts.len(),
            most,
            least,
            most_by_mean: most as f64 / mean,
            least_by_mean: least as f64 / mean,
        })
    }
}

/// What the clients of one kind have seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindReport {
    /// Requests with a complete and good answer (2xx or 3xx, unless the load was told otherwise).
    pub answered: u64,
    /// Failed requests by kind.
    pub failed: BTreeMap<FailureKind, u64>,
    /// Failed requests of which a part of the answer had come; they are among `failed`.
    pub cut_off: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that the server closed while no request was on them: not a failure.
    pub closed_idle: u64,
    /// Keep-alive connections that the server ended politely, by `Connection: close` on an answer.
    pub closed_politely: u64,
    /// Time from the start of a request (from connecting, if it had to connect) to its last byte.
    pub latency: Histogram,
    /// The part of all this that happened while the load was marked.
    pub marked: Part,
    /// The part that happened while it was not.
    pub unmarked: Part,
}

/// What happened while a load was marked ([`Running::mark`](super::Running::mark)), or while it was not. A request that
/// began or ended while it was marked belongs to the marked part.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Part {
    /// Requests with a complete and good answer.
    pub answered: u64,
    /// Failed requests.
    pub failed: u64,
    /// Connections that the server closed while no request was on them.
    pub closed_idle: u64,
    /// Connections that the server ended by `Connection: close` on an answer.
    pub closed_politely: u64,
    /// Time from the start of a request to its last byte.
    pub latency: Histogram,
}

impl KindReport {
    pub(super) fn part(&mut self, marked: bool) -> &mut Part {
        match marked {
            true => &mut self.marked,
            false => &mut self.unmarked,
        }
    }

    /// Answered and failed requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered + self.lost()
    }

    /// Failed requests of all kinds.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// What all clients have seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// How long the load ran.
    pub elapsed: Duration,
    /// By kind of client.
    pub kinds: BTreeMap<ClientKind, KindReport>,
    /// The failed requests; at most [`Report::MAX_FAILURES`] of them are kept, all are counted.
    pub failures: Vec<Failure>,
    /// By worker, as far as the answers told.
    pub workers: BTreeMap<String, WorkerCount>,
}

impl Report {
    /// Failures that are kept with their circumstances.
    pub const MAX_FAILURES: usize = 10_000;

    /// Requests with a complete and good answer.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.kinds.values().map(|kind| kind.answered).sum()
    }

    /// Requests that failed, of all kinds.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.kinds
            .values()
            .flat_map(|kind| kind.failed.values())
            .sum()
    }

    /// All requests: answered and failed.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered() + self.failed()
    }

    /// Failed requests by kind of failure, over all clients.
    #[must_use]
    pub fn failed_by_kind(&self) -> BTreeMap<FailureKind, u64> {
        let mut all = BTreeMap::new();
        for kind in self.kinds.values() {
            for (&failure, &count) in &kind.failed {
                *all.entry(failure).or_default() += count;
            }
        }
        all
    }

    /// Connections that were made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.kinds.values().map(|kind| kind.connections).sum()
    }

    /// Connections that the server closed while no request was on them.
    #[must_use]
    pub fn closed_idle(&self) -> u64 {
        self.kinds.values().map(|kind| kind.closed_idle).sum()
    }

    /// Connections that the server ended by `Connection: close` on an answer.
    #[must_use]
    pub fn closed_politely(&self) -> u64 {
        self.kinds.values().map(|kind| kind.closed_politely).sum()
    }

    /// Failed requests whose connection ended within the answer: the client has half of it.
    #[must_use]
    pub fn cut_off(&self) -> u64 {
        let kinds = self.kinds.values();
        kinds.map(|kind| kind.cut_off).sum()
    }

    /// Answered requests per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.answered() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Latency over all clients.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let mut all = Histogram::default();
        for kind in self.kinds.values() {
            all.merge(&kind.latency);
        }
        all.summary()
    }

    /// How evenly the connections were spread over the workers that were seen.
    #[must_use]
    pub fn connection_share(&self) -> Option<Share> {
        let counts: Vec<u64> = self.workers.values().map(|w| w.connections).collect();
        Share::of(&counts)
    }

    /// How evenly the requests were spread over the workers that were seen.
    #[must_use]
    pub fn request_share(&self) -> Option<Share> {
        let counts: Vec<u64> = self.workers.values().map(|w| w.requests).collect();
        Share::of(&counts)
    }
}

impl fmt::Display for Report {
    /// A summary for people: totals, then the first failures with their circumstances.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = self.latency();
        writeln!(
            f,
            "{} requests answered, {} failed in {:.1} s ({:.0}/s) over {} connections ({} closed idle); \
             p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.answered(),
            self.failed(),
            self.elapsed.as_secs_f64(),
            self.per_second(),
            self.connections(),
            self.closed_idle(),
            millis(latency.p50),
            millis(latency.p99),
            millis(latency.max),
        )?;
        for (kind, count) in self.failed_by_kind() {
            writeln!(f, "  {kind:?}: {count}")?;
        }
        for failure in self.failures.iter().take(20) {
            writeln!(
                f,
                "  {:?} {:?} in {:?} at {:.3} s, connection {:.3} s old with {} answers, status {:?}, worker {:?}: {}",
                failure.client,
                failure.kind,
                failure.phase,
                failure.at.as_secs_f64(),
                failure.connection_age.as_secs_f64(),
                failure.answered_before,
                failure.status,
                failure.worker,
                failure.detail,
            )?;
        }
        Ok(())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
