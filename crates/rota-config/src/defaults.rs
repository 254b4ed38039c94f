//! What holds when nothing is said.

use std::time::Duration;

/// How long a worker may take until it is ready.
pub(crate) const LISTEN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the first new worker of a rollout is watched before the next step.
pub(crate) const OBSERVE: Duration = Duration::from_secs(3);
/// How long a worker may take to finish its connections.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a worker may take between the stop signal and SIGKILL.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that cannot be handed over may stay idle in a worker that leaves.
pub(crate) const IDLE_GRACE: Duration = Duration::from_secs(5);
/// How often a worker is asked for a sign of life.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
/// How long its answer may take.
pub(crate) const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);
/// So many missed answers in a row mean that it hangs.
pub(crate) const HEARTBEAT_MISSES: u32 = 5;
/// A block of the event loop that is worth a warning.
pub(crate) const BLOCK_WARNING: Duration = Duration::from_secs(1);
/// How many unstable restarts in a row are allowed.
pub(crate) const MAX_RESTARTS: u32 = 16;
/// A worker that lived for less than this is unstable.
pub(crate) const MIN_UPTIME: Duration = Duration::from_secs(1);
/// Pause between two tries of a probe.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// Limit of one try of a probe.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The namespace of an app that names none.
pub(crate) const NAMESPACE: &str = "default";
/// So long nothing must have changed in watched files.
pub(crate) const WATCH_DELAY: Duration = Duration::from_millis(200);
