//! The objects that `pm2 jlist` shows, one for each worker, with the keys that tools read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rota_api::{AppView, EnvResponse, InsideView, WorkerStatus, WorkerView};
use serde_json::{Map, Value, json};

/// What stands in place of a value that looks like a secret.
const HIDDEN: &str = "(hidden)";

/// How much of the environment is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In `pm2_env.env` alone, without secrets.
    Masked,
    /// As PM2 does: everything, in `pm2_env.env` and in `pm2_env` itself.
    All,
}

impl Shown {
    /// What ROTA_PM2_ENV asks for.
    pub fn from_env() -> Self {
        match std::env::var("ROTA_PM2_ENV").as_deref() {
            Ok("all") => Self::All,
            _ => Self::Masked,
        }
    }
}

/// What the objects of an app are made of.
pub struct Source<'a> {
    /// The app.
    pub app: &'a AppView,
    /// The environment of its workers.
    pub env: &'a EnvResponse,
    /// Its specification, as JSON.
    pub spec: &'a Value,
    /// Where dump.pm2 is.
    pub pm2_home: &'a Path,
    /// How much of the environment is shown.
    pub shown: Shown,
}

/// The worker that a slot has, or is to have: without those that are on their way out beside it.
pub fn rows(app: &AppView) -> Vec<&WorkerView> {
    let mut rows: Vec<&WorkerView> = Vec::new();
    for worker in &app.workers {
        if !rows.iter().any(|row| row.id == worker.id) {
            rows.push(worker);
        }
    }
    rows
}

/// PM2's word for a state.
pub fn status(status: WorkerStatus) -> &'static str {
    match status {
        WorkerStatus::Launching => "launching",
        WorkerStatus::Online => "online",
        WorkerStatus::Draining | WorkerStatus::Stopping | WorkerStatus::Killing => "stopping",
        WorkerStatus::Stopped => "stopped",
        WorkerStatus::WaitingRestart => "waiting restart",
        WorkerStatus::Errored | WorkerStatus::Unknown => "errored",
    }
}

/// Unix time in milliseconds.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

impl Source<'_> {
    /// The objects, one for each slot.
    pub fn objects(&self) -> Vec<Value> {
        let version = package_version(Path::new(&self.app.executed));
        rows(self.app)
            .into_iter()
            .map(|worker| self.object(worker, version.as_deref()))
            .collect()
    }

    fn object(&self, worker: &WorkerView, version: Option<&str>) -> Value {
        json!({
            "pid": worker.pid.unwrap_or(0),
            "name": self.app.name,
            "pm2_env": self.pm2_env(worker, version),
            "pm_id": worker.id,
            "monit": {
                "memory": worker.memory.unwrap_or(0),
                "cpu": worker.cpu.map_or(0.0, |cpu| (cpu * 10.0).round() / 10.0),
            },
        })
    }

    fn pm2_env(&self, worker: &WorkerView, version: Option<&str>) -> Map<String, Value> {
        let env = self.variables(worker);
        let mut object = match self.shown {
            Shown::All => env.clone().into_iter().collect(),
            Shown::Masked => Map::new(),
        };
        object.insert("env".to_owned(), json!(env));
        for part in [
            self.identity(worker, version),
            self.state(worker),
            self.places(worker),
            self.settings(),
            self.figures(worker),
        ] {
            if let Value::Object(part) = part {
                object.extend(part);
            }
        }
        object
    }

    /// The variables of this worker: the daemon tells those of one.
    fn variables(&self, worker: &WorkerView) -> BTreeMap<String, Value> {
        let mut env: BTreeMap<String, Value> = BTreeMap::new();
        for variable in &self.env.variables {
            let value = variable.value.as_deref().unwrap_or(HIDDEN);
            env.insert(variable.name.clone(), value.into());
        }
        env.insert(
            self.instance_var().to_owned(),
            worker.slot.to_string().into(),
        );
        if let Some(name) = &self.app.settings.increment_var
            && let Some(shown) = env.get(name).and_then(Value::as_str)
            && let Ok(number) = shown.parse::<i64>()
        {
            let number = number - i64::from(self.env.slot) + i64::from(worker.slot);
            env.insert(name.clone(), number.to_string().into());
        }
        for (name, value) in [
            ("pm_id", worker.id.to_string()),
            ("restart_time", worker.restarts.to_string()),
            (
                "pm_out_log_path",
                worker.log_out.clone().unwrap_or_default(),
            ),
            (
                "pm_err_log_path",
                worker.log_err.clone().unwrap_or_default(),
            ),
            ("pm_pid_path", self.pid_path(worker).display().to_string()),
        ] {
            env.entry(name.to_owned())
                .and_modify(|have| *have = value.into());
        }
        env
    }

    fn instance_var(&self) -> &str {
        let own = self.app.settings.instance_var.as_deref();
        own.unwrap_or("NODE_APP_INSTANCE")
    }

    fn identity(&self, worker: &WorkerView, version: Option<&str>) -> Value {
        let app = self.app;
        let unique = self.env.variables.iter().find(|v| v.name == "unique_id");
        let mut identity = json!({
            "name": app.name,
            "namespace": app.namespace,
            "pm_id": worker.id,
            "unique_id": unique.and_then(|v| v.value.clone()),
            "version": version.unwrap_or("N/A"),
            "node_version": Value::Null,
            "_pm2_version": format!("rota-{}", env!("CARGO_PKG_VERSION")),
            "username": username(app),
            "instance_var": self.instance_var(),
            "versioning": Value::Null,
        });
        identity[self.instance_var()] = worker.slot.into();
        identity
    }

    fn state(&self, worker: &WorkerView) -> Value {
        let started = worker.uptime_ms.map(|uptime| now().saturating_sub(uptime));
        let exit = worker.last_exit.as_ref();
        json!({
            "status": status(worker.status),
            "pm_uptime": started.unwrap_or(self.app.started_at),
            "created_at": self.app.created_at,
            "restart_time": worker.restarts,
            "unstable_restarts": worker.unstable_restarts,
            "exit_code": exit.and_then(|exit| exit.code),
            "prev_restart_delay": worker.next_restart_in_ms.unwrap_or(0),
        })
    }

    fn pid_path(&self, worker: &WorkerView) -> PathBuf {
        let name = format!("pids/{}-{}.pid", self.app.name, worker.id);
        self.pm2_home.join(name)
    }

    fn places(&self, worker: &WorkerView) -> Value {
        let joined = self.spec["logs"]["joined"].clone();
        json!({
            "pm_exec_path": self.app.executed,
            "pm_cwd": self.app.cwd,
            "pm_out_log_path": worker.log_out,
            "pm_err_log_path": worker.log_err,
            "pm_log_path": joined,
            "pm_pid_path": self.pid_path(worker),
        })
    }

    fn settings(&self) -> Value {
        let (app, settings) = (self.app, &self.app.settings);
        let watch = !self.spec["watch"].is_null();
        let cron = self.spec["cron"]["schedule"].clone();
        json!({
            "exec_mode": match app.mode.as_str() {
                "cluster" => "cluster_mode",
                _ => "fork_mode",
            },
            "exec_interpreter": app.interpreter.as_deref().map_or("none", name_of),
            "node_args": settings.interpreter_args,
            "args": app.args,
            "instances": app.instances.max(1),
            "merge_logs": self.spec["logs"]["merge"].as_bool().unwrap_or(false),
            "watch": watch,
            "cron_restart": cron,
            "autostart": true,
            "autorestart": settings.autorestart,
            "treekill": true,
            "kill_retry_time": 100,
            "kill_timeout": settings.kill_timeout_ms,
            "listen_timeout": settings.listen_timeout_ms,
            "wait_ready": settings.wait_ready,
            "shutdown_with_message": settings.stop_message,
            "max_restarts": settings.max_restarts,
            "min_uptime": settings.min_uptime_ms,
            "restart_delay": settings.restart_delay_ms,
            "stop_exit_codes": settings.stop_exit_codes,
            "max_memory_restart": settings.limits.max_memory_bytes,
            "filter_env": [],
            "pmx": true,
            "automation": true,
            "vizion": false,
            "vizion_running": false,
            "windowsHide": true,
            "km_link": false,
            "pmx_module": false,
        })
    }

    fn figures(&self, worker: &WorkerView) -> Value {
        let inside = worker.inside.as_ref().filter(|inside| !inside.stale);
        json!({
            "axm_actions": [],
            "axm_monitor": inside.map_or_else(|| json!({}), monitor),
            "axm_options": {},
            "axm_dynamic": {},
        })
    }
}

/// The figures that exporters and dashboards know by these names.
fn monitor(inside: &InsideView) -> Value {
    const MIB: f64 = 1024.0 * 1024.0;
    let metric = |value: String, kind: &str, unit: &str| json!({ "value": value, "type": kind, "unit": unit, "historic": true });
    let heap = inside.heap;
    let (used, total) = (heap.used_bytes as f64, heap.total_bytes as f64);
    let usage = if total > 0.0 {
        used / total * 100.0
    } else {
        0.0
    };
    let http = &inside.http;
    let mut all = json!({
        "Used Heap Size": metric(format!("{:.2}", used / MIB), "internal/v8/heap/used", "MiB"),
        "Heap Usage": metric(format!("{usage:.2}"), "internal/v8/heap/usage", "%"),
        "Heap Size": metric(format!("{:.2}", total / MIB), "internal/v8/heap/total", "MiB"),
        "Event Loop Latency": metric(format!("{:.2}", inside.event_loop.delay_p50_ms), "internal/libuv/latency/p50", "ms"),
        // The nearest figure that the agent has.
        "Event Loop Latency p95": metric(format!("{:.2}", inside.event_loop.delay_p99_ms), "internal/libuv/latency/p95", "ms"),
        "Active handles": metric(inside.handles.to_string(), "internal/libuv/handles", ""),
        "Active requests": metric(http.requests_in_flight.to_string(), "internal/libuv/requests", ""),
    });
    if http.requests_total > 0 {
        let rate = http.requests_per_second.unwrap_or(0.0);
        all["HTTP"] = metric(
            format!("{rate:.2}"),
            "internal/http/builtin/reqs",
            "req/min",
        );
        if let Some(latency) = &http.latency {
            all["HTTP Mean Latency"] = metric(
                format!("{:.2}", latency.p50_ms),
                "internal/http/builtin/latency/p50",
                "ms",
            );
            all["HTTP P95 Latency"] = metric(
                format!("{:.2}", latency.p95_ms),
                "internal/http/builtin/latency/p95",
                "ms",
            );
        }
        all["HTTP"]["value"] = format!("{:.2}", rate * 60.0).into();
    }
    all
}

fn name_of(program: &str) -> &str {
    let file = Path::new(program).file_name();
    file.and_then(|name| name.to_str()).unwrap_or(program)
}

/// Who the workers are: as told, or whoever asks, as the daemon is theirs.
fn username(app: &AppView) -> Option<String> {
    let own = app.settings.process.user.clone();
    own.or_else(|| std::env::var("USER").ok())
}

/// The version in the package.json that the script belongs to.
fn package_version(script: &Path) -> Option<String> {
    let folders = script.ancestors().skip(1);
    let text = folders
        .map(|folder| folder.join("package.json"))
        .find(|path| path.is_file())
        .and_then(|path| std::fs::read_to_string(path).ok())?;
    let package: Value = serde_json::from_str(&text).ok()?;
    package["version"].as_str().map(str::to_owned)
}
