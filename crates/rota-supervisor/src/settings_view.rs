//! What is told of an app's settings.

use std::path::{Path, PathBuf};

use rota_api::{
    IdsView, LimitsView, LogsView, ProcessSettingsView, ResourcesView, RotationView, SettingsView,
};
use rota_config::{AppSpec, ResourceSpec, RotateSpec, Size, Span};

use crate::apps::Prepared;
use crate::output;

/// The settings of a generation; `logs` is the folder of the log files.
pub(crate) fn settings(prepared: &Prepared, logs: &Path) -> SettingsView {
    let spec = &prepared.spec;
    SettingsView {
        interpreter_args: spec.interpreter_args.clone(),
        wait_ready: spec.readiness.wait_ready,
        listen_timeout_ms: spec.readiness.listen_timeout.millis(),
        observe_ms: spec.readiness.observe.millis(),
        drain_timeout_ms: spec.stop.drain_timeout.millis(),
        kill_timeout_ms: spec.stop.kill_timeout.millis(),
        stop_signal: spec.stop.signal.as_str().to_owned(),
        autorestart: spec.restart.autorestart,
        max_restarts: spec.restart.max_restarts,
        min_uptime_ms: spec.restart.min_uptime.millis(),
        restart_delay_ms: spec.restart.delay.millis(),
        backoff_ms: spec.restart.backoff.map(Span::millis),
        stop_exit_codes: spec.restart.stop_exit_codes.clone(),
        listen: spec.listen.iter().map(ToString::to_string).collect(),
        probe: spec.probe.as_ref().map(|probe| probe.target.to_string()),
        stop_message: spec.stop.message,
        pm2_env: spec.compat.pm2,
        instance_var: spec.compat.instance_var.clone(),
        increment_var: spec.compat.increment_var.clone(),
        stdin: spec.stdin.to_string(),
        limits: LimitsView {
            max_memory_bytes: spec.limits.max_memory.map(Size::bytes),
            max_requests: spec.limits.max_requests,
            max_age_ms: spec.limits.max_age.map(Span::millis),
        },
        process: process(prepared),
        resources: resources(&spec.resources),
        logs: Some(logs_of(spec, logs)),
    }
}

fn logs_of(spec: &AppSpec, dir: &Path) -> LogsView {
    let places = output::log_places(spec, dir);
    let shown = |path: PathBuf| path.display().to_string();
    LogsView {
        out: places.out.map(shown),
        err: places.err.map(shown),
        joined: places.joined.map(shown),
        format: spec.logs.format.as_str().to_owned(),
        time: spec.logs.time.clone(),
        show: spec.logs.show.map(|show| show.as_str().to_owned()),
        journald: spec.logs.journald,
        rotation: rotation(&spec.logs.rotate),
    }
}

fn rotation(spec: &RotateSpec) -> RotationView {
    let size = spec.size.map(Size::bytes);
    RotationView {
        size_bytes: size.filter(|size| *size > 0),
        every: spec.every.map(|every| every.as_str().to_owned()),
        keep: spec.keep,
        max_age_ms: spec.max_age.map(Span::millis),
        compress: spec.compress,
    }
}

fn process(prepared: &Prepared) -> ProcessSettingsView {
    let spec = &prepared.spec.process;
    let rlimits = spec.rlimits.iter();
    ProcessSettingsView {
        user: spec.user.clone(),
        group: spec.group.clone(),
        groups: spec.groups.clone(),
        ids: prepared.person.as_ref().map(|person| IdsView {
            uid: person.uid,
            gid: person.gid,
            groups: person.groups.clone(),
        }),
        no_new_privs: spec.bars_privileges(),
        umask: spec.umask.map(|mask| mask.to_string()),
        nice: spec.nice,
        rlimits: rlimits
            .map(|(name, limit)| (name.to_string(), limit.to_string()))
            .collect(),
        oom_score_adj: spec.oom_score_adj,
    }
}

fn resources(spec: &ResourceSpec) -> ResourcesView {
    ResourcesView {
        memory_max_bytes: spec.memory_max.map(Size::bytes),
        memory_high_bytes: spec.memory_high.map(Size::bytes),
        cpu_max_percent: spec.cpu_max.map(rota_config::CpuMax::percent),
        cpu_weight: spec.cpu_weight,
        pids_max: spec.pids_max,
    }
}
