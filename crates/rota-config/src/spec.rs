//! The description of an app.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    AgentSpec, AppName, CompatSpec, CronSpec, Env, Instances, LimitSpec, ListenAddr, LogSpec,
    Probe, ProcessSpec, ResourceSpec, SignalName, Span, Stdin, WatchSpec, defaults,
};

/// What the user wants to run, and how. Everything that is not given has the default that the
/// documentation of the command line states.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// Its name; unique in one daemon.
    pub name: AppName,
    /// A label to group apps by.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The script or command as the user gave it.
    pub script: String,
    /// Arguments for the script.
    #[serde(default)]
    pub args: Vec<String>,
    /// The working directory, absolute. A relative script is relative to it.
    pub cwd: PathBuf,
    /// The whole environment of the workers, before rota adds its own variables.
    #[serde(default)]
    pub env: Env,
    /// The interpreter; `None` = decided by the script, `Some("none")` = run it directly.
    #[serde(default)]
    pub interpreter: Option<String>,
    /// Arguments for the interpreter, before the script.
    #[serde(default)]
    pub interpreter_args: Vec<String>,
    /// How it is run; `None` = cluster for Node, fork for everything else.
    #[serde(default)]
    pub mode: Option<ExecMode>,
    /// How many workers.
    #[serde(default)]
    pub instances: Instances,
    /// How connections are handed to cluster workers.
    #[serde(default)]
    pub balance: Balance,
    /// Sockets that rota opens and hands over (`LISTEN_FDS`).
    #[serde(default)]
    pub listen: Vec<ListenAddr>,
    /// Readiness from outside.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// When a worker counts as ready.
    #[serde(default)]
    pub readiness: ReadinessSpec,
    /// How a worker is stopped.
    #[serde(default)]
    pub stop: StopSpec,
    /// What happens when a worker exits by itself.
    #[serde(default)]
    pub restart: RestartSpec,
    /// The agent in Node workers.
    #[serde(default)]
    pub agent: AgentSpec,
    /// When a healthy worker is replaced.
    #[serde(default)]
    pub limits: LimitSpec,
    /// Who the workers are, and what they may use.
    #[serde(default)]
    pub process: ProcessSpec,
    /// What each worker may use together with everything that it starts. Not written when empty: an older daemon does not
    /// know it.
    #[serde(default, skip_serializing_if = "ResourceSpec::is_empty")]
    pub resources: ResourceSpec,
    /// What becomes of output. This and the following are not written when they say nothing: an older daemon does not know them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub logs: LogSpec,
    /// Start it anew when its files change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSpec>,
    /// Start it anew at times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<CronSpec>,
    /// What apps that were written for PM2 expect.
    #[serde(default, skip_serializing_if = "CompatSpec::is_empty")]
    pub compat: CompatSpec,
    /// Apps that must be ready before this one is started.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on: BTreeSet<AppName>,
    /// What workers have as standard input.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stdin: Stdin,
    /// Start it with the others: by its file, and when the machine has been started. False: only by its name.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub autostart: bool,
}

fn yes() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_namespace() -> String {
    defaults::NAMESPACE.to_owned()
}

/// When a worker counts as ready.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadinessSpec {
    /// Wait for the worker's own word: `process.send('ready')` or `READY=1`.
    pub wait_ready: bool,
    /// How long a worker may take until it is ready.
    pub listen_timeout: Span,
    /// How long the first new worker of a start or rollout is watched before the next step.
    pub observe: Span,
    /// The program promises to say `WATCHDOG=1` more often than this (`WATCHDOG_USEC`); it is
    /// replaced as hung when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<Span>,
}

impl Default for ReadinessSpec {
    fn default() -> Self {
        Self {
            wait_ready: false,
            listen_timeout: Span::new(defaults::LISTEN_TIMEOUT),
            observe: Span::new(defaults::OBSERVE),
            watchdog: None,
        }
    }
}

/// How a worker is stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopSpec {
    /// The signal that asks it to stop.
    pub signal: SignalName,
    /// How long it may take to finish its connections before that signal.
    pub drain_timeout: Span,
    /// How long it may take after that signal before SIGKILL.
    pub kill_timeout: Span,
    /// Hand open, idle HTTP/1.1 connections over to other workers instead of closing them; needs
    /// the agent.
    pub handover: bool,
    /// How long a connection that cannot be handed over (TLS, HTTP/2) may stay idle before it is closed.
    pub idle_grace: Span,
    /// A Node worker is asked to stop by the message `shutdown` first, and by the signal at the end of the time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub message: bool,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self {
            signal: SignalName::term(),
            drain_timeout: Span::new(defaults::DRAIN_TIMEOUT),
            kill_timeout: Span::new(defaults::KILL_TIMEOUT),
            handover: true,
            idle_grace: Span::new(defaults::IDLE_GRACE),
            message: false,
        }
    }
}

/// What happens when a worker exits by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestartSpec {
    /// Whether it is started again.
    pub autorestart: bool,
    /// How many unstable restarts in a row are allowed before the app is `errored`.
    pub max_restarts: u32,
    /// A worker that lived for less than this is unstable.
    pub min_uptime: Span,
    /// A fixed pause before each restart; zero = the growing back-off only.
    pub delay: Span,
    /// The first pause of the growing back-off; `None` = rota's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
    /// Exit codes that mean "done": no restart.
    pub stop_exit_codes: Vec<i32>,
}

impl Default for RestartSpec {
    fn default() -> Self {
        Self {
            autorestart: true,
            max_restarts: defaults::MAX_RESTARTS,
            min_uptime: Span::new(defaults::MIN_UPTIME),
            delay: Span::default(),
            backoff: None,
            stop_exit_codes: Vec::new(),
        }
    }
}

/// How an app's workers are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecMode {
    /// Workers of Node's cluster module, rota being the primary.
    Cluster,
    /// Plain processes.
    Fork,
}

/// How connections are handed to cluster workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// To the worker with the fewest open connections, ties in turn.
    #[default]
    RoundRobin,
    /// By the client's address: the same client, the same worker.
    IpHash,
    /// The workers share the listening socket, the kernel picks.
    Shared,
    /// One listening socket per slot on the same port, the kernel picks.
    Reuseport,
}

/// A word that is none of those that are allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {allowed}")]
pub struct UnknownWord {
    text: String,
    allowed: &'static str,
}

impl ExecMode {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Fork => "fork",
        }
    }
}

impl Balance {
    /// Every mode.
    pub const ALL: [Self; 4] = [
        Self::RoundRobin,
        Self::IpHash,
        Self::Shared,
        Self::Reuseport,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::IpHash => "ip-hash",
            Self::Shared => "shared",
            Self::Reuseport => "reuseport",
        }
    }
}

impl FromStr for Balance {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownWord::new(text, "round-robin, ip-hash, shared, reuseport"))
    }
}

impl fmt::Display for ExecMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl UnknownWord {
    pub(crate) fn new(text: &str, allowed: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            allowed,
        }
    }
}

/// Something in a spec that cannot be: each problem names its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct SpecProblem {
    /// The field of [`AppSpec`].
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl AppSpec {
    /// A spec with defaults for everything else.
    pub fn new(name: AppName, script: impl Into<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            name,
            namespace: default_namespace(),
            script: script.into(),
            args: Vec::new(),
            cwd: cwd.into(),
            env: Env::new(),
            interpreter: None,
            interpreter_args: Vec::new(),
            mode: None,
            instances: Instances::default(),
            balance: Balance::default(),
            listen: Vec::new(),
            probe: None,
            readiness: ReadinessSpec::default(),
            stop: StopSpec::default(),
            restart: RestartSpec::default(),
            agent: AgentSpec::default(),
            limits: LimitSpec::default(),
            process: ProcessSpec::default(),
            resources: ResourceSpec::default(),
            logs: LogSpec::default(),
            watch: None,
            cron: None,
            compat: CompatSpec::default(),
            depends_on: BTreeSet::new(),
            stdin: Stdin::default(),
            autostart: true,
        }
    }

    /// Everything that is wrong with the spec by itself, without a look at the file system; the
    /// types of the fields have been checked already.
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut problems = Vec::new();
        let mut add = |field, why: &str| {
            problems.push(SpecProblem {
                field,
                why: why.to_owned(),
            });
        };
        if self.script.trim().is_empty() {
            add("script", "it is empty");
        }
        if !self.cwd.is_absolute() {
            add("cwd", "it must be an absolute path");
        }
        let texts = self.args.iter().chain(&self.interpreter_args);
        if self.script.contains('\0') || texts.into_iter().any(|t| t.contains('\0')) {
            add("args", "there is a zero byte in it");
        }
        if self
            .env
            .iter()
            .any(|(k, v)| k.is_empty() || k.contains(['=', '\0']) || v.contains('\0'))
        {
            add(
                "env",
                "a name is empty or has `=` in it, or there is a zero byte",
            );
        }
        if self.agent.interval.millis() == 0 || self.agent.timeout.millis() == 0 {
            add("agent", "interval and timeout must be longer than zero");
        }
        if self.limits.max_requests == Some(0)
            || self.limits.max_memory.is_some_and(|size| size.bytes() == 0)
            || self.limits.max_age.is_some_and(|age| age.millis() == 0)
        {
            add("limits", "a limit must be more than zero");
        }
        if let Some(probe) = &self.probe
            && (probe.interval.millis() == 0 || probe.timeout.millis() == 0)
        {
            add("probe", "interval and timeout must be longer than zero");
        }
        if let Some(Err(error)) = self.cron.as_ref().map(CronSpec::check) {
            add("cron", &error.to_string());
        }
        for problem in self.process.problems() {
            add("process", &problem);
        }
        for problem in self.resources.problems() {
            add("resources", &problem);
        }
        for problem in self.logs.problems() {
            add("logs", &problem);
        }
        problems
    }
}

/// Reads a JSON text or a whole number as text, so that people may write either.
pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
) -> Result<String, D::Error> {
    struct Visitor(&'static str);

    impl serde::de::Visitor<'_> for Visitor {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }

    deserializer.deserialize_any(Visitor(expecting))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AppSpec {
        AppSpec::new(AppName::new("api").unwrap(), "app.js", "/srv")
    }

    #[test]
    fn survives_json_and_fills_defaults() {
        let json = serde_json::to_string(&spec()).unwrap();
        assert_eq!(serde_json::from_str::<AppSpec>(&json).unwrap(), spec());
        let short = r#"{"name":"api","script":"app.js","cwd":"/srv"}"#;
        assert_eq!(serde_json::from_str::<AppSpec>(short).unwrap(), spec());
    }

    #[test]
    fn unknown_fields_are_refused() {
        for json in [
            r#"{"name":"a","script":"x","cwd":"/","instanses":2}"#,
            r#"{"name":"a","script":"x","cwd":"/","stop":{"signl":"INT"}}"#,
            r#"{"name":"all","script":"x","cwd":"/"}"#,
        ] {
            assert!(serde_json::from_str::<AppSpec>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn problems_name_their_field() {
        let mut bad = spec();
        bad.script = "  ".into();
        bad.cwd = "relative".into();
        bad.env.set("A=B", "x");
        let fields: Vec<_> = bad.problems().iter().map(|p| p.field).collect();
        assert_eq!(fields, ["script", "cwd", "env"]);
        assert!(spec().problems().is_empty());
    }
}
