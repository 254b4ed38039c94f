//! The agent: a small JavaScript file that is preloaded into Node workers, and what is said
//! between it and us.
//!
//! It travels on the worker's IPC channel as messages with the `cmd` [`CMD`]. Node shows such messages to
//! nobody but listeners of `internalMessage`, so that the app never sees them. Everything that comes from a
//! worker may be forged by the app: it is data about that worker and nothing else.

mod from;
mod to;

pub use from::{
    DrainReport, Figures, FromAgent, Gc, Handover, Health, Hello, LoopFigures, ProfileEnd, Uncaught,
};
pub use to::{DrainOrder, ProfileKind, ToAgent};

/// The `cmd` of every message to and from the agent.
pub const CMD: &str = "NODE_ROTA";

/// The version of this protocol; the agent says it in [`Hello`].
pub const VERSION: u32 = 1;

/// The agent's source, to be written to a file and preloaded with `--require`.
///
/// One function around all files, so that they share their names with each other and with nobody else.
pub const SOURCE: &str = concat!(
    "'use strict';(() => {\n",
    include_str!("../../agent/figures.js"),
    include_str!("../../agent/tools.js"),
    include_str!("../../agent/drain.js"),
    include_str!("../../agent/orphan.js"),
    include_str!("../../agent/ticks.js"),
    include_str!("../../agent/agent.js"),
    "})();\n",
);

/// The variable that carries the agent's settings as JSON ([`Settings`]). The agent removes it, and itself
/// from `NODE_OPTIONS`, before the app sees its environment.
pub const VARIABLE: &str = "ROTA_AGENT";

/// What the agent must know from the first moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Settings<'a> {
    /// Where its file is: what it has to take out of `NODE_OPTIONS`.
    pub file: &'a str,
    /// The app's own `NODE_OPTIONS`, to be put back.
    pub node_options: Option<&'a str>,
    /// It is a worker of the cluster module.
    pub cluster: bool,
    /// Serve on when rota is gone, instead of exiting.
    pub serve_on: bool,
    /// The keeper's process: when it is gone, and the channel, then rota is.
    pub keeper: u32,
    /// The signal that the worker is stopped with, for the same case.
    pub stop_signal: &'a str,
    /// How it finishes when it serves on and is asked to leave.
    pub leave: Leave,
}

/// How a worker without rota finishes what it has. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Leave {
    /// For that it has this time, then it stops all the same.
    pub timeout: u64,
    /// How long a connection may stay idle before it is closed.
    pub grace: u64,
}
