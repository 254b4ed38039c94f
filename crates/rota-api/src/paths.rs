//! The paths of the endpoints, and where the socket is.

use std::path::{Path, PathBuf};

/// `GET` → [`crate::Version`].
pub const VERSION: &str = "/v1/version";
/// `GET` → [`crate::AppList`], `?target=` (repeatable) narrows it; `POST` [`crate::StartRequest`]
/// → events.
pub const APPS: &str = "/v1/apps";
/// `POST` [`crate::CommandRequest`] → events.
pub const COMMAND: &str = "/v1/command";
/// `POST` [`crate::ShutdownRequest`] → events.
pub const SHUTDOWN: &str = "/v1/shutdown";
/// `POST` [`crate::ResurrectRequest`] → events.
pub const RESURRECT: &str = "/v1/resurrect";
/// `POST` [`crate::UpgradeRequest`] → events.
pub const UPGRADE: &str = "/v1/upgrade";
/// `POST` [`crate::SignalRequest`] → [`crate::SignalResponse`].
pub const SIGNAL: &str = "/v1/signal";
/// `POST` with [`crate::StdinQuery`] as query and bytes as body → [`crate::StdinResponse`].
pub const STDIN: &str = "/v1/stdin";
/// `POST` [`crate::EnvRequest`] → [`crate::EnvResponse`].
pub const ENV: &str = "/v1/env";
/// `POST` [`crate::ConfigRequest`] → [`crate::ConfigResponse`].
pub const CONFIG: &str = "/v1/config";
/// `POST` [`crate::ExportRequest`] → [`crate::ExportResponse`].
pub const EXPORT: &str = "/v1/export";
/// `POST` [`crate::PlanRequest`] → [`crate::PlanResponse`].
pub const PLAN: &str = "/v1/plan";
/// `POST` [`crate::StackRequest`] → [`crate::StackResponse`].
pub const STACK: &str = "/v1/stack";
/// `POST` [`crate::ProfileRequest`] → the profile.
pub const PROFILE: &str = "/v1/profile";
/// `GET` with [`crate::LogsQuery`] as query → one [`crate::LogLine`] per line.
pub const LOGS: &str = "/v1/logs";
/// `POST` [`crate::FlushRequest`] → [`crate::FlushResponse`].
pub const FLUSH: &str = "/v1/logs/flush";
/// `POST` → nothing: log files are opened anew, as by SIGUSR1.
pub const REOPEN: &str = "/v1/logs/reopen";

/// The content type of event streams.
pub const NDJSON: &str = "application/x-ndjson";
/// The content type of everything else.
pub const JSON: &str = "application/json";
/// The content type of bytes.
pub const BYTES: &str = "application/octet-stream";
/// Largest request body that the server reads.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes that one request writes to standard input.
pub const MAX_STDIN_BYTES: usize = 64 * 1024;
/// Largest line of a stream that the client reads.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The API socket of the daemon of `home`.
pub fn socket(home: &Path) -> PathBuf {
    home.join("rota.sock")
}
