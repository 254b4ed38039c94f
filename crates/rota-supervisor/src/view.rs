//! What the daemon shows of its apps: the engine's view, joined with processes and connections.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rota_api::{
    AppStatus, AppView, FailureView, LastExit, RolloutView, Version, WorkerStatus, WorkerView,
};
use rota_engine::{AppId, ExitRecord, ExitStatus, RolloutPhase, SlotStatus, SlotView, Time};
use tokio::sync::oneshot;

use crate::apps::{App, Failure, Prepared};
use crate::compat;
use crate::dispatch::{DispatchCommand, Stats, WorkerStats};
use crate::holding::Holding;
use crate::listen::OwnSocket;
use crate::output;
use crate::settings_view::settings;
use crate::supervisor::{State, Supervisor, unix_millis};
use crate::words;

impl Supervisor {
    /// `GET /v1/version`.
    pub(crate) fn version(&self) -> Version {
        Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keeper_version: Some(self.keeper_version.clone()),
            supervisor_pid: std::process::id(),
            keeper_pid: self.keeper_pid,
            started_at: self.started_at,
            home: self.home.root().display().to_string(),
            foreground: self.foreground,
            cgroups: Some(self.holding.view()),
            survivors: self.with(|state| state.survivors.views()),
        }
    }

    /// The apps, or those that are asked for.
    pub(crate) async fn views(&self, only: Option<&[AppId]>) -> Vec<AppView> {
        let stats = self.stats().await;
        let look = Look {
            now: self.now(),
            instant: Instant::now(),
            unix: unix_millis(),
            connections: stats.workers.iter().map(|w| (w.worker, w)).collect(),
            stats: &stats,
            holding: &self.holding,
            logs: self.home.logs(),
        };
        self.with(|state| look.apps(state, only))
    }

    /// The dispatcher's figures; none if it does not answer.
    pub(crate) async fn stats(&self) -> Stats {
        let (reply, answer) = oneshot::channel();
        let reply = Box::new(move |stats| {
            // Fails when the caller has gone.
            let _ = reply.send(stats);
        });
        self.dispatcher.send(DispatchCommand::Stats { reply });
        answer.await.unwrap_or_default()
    }
}

/// One look at everything, at one time.
struct Look<'a> {
    now: Time,
    instant: Instant,
    unix: u64,
    connections: HashMap<u64, &'a WorkerStats>,
    stats: &'a Stats,
    holding: &'a Holding,
    logs: PathBuf,
}

impl Look<'_> {
    fn apps(&self, state: &mut State, only: Option<&[AppId]>) -> Vec<AppView> {
        let mut views = Vec::new();
        for view in state.engine.apps() {
            if only.is_some_and(|only| !only.contains(&view.app)) {
                continue;
            }
            let Some(app) = state.apps.get(&view.app) else {
                continue;
            };
            let Some(prepared) = app.prepared(view.generation) else {
                continue;
            };
            let mut workers = Vec::new();
            for slot in &view.slots {
                self.slot(&mut state.workers, prepared, slot, &mut workers);
            }
            views.push(AppView {
                status: app_status(view.status),
                instances: view.instances,
                generation: view.generation,
                listening: self.listening(view.app, app),
                rollout: view.rollout.map(rollout),
                renewal: state.renewals.view(app, &prepared.spec),
                errored_reason: view.errored.map(words::failure),
                workers,
                ..self.describe(app, prepared)
            });
        }
        views
    }

    /// The part of a view that the engine does not know.
    fn describe(&self, app: &App, prepared: &Prepared) -> AppView {
        let Prepared { spec, launch, .. } = prepared;
        AppView {
            name: spec.name.to_string(),
            namespace: spec.namespace.clone(),
            status: AppStatus::Unknown,
            mode: launch.mode.to_string(),
            balance: spec.balance.to_string(),
            script: spec.script.clone(),
            interpreter: launch.interpreter.clone(),
            args: spec.args.clone(),
            executed: compat::executed(prepared).display().to_string(),
            cwd: spec.cwd.display().to_string(),
            instances: 0,
            generation: 0,
            listening: Vec::new(),
            created_at: app.created_at,
            started_at: app.started_at,
            settings: settings(prepared, &self.logs),
            rollout: None,
            renewal: None,
            errored_reason: None,
            last_failure: app.failures.last().map(failure),
            failures: app.failures.iter().rev().map(failure).collect(),
            workers: Vec::new(),
        }
    }

    fn listening(&self, id: AppId, app: &App) -> Vec<String> {
        let stats = self.stats.apps.iter().filter(|stats| stats.app == id.0);
        let mut listening: Vec<String> = stats
            .flat_map(|stats| &stats.listeners)
            .map(|listener| {
                let udp = if listener.udp { "udp " } else { "" };
                format!("{udp}{}", listener.address)
            })
            .collect();
        let own = |socket: &OwnSocket| {
            let address = rota_sys::net::local_address(socket.fd.as_ref()).ok()??;
            Some(address.to_string())
        };
        listening.extend(app.sockets.iter().filter_map(own));
        listening.sort();
        listening.dedup();
        listening
    }

    /// The rows of a slot: its workers, or itself when it has none.
    fn slot(
        &self,
        workers: &mut crate::worker::Workers,
        prepared: &Prepared,
        slot: &SlotView<'_>,
        rows: &mut Vec<WorkerView>,
    ) {
        let logs = output::log_paths(&prepared.spec, &self.logs, slot.slot);
        let empty = WorkerView {
            log_out: Some(logs.out.display().to_string()),
            log_err: Some(logs.err.display().to_string()),
            ..self.row(slot)
        };
        if slot.workers.is_empty() {
            rows.push(empty);
            return;
        }
        for worker in &slot.workers {
            let age = self.now.since(worker.started);
            let connections = self.connections.get(&worker.worker.0);
            let mut row = WorkerView {
                worker: Some(worker.worker.0),
                pid: worker.pid,
                status: worker_status(worker.status),
                generation: worker.generation,
                uptime_ms: Some(millis(age)),
                ..empty.clone()
            };
            if prepared.is_cluster() {
                row.connections = connections.map(|c| c.open);
                row.pending = connections.map(|c| u64::from(c.pending));
                row.connections_total = connections.map(|c| c.dealt);
            }
            if let Some(entry) = workers.get_mut(&worker.worker.0) {
                row.pid = entry.pid;
                row.status_text.clone_from(&entry.status_text);
                crate::process_view::look_at(entry, self.instant, &mut row);
                let interval = entry.prepared.spec.agent.interval.duration();
                row.inside = entry.agent.inside.view(self.instant, interval);
                row.health = entry.agent.inside.health_view();
                row.held = entry.pid.map(|_| self.holding.held(entry));
            }
            rows.push(row);
        }
    }

    fn row(&self, slot: &SlotView<'_>) -> WorkerView {
        let until = |at: Time| millis(at.since(self.now));
        WorkerView {
            id: slot.id,
            slot: slot.slot,
            worker: None,
            pid: None,
            status: match slot.status {
                SlotStatus::Stopped => WorkerStatus::Stopped,
                SlotStatus::Running => WorkerStatus::Launching,
                SlotStatus::Waiting => WorkerStatus::WaitingRestart,
                SlotStatus::Errored => WorkerStatus::Errored,
            },
            generation: slot.generation,
            restarts: slot.restarts,
            unstable_restarts: slot.unstable,
            uptime_ms: None,
            cpu: None,
            memory: None,
            connections: None,
            pending: None,
            connections_total: None,
            log_out: None,
            log_err: None,
            last_exit: slot.last_exit.as_ref().map(|exit| self.last_exit(exit)),
            next_restart_in_ms: slot.next_start.map(until),
            shortage: slot.shortage.map(str::to_owned),
            status_text: None,
            process: None,
            inside: None,
            health: None,
            held: None,
        }
    }

    fn last_exit(&self, exit: &ExitRecord) -> LastExit {
        let ago = millis(self.now.since(exit.at));
        let (code, signal) = match exit.status {
            ExitStatus::Code(code) => (Some(code), None),
            ExitStatus::Signal(number) => (None, Some(words::signal_name(number))),
        };
        LastExit {
            at: self.unix.saturating_sub(ago),
            code,
            signal,
            after_ms: millis(exit.after),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn app_status(status: rota_engine::AppStatus) -> AppStatus {
    match status {
        rota_engine::AppStatus::Online => AppStatus::Online,
        rota_engine::AppStatus::Launching => AppStatus::Launching,
        rota_engine::AppStatus::Reloading => AppStatus::Reloading,
        rota_engine::AppStatus::Stopping => AppStatus::Stopping,
        rota_engine::AppStatus::Stopped => AppStatus::Stopped,
        rota_engine::AppStatus::Errored => AppStatus::Errored,
        rota_engine::AppStatus::WaitingRestart => AppStatus::WaitingRestart,
    }
}

fn worker_status(status: rota_engine::WorkerStatus) -> WorkerStatus {
    match status {
        rota_engine::WorkerStatus::Starting => WorkerStatus::Launching,
        rota_engine::WorkerStatus::Ready => WorkerStatus::Online,
        rota_engine::WorkerStatus::Draining => WorkerStatus::Draining,
        rota_engine::WorkerStatus::Stopping => WorkerStatus::Stopping,
        rota_engine::WorkerStatus::Killing => WorkerStatus::Killing,
    }
}

fn rollout(view: rota_engine::RolloutView) -> RolloutView {
    let phase = match view.phase {
        RolloutPhase::Waiting => "draining",
        RolloutPhase::Starting => "starting",
        RolloutPhase::Observing => "observing",
        RolloutPhase::RollingBack => "rolling back",
    };
    RolloutView {
        step: view.step,
        steps: view.steps,
        phase: phase.to_owned(),
        generation: view.to,
    }
}

fn failure(failure: &Failure) -> FailureView {
    FailureView {
        at: failure.at,
        slot: failure.slot,
        status: failure.status.clone(),
        after_ms: failure.after_ms,
        reason: failure.reason.clone(),
        stderr: failure.stderr.clone(),
        kind: failure.kind,
        exception: failure.exception.clone(),
        stack: failure.stack.clone(),
        stack_missing: failure.stack_missing.clone(),
        memory: failure.memory,
        peak_memory: failure.peak_memory,
        heap_limit: failure.heap_limit,
        group_peak_memory: failure.group_peak_memory,
        memory_limit: failure.memory_limit,
    }
}
