//! The engine's typed reasons and refusals, in words for people.

use std::time::Duration;

use rota_engine::{ExitStatus, FailReason, Refusal, StopReason, Verb};

/// A span as people write it: `320ms`, `2.1s`, `3m05s`, `2h10m`.
pub fn span(span: Duration) -> String {
    let millis = span.as_millis();
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        1..60 if millis.is_multiple_of(1000) => format!("{seconds}s"),
        1..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Memory, exact enough to compare: `312 MiB`, `300.4 MiB`, `1.5 GiB`.
pub fn memory(bytes: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let (number, unit) = match bytes as f64 / MIB {
        mib if mib < 1.0 => (bytes as f64 / 1024.0, "KiB"),
        mib if mib < 1024.0 => (mib, "MiB"),
        mib => (mib / 1024.0, "GiB"),
    };
    let text = format!("{number:.1}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// The exit code of a process whose end somebody else was told (a main process by `MAINPID=` below
/// another parent). No real one is negative.
pub const UNKNOWN_CODE: i32 = -1;

/// How a process ended: `exit code 1`, `signal 9 (SIGKILL)`.
pub fn exit(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(UNKNOWN_CODE) => "an unknown status".to_owned(),
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(number) => format!("signal {number} ({})", signal_name(number)),
    }
}

/// A signal's name, or its number if it has none.
pub fn signal_name(number: i32) -> String {
    rota_sys::signal::Signal::from_number(number)
        .map_or_else(|| number.to_string(), |signal| signal.to_string())
}

/// Why a worker, or a command that needed it, failed.
pub fn failure(reason: &FailReason) -> String {
    match reason {
        FailReason::Crashed {
            slot,
            status,
            after,
            was_ready,
            ..
        } => {
            let phase = if *was_ready {
                "it had been ready"
            } else {
                "before it was ready"
            };
            format!(
                "worker {slot} ended with {} after {}, {phase}",
                exit(*status),
                span(*after)
            )
        }
        FailReason::NotReady { slot, after, .. } => {
            format!("worker {slot} was not ready within {}", span(*after))
        }
        FailReason::SpawnFailed { slot, reason, .. } => {
            format!("worker {slot} could not be started: {reason}")
        }
        FailReason::NoResources { slot, reason, .. } => format!(
            "worker {slot} could not even be tried, for lack of resources and not because of the app: {reason}"
        ),
        FailReason::Hung { slot, reason, .. } => format!("worker {slot} hung: {reason}"),
        FailReason::Left { slot, .. } => {
            format!("worker {slot} left the cluster by itself as soon as it had started")
        }
        FailReason::Dependency { .. } => "an app that it depends on does not serve".to_owned(),
        FailReason::Superseded { by } => format!("a later {} took its place", verb(*by)),
    }
}

/// The slot that a failure is about.
pub fn failed_slot(reason: &FailReason) -> Option<u32> {
    match reason {
        FailReason::Crashed { slot, .. }
        | FailReason::NotReady { slot, .. }
        | FailReason::SpawnFailed { slot, .. }
        | FailReason::NoResources { slot, .. }
        | FailReason::Hung { slot, .. }
        | FailReason::Left { slot, .. } => Some(*slot),
        FailReason::Dependency { .. } | FailReason::Superseded { .. } => None,
    }
}

/// The worker that a failure is about.
pub fn failed_worker(reason: &FailReason) -> Option<rota_engine::WorkerId> {
    match reason {
        FailReason::Crashed { worker, .. }
        | FailReason::NotReady { worker, .. }
        | FailReason::SpawnFailed { worker, .. }
        | FailReason::NoResources { worker, .. }
        | FailReason::Hung { worker, .. }
        | FailReason::Left { worker, .. } => Some(*worker),
        FailReason::Dependency { .. } | FailReason::Superseded { .. } => None,
    }
}

/// Why a command was not tried, with what to do instead.
pub fn refusal(refusal: Refusal) -> (String, Option<&'static str>) {
    let hint = match refusal {
        Refusal::AlreadyRunning => {
            Some("use `rota reload` to load new code, or `rota start --force` to restart it")
        }
        Refusal::NotRunning => Some("start it first"),
        Refusal::UnknownApp | Refusal::UnknownSlot { .. } => {
            Some("`rota list` shows what there is")
        }
        Refusal::NoInstances | Refusal::Deleting | Refusal::ShuttingDown => None,
    };
    (refusal.to_string(), hint)
}

/// A command's name.
pub fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Define => "change of settings",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Reload => "reload",
        Verb::Scale => "scale",
        Verb::Reset => "reset",
        Verb::Delete => "delete",
        Verb::Shutdown => "shutdown",
    }
}

/// What became of a worker's connections.
pub fn drained(slot: u32, drained: &rota_api::Drained) -> String {
    match drained.lost {
        0 => format!("worker {slot}: {drained}"),
        1 => format!("worker {slot} died while draining: up to 1 connection was lost"),
        lost => format!("worker {slot} died while draining: up to {lost} connections were lost"),
    }
}

/// Why a worker is being stopped.
pub fn stop_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Command(by) => verb(by),
        StopReason::Replaced => "replaced by a new worker",
        StopReason::RolledBack => "rolled back",
        StopReason::NotReady => "not ready in time",
        StopReason::Hung => "hung",
        StopReason::Left => "leaves by itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_people_write_them() {
        for (millis, text) in [
            (0, "0ms"),
            (320, "320ms"),
            (2000, "2s"),
            (2100, "2.1s"),
            (30_040, "30s"),
            (185_000, "3m05s"),
            (7_800_000, "2h10m"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
