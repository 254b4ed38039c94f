//! What clients ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Start new apps, or stopped ones again with a new spec (`POST /v1/apps`). `S` is the app's
/// specification, `O` says where its settings come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRequest<S, O> {
    /// The apps.
    pub apps: Vec<S>,
    /// Answer when they are ready and were observed, not at acceptance.
    #[serde(default = "yes")]
    pub wait: bool,
    /// An app of that name that runs already is restarted with the new spec instead of being an
    /// error ([`crate::ErrorCode::AlreadyRunning`]).
    #[serde(default)]
    pub force: bool,
    /// An app of that name that runs already with the same spec is left alone; one with another is an error that names
    /// the settings in which they differ, and no reason not to start the others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep: bool,
    /// Names of apps that are not to be started: they get these settings, and rest if they do not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<String>,
    /// Where the settings of apps come from, by the app's name; kept with the app, for `POST /v1/config`.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, O>,
}

/// Do something with apps that exist (`POST /v1/command`). `U` is the change of their specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest<U> {
    /// What to do.
    pub verb: Verb,
    /// Names, ids, `name:slot`, namespaces, `/expressions/` or `all`.
    pub targets: Vec<String>,
    /// For [`Verb::Scale`]: `4`, `+1`, `-1` or `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<String>,
    /// Answer when it has happened, not at acceptance.
    #[serde(default = "yes")]
    pub wait: bool,
    /// For [`Verb::Start`], [`Verb::Define`], [`Verb::Restart`] and [`Verb::Reload`]: what changes in the spec.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub update: Option<U>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn yes() -> bool {
    true
}

/// serde's plain `default` would ask `U` to have one.
fn none<U>() -> Option<U> {
    None
}

/// What a [`CommandRequest`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Start stopped or errored apps again.
    Start,
    /// Other settings for an app as it is: its workers stay. Refused for settings that need new ones.
    Define,
    /// Stop, keep the app.
    Stop,
    /// Stop all chosen workers at once, then start them.
    Restart,
    /// Roll over to new workers without a gap.
    Reload,
    /// Stop, forget the app.
    Delete,
    /// Change the number of workers.
    Scale,
    /// Begin to count anew: restarts, unstable restarts, failures.
    Reset,
}

impl Verb {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Define => "define",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Delete => "delete",
            Self::Scale => "scale",
            Self::Reset => "reset",
        }
    }
}

/// Stop every app and the daemon itself (`POST /v1/shutdown`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownRequest {
    /// Neither drain nor stop signal: SIGKILL at once.
    pub now: bool,
}

/// Start again what ran when the daemon before ended (`POST /v1/resurrect`), and what nobody has said anything about since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResurrectRequest {
    /// Answer when it has happened, not at acceptance.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// What a daemon begins with that was not started by another verb (`rota run`, `rota daemon`); travels in a memfd, not over
/// the socket. `S` and `O` as in [`StartRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonBoot<S, O> {
    /// With what ran when the one before ended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resurrect: bool,
    /// With these apps.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub start: Option<StartRequest<S, O>>,
    /// How it behaves.
    #[serde(default)]
    pub run: RunOptions,
}

/// How a daemon in the foreground behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunOptions {
    /// So long its end may take once a signal has asked for it, in milliseconds; what is left then is killed.
    pub grace_ms: Option<u64>,
    /// With the end of its apps it exits as they did.
    pub exit_with_app: bool,
    /// It ends with this app, as that did.
    pub exit_code_from: Option<String>,
    /// Where it answers whether it lives and is ready.
    pub health: Option<SocketAddr>,
    /// It stays when no app is left to run.
    #[serde(skip_serializing_if = "is_false")]
    pub stay: bool,
    /// Its exit code when no app is left to run; `None` = by how they have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_code: Option<u8>,
}

/// Replace the daemon's processes by those of another binary (`POST /v1/upgrade`); the apps stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeRequest {
    /// The absolute path of the new `rota`.
    pub program: String,
}

/// Send a signal to workers (`POST /v1/signal`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// Names, ids, `name:slot`, namespaces, `/expressions/` or `all`.
    pub targets: Vec<String>,
    /// `SIGUSR2`, `usr2` or `12`.
    pub signal: String,
}

/// The answer to a [`SignalRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalResponse {
    /// The signal's full name.
    pub signal: String,
    /// The processes that it was sent to.
    pub pids: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_requests_wait_by_default() {
        let json = r#"{"verb":"reload","targets":["all"]}"#;
        let request: CommandRequest<()> = serde_json::from_str(json).unwrap();
        assert!(request.wait && request.update.is_none());
        let json = r#"{"apps":[1]}"#;
        let request: StartRequest<u8, ()> = serde_json::from_str(json).unwrap();
        assert!(request.wait && !request.force && !request.keep);
    }

    #[test]
    fn misspelt_fields_are_refused() {
        let json = r#"{"verb":"reload","targets":["all"],"wiat":false}"#;
        assert!(serde_json::from_str::<CommandRequest<()>>(json).is_err());
        assert!(serde_json::from_str::<ShutdownRequest>(r#"{"nwo":true}"#).is_err());
    }
}
