//! How an app wants to be run: everything that an operator can set and the engine acts on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::AppId;

/// The settings of one generation of an app.
///
/// Timeouts that concern a worker are read from the generation that the worker was spawned with,
/// so that a rollout that changes them does not change them for the old workers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Number of slots. Read by `Start` of an app that is not running, and by nothing else:
    /// afterwards `Scale` changes the number.
    pub instances: u32,
    /// Apps that it depends on. A `Start` of an app at rest waits until these serve; read by that, by a stop or delete of
    /// one of these while this one is on its way out, and by a shutdown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<AppId>,
    /// Whether a worker that ended by itself is started again.
    pub autorestart: bool,
    /// More unstable restarts of a slot in a row than this, and the slot is errored.
    pub max_restarts: u32,
    /// A worker that served for less than this before it ended was unstable.
    pub min_uptime: Duration,
    /// Fixed delay before every restart; zero: none, or the back-off when it is unstable.
    pub restart_delay: Duration,
    /// Delay after the first unstable exit; doubles with each further one.
    pub backoff_base: Duration,
    /// Upper bound of that delay, before jitter of ±20 %.
    pub backoff_max: Duration,
    /// A worker that served for this long forgets all earlier unstable exits of its slot.
    pub backoff_reset: Duration,
    /// The first pause of a back-off that every end counts for, however long the worker had served: half as much again
    /// with each further one, up to `backoff_max`, forgotten after `backoff_reset`. It takes the place of
    /// `restart_delay` and of the back-off by `backoff_base`; `None`: those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Duration>,
    /// Exit codes that mean "finished": the slot is stopped instead of restarted.
    pub stop_exit_codes: Vec<i32>,
    /// How long a worker may take from its start until it is ready.
    pub ready_timeout: Duration,
    /// How long the first new worker of a rollout is watched once it is ready.
    pub observe: Duration,
    /// The same for the first worker of a start or restart, where no old worker is left to keep.
    pub observe_start: Duration,
    /// How long a worker may take to finish its connections before it gets the stop signal.
    pub drain_timeout: Duration,
    /// Whether a worker is asked to stop by a message first; the stop signal follows when the kill timeout is over.
    #[serde(skip_serializing_if = "crate::saved::is_default")]
    pub asks: bool,
    /// How long a worker may take to end after the stop signal, or after the message, before the next rung.
    pub kill_timeout: Duration,
    /// The same for a worker that hangs: what a blocked event loop would do at the stop signal it
    /// cannot do, and requests that it has not read wait until it is gone.
    pub hung_timeout: Duration,
    /// Accept a worker that is not ready in time as ready when no worker of the app ever became
    /// ready by itself (a queue consumer never listens).
    pub lenient_first_ready: bool,
    /// Whether [`Effect::Drain`](crate::Effect::Drain) makes sense for these workers.
    pub drains: bool,
    /// How many extra workers a rollout may start beside the old ones at a time. Zero: the old
    /// worker of a slot ends before its new one starts (a program that binds its own port).
    pub surge: u32,
    /// With `surge` 0: how many slots may be without a worker at a time during a rollout; at
    /// least one is assumed. With a surge, no slot is ever without a worker by plan.
    pub max_missing: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            instances: 1,
            after: Vec::new(),
            autorestart: true,
            max_restarts: 16,
            min_uptime: Duration::from_secs(1),
            restart_delay: Duration::ZERO,
            backoff_base: Duration::from_millis(100),
            backoff_max: Duration::from_secs(15),
            backoff_reset: Duration::from_secs(30),
            backoff: None,
            stop_exit_codes: Vec::new(),
            ready_timeout: Duration::from_secs(30),
            observe: Duration::from_secs(3),
            observe_start: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            asks: false,
            kill_timeout: Duration::from_secs(5),
            hung_timeout: Duration::from_secs(1),
            lenient_first_ready: true,
            drains: true,
            surge: 1,
            max_missing: 0,
        }
    }
}
