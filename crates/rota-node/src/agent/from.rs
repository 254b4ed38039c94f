//! What the agent says.

use std::collections::BTreeMap;

use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

/// A message from the agent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "act", rename_all = "lowercase")]
pub enum FromAgent {
    /// The first message.
    Hello(Hello),
    /// The `queryServer` just before this one came from a server that is this number to the agent; 0 = not a
    /// server that connections can be handed to.
    Server {
        /// The agent's number of it, from 1.
        id: u32,
        /// It asks for the listening socket, where rota accepts, to accept from when rota is gone.
        #[serde(default)]
        spare: bool,
    },
    /// The answer to a ping, with figures.
    Pong {
        /// The number of the ping.
        n: u64,
        /// How it goes.
        #[serde(flatten)]
        figures: Box<Figures>,
    },
    /// An open connection for somebody else; comes with its descriptor.
    Handover(Handover),
    /// Nothing is left to drain, or the time is over.
    Drained(DrainReport),
    /// The app is about to die of this, or its handler of `uncaughtException` is about to get it.
    Uncaught(Uncaught),
    /// The app said how it is.
    Health(Health),
    /// The inspector is open at this address, or closed.
    Inspector {
        /// `ws://127.0.0.1:port/uuid`.
        url: Option<String>,
    },
    /// A profile is written, or could not be.
    Profiled(ProfileEnd),
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol.
    pub v: u32,
    /// `process.version`.
    pub node: String,
    /// The process that it runs in.
    pub pid: u32,
}

/// An open connection that its worker can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Handover {
    /// The agent's number of this handover.
    pub id: u64,
    /// The number of the server that it belongs to.
    pub server: u32,
    /// Requests that it has had.
    pub requests: u64,
    /// For how long it may still be idle, in milliseconds; 0 = without limit.
    #[serde(default)]
    pub keep: u64,
}

/// What became of the connections of a worker that was drained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainReport {
    /// Requests that were running when the drain began.
    pub running: u64,
    /// Connections that were open then.
    pub connections: u64,
    /// Connections handed over to other workers.
    pub handed: u64,
    /// Connections told to close with their last response, or by GOAWAY.
    pub told: u64,
    /// Idle connections closed after the grace period.
    pub idle: u64,
    /// Upgraded connections (WebSockets) that were said goodbye to at the limit.
    pub goodbye: u64,
    /// Requests and connections that were still there at the limit.
    pub cut: u64,
    /// Connections that had been offered to others at the limit, and nobody had said whether they are taken.
    pub waiting: u64,
}

impl DrainReport {
    /// The report when it is known how many of its connections others were given in all: what was waiting and is
    /// not among them ends with the worker.
    #[must_use]
    pub fn settled(self, given: u64) -> Self {
        let came = given.saturating_sub(self.handed).min(self.waiting);
        Self {
            handed: self.handed.saturating_add(came),
            cut: self.cut.saturating_add(self.waiting - came),
            waiting: 0,
            ..self
        }
    }
}

/// How a worker is. Counters since it was started, unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// The event loop since the last pong.
    #[serde(rename = "loop")]
    pub event_loop: LoopFigures,
    /// Heap used, in bytes.
    pub heap_used: u64,
    /// Heap reserved, in bytes.
    pub heap_total: u64,
    /// The heap's limit, in bytes.
    pub heap_limit: u64,
    /// Memory of objects outside of the heap, in bytes.
    pub external: u64,
    /// Garbage collections by kind: `minor`, `major`, `incremental`, `weak`.
    pub gc: BTreeMap<String, Gc>,
    /// Active handles and requests of the event loop.
    pub handles: u64,
    /// Open connections of its servers.
    pub connections: u64,
    /// Requests begun.
    pub requests: u64,
    /// Requests that are being answered.
    pub in_flight: u64,
    /// Requests whose connection ended before their response.
    pub aborted: u64,
    /// Responses by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub responses: [u64; 5],
    /// Bytes written to connections.
    pub bytes_out: u64,
    /// Response times since the last pong: pairs of bucket and count. Bucket `b` holds times in microseconds
    /// from `lower_bound(b)`, see [`Figures::bucket_bound`].
    pub latency: Vec<(u32, u64)>,
    /// An inspector is open.
    pub inspector: bool,
    /// The app handles SIGUSR1 itself.
    pub usr1: bool,
    /// The app's own gauges.
    #[serde(deserialize_with = "numbers")]
    pub gauges: BTreeMap<String, f64>,
    /// The app's own counters.
    #[serde(deserialize_with = "numbers")]
    pub counters: BTreeMap<String, f64>,
}

/// The app's own numbers. What is none is left out: a sum that has become infinite is `null` in JSON, and must not
/// cost the heartbeat that it comes with.
fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Number(f64),
        Other(IgnoredAny),
    }
    let values = BTreeMap::<String, Value>::deserialize(from)?;
    let number = |(name, value)| match value {
        Value::Number(number) => Some((name, number)),
        Value::Other(IgnoredAny) => None,
    };
    Ok(values.into_iter().filter_map(number).collect())
}

/// The event loop. Times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LoopFigures {
    /// Median delay.
    pub p50: f64,
    /// The delay that one in a hundred exceeds.
    pub p99: f64,
    /// The longest delay.
    pub max: f64,
    /// Share of the time that it was busy, 0 to 1.
    pub utilization: f64,
}

/// Garbage collections of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gc {
    /// How many.
    pub count: u64,
    /// How long, all together, in milliseconds.
    pub ms: f64,
}

/// An exception that nobody caught.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Uncaught {
    /// `uncaughtException` or `unhandledRejection`.
    pub origin: String,
    /// What `String(error)` gives.
    pub message: String,
    /// The error's `stack`, if it has one.
    pub stack: Option<String>,
}

/// What the app says of its own health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Health {
    /// All is well.
    pub ok: bool,
    /// Why not.
    pub reason: Option<String>,
    /// A number for programs.
    pub code: Option<i64>,
}

/// The end of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProfileEnd {
    /// The number that was given to it.
    pub id: u64,
    /// Why there is none.
    #[serde(default)]
    pub error: Option<String>,
}

impl FromAgent {
    /// Reads a message; `None` when it is not the agent's, or without sense.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            cmd: std::borrow::Cow<'a, str>,
        }
        let head: Head<'_> = serde_json::from_str(json).ok()?;
        if head.cmd != super::CMD {
            return None;
        }
        serde_json::from_str(json).ok()
    }
}

/// Each power of two is divided into so many buckets.
const STEPS: u32 = 4;

impl Figures {
    /// The number of latency buckets; the last one has no upper bound.
    pub const BUCKETS: u32 = 128;

    /// The lower bound of a latency bucket, in microseconds: buckets 0 to 3 hold 0 to 3 µs, then each power of
    /// two is divided into four equal parts.
    #[must_use]
    pub const fn bucket_bound(bucket: u32) -> u64 {
        if bucket < STEPS {
            return bucket as u64;
        }
        let exponent = bucket / STEPS - 1;
        let step = bucket % STEPS;
        // Beyond 63 bits there is nothing to count.
        if exponent > 58 {
            return u64::MAX;
        }
        ((STEPS + step) as u64) << exponent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_join_without_gap() {
        let bounds: Vec<u64> = (0..20).map(Figures::bucket_bound).collect();
        assert_eq!(
            bounds,
            [
                0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56
            ]
        );
    }

    #[test]
    fn reads_what_the_agent_writes_and_nothing_else() {
        let json = r#"{"cmd":"NODE_ROTA","act":"pong","n":3,"loop":{"p50":1.5},"requests":9,"latency":[[40,2]]}"#;
        let Some(FromAgent::Pong { n: 3, figures }) = FromAgent::parse(json) else {
            panic!("not a pong");
        };
        assert_eq!((figures.requests, figures.latency), (9, vec![(40, 2)]));
        let json = r#"{"cmd":"NODE_ROTA","act":"pong","n":4,"counters":{"sum":null,"a":"1","b":{},"c":2},
            "gauges":{"most":1.7976931348623157e308,"least":-5}}"#;
        let Some(FromAgent::Pong { n: 4, figures }) = FromAgent::parse(json) else {
            panic!("a number that is none has cost the pong");
        };
        assert_eq!(
            figures.counters.into_iter().collect::<Vec<_>>(),
            [("c".to_owned(), 2.0)]
        );
        assert_eq!(
            (figures.gauges["most"], figures.gauges["least"]),
            (f64::MAX, -5.0)
        );
        for other in [
            r#"{"cmd":"NODE_OTHER","act":"pong","n":3}"#,
            r#"{"cmd":"NODE_ROTA","act":"dance"}"#,
            r#"{"cmd":"NODE_ROTA","act":"pong","n":"x"}"#,
            "[]",
        ] {
            assert_eq!(FromAgent::parse(other), None, "{other}");
        }
    }
}
