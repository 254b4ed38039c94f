//! Figures of a worker: what its agent tells from inside, and what the kernel tells of its process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the agent in a Node worker told last. Totals count from the worker's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InsideView {
    /// How old it is, milliseconds.
    pub age_ms: u64,
    /// Older than three intervals of the heartbeat: the worker has not answered since.
    pub stale: bool,
    /// The event loop.
    pub event_loop: EventLoopView,
    /// Memory as V8 sees it.
    pub heap: HeapView,
    /// Garbage collections by kind: `minor`, `major`, `incremental`, `weak`.
    pub gc: BTreeMap<String, GcView>,
    /// Active handles and requests of the event loop.
    pub handles: u64,
    /// Open connections of its servers.
    pub connections: u64,
    /// HTTP requests.
    pub http: HttpView,
    /// The app's own gauges.
    pub gauges: BTreeMap<String, f64>,
    /// The app's own counters.
    pub counters: BTreeMap<String, f64>,
    /// An inspector is open.
    pub inspector_open: bool,
}

/// The event loop between the last two heartbeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventLoopView {
    /// Median delay, milliseconds.
    pub delay_p50_ms: f64,
    /// The delay that one in a hundred exceeds, milliseconds.
    pub delay_p99_ms: f64,
    /// The longest delay, milliseconds.
    pub delay_max_ms: f64,
    /// Share of the time that it was busy, 0 to 1.
    pub utilization: f64,
}

/// JavaScript's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapView {
    /// Used.
    pub used_bytes: u64,
    /// Reserved.
    pub total_bytes: u64,
    /// The most that it may be.
    pub limit_bytes: u64,
    /// Of objects outside of the heap, such as buffers.
    pub external_bytes: u64,
}

/// Garbage collections of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GcView {
    /// How many.
    pub count: u64,
    /// How long, all together, milliseconds.
    pub total_ms: f64,
}

/// HTTP requests of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpView {
    /// Requests begun.
    pub requests_total: u64,
    /// Requests that are being answered.
    pub requests_in_flight: u64,
    /// Requests whose connection ended before their response.
    pub requests_aborted: u64,
    /// Over the last seconds; absent until there are two figures to compare.
    pub requests_per_second: Option<f64>,
    /// Responses by class.
    pub responses: ResponsesView,
    /// Bytes written to connections.
    pub sent_bytes: u64,
    /// Over the last seconds; absent until there are two figures to compare.
    pub sent_bytes_per_second: Option<f64>,
    /// Response times; absent when there were no responses in their window.
    pub latency: Option<LatencyView>,
}

/// Responses by the first digit of their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponsesView {
    /// Informational.
    #[serde(rename = "1xx")]
    pub informational: u64,
    /// Success.
    #[serde(rename = "2xx")]
    pub success: u64,
    /// Redirection.
    #[serde(rename = "3xx")]
    pub redirection: u64,
    /// Fault of the client.
    #[serde(rename = "4xx")]
    pub client_error: u64,
    /// Fault of the server.
    #[serde(rename = "5xx")]
    pub server_error: u64,
}

/// Response times, from a histogram whose steps are a quarter of their power of two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyView {
    /// The time that they come from, milliseconds.
    pub window_ms: u64,
    /// How many responses.
    pub count: u64,
    /// Median, milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 were not slower, milliseconds.
    pub p95_ms: f64,
    /// 99 of 100 were not slower, milliseconds.
    pub p99_ms: f64,
    /// None was slower, milliseconds.
    pub max_ms: f64,
}

/// What the app said of its own health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthView {
    /// All is well.
    pub ok: bool,
    /// Why not.
    pub reason: Option<String>,
    /// A number for programs.
    pub code: Option<i64>,
    /// Since when it has been so, Unix time in milliseconds.
    pub since: u64,
}

/// What the kernel tells of a process, with or without agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessView {
    /// Processor time in user mode since its start, seconds.
    pub cpu_user_seconds: f64,
    /// Processor time in the kernel since its start, seconds.
    pub cpu_system_seconds: f64,
    /// Threads.
    pub threads: u32,
    /// Open files; absent where they may not be counted.
    pub open_files: Option<u64>,
    /// How many it may have open; absent without a limit.
    pub open_files_limit: Option<u64>,
}
