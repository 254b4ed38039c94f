//! A notice of the engine in words.

use std::time::Duration;

use rota_api::ProgressKind;
use rota_engine::{ExitStatus, FailReason, Notice, Slot, StopReason, Verb, WorkerId};

use crate::words;

/// A notice in words: which kind, whom it is about, and the text.
pub(super) struct Line {
    pub kind: ProgressKind,
    pub slot: Option<Slot>,
    pub worker: Option<WorkerId>,
    pub text: String,
}

/// What a notice says.
pub(super) fn line(notice: &Notice) -> Line {
    use ProgressKind as Kind;
    let worker = |kind, slot: Slot, worker: WorkerId, text: String| Line {
        kind,
        slot: Some(slot),
        worker: Some(worker),
        text,
    };
    let slot_only = |kind, slot: Slot, text: String| Line {
        kind,
        slot: Some(slot),
        worker: None,
        text,
    };
    let app_only = |kind, text: String| Line {
        kind,
        slot: None,
        worker: None,
        text,
    };
    match notice {
        Notice::Starting {
            slot, worker: w, ..
        } => worker(Kind::Starting, *slot, *w, format!("starting worker {slot}")),
        Notice::Ready {
            slot,
            worker: w,
            after,
            assumed,
        } => worker(Kind::Ready, *slot, *w, ready(*slot, *after, *assumed)),
        Notice::Draining {
            slot,
            worker: w,
            reason,
        } => worker(
            Kind::Draining,
            *slot,
            *w,
            format!("draining worker {slot}: {}", words::stop_reason(*reason)),
        ),
        Notice::Stopping {
            slot,
            worker: w,
            reason,
        } => worker(
            Kind::Stopping,
            *slot,
            *w,
            format!("stopping worker {slot}: {}", words::stop_reason(*reason)),
        ),
        Notice::Killing {
            slot,
            worker: w,
            reason,
        } => worker(Kind::Stopping, *slot, *w, killing(*slot, *reason)),
        Notice::Exited {
            slot,
            worker: w,
            status,
            after,
            stopped,
        } => exited(*slot, *w, *status, *after, *stopped),
        Notice::Failed { reason } => failed(reason),
        Notice::SpawnDeferred {
            slot,
            worker: w,
            reason,
            delay,
        } => worker(Kind::Note, *slot, *w, deferred(*slot, reason, *delay)),
        Notice::RestartScheduled {
            slot,
            delay,
            unstable,
        } => slot_only(
            Kind::Note,
            *slot,
            restart_scheduled(*slot, *delay, *unstable),
        ),
        Notice::Errored {
            slot,
            reason,
            unstable,
        } => slot_only(
            Kind::Crashed,
            *slot,
            format!(
                "giving up on worker {slot} after {unstable} unstable restarts: {}",
                words::failure(reason)
            ),
        ),
        Notice::Finished { slot, status } => slot_only(
            Kind::Stopped,
            *slot,
            format!("worker {slot} has finished with {}", words::exit(*status)),
        ),
        Notice::Defined { .. } => {
            app_only(Kind::Note, "other settings hold from now on".to_owned())
        }
        Notice::WaitsFor { .. } => {
            app_only(Kind::Queued, "waits for what it depends on".to_owned())
        }
        Notice::RolloutStarted { steps, .. } => app_only(
            Kind::Note,
            format!("replacing {steps} {}", plural(*steps, "worker")),
        ),
        Notice::RolloutStep { slot, .. } => {
            slot_only(Kind::Step, *slot, format!("replacing worker {slot}"))
        }
        Notice::Observing {
            slot,
            worker: w,
            span,
        } => worker(
            Kind::Observing,
            *slot,
            *w,
            format!("watching the new worker {slot} for {}", words::span(*span)),
        ),
        Notice::RolloutDone { generation } => {
            app_only(Kind::Note, format!("generation {generation} is in place"))
        }
        Notice::RollbackStarted { reason, .. } => app_only(
            Kind::RollingBack,
            format!("going back to the old workers: {}", words::failure(reason)),
        ),
        Notice::RollbackDone { complete } => app_only(
            Kind::RolledBack,
            if *complete {
                "rolled back: everything runs as before".to_owned()
            } else {
                "rolled back as far as possible: some workers are being restarted".to_owned()
            },
        ),
        Notice::Recycling {
            slot,
            worker: w,
            reason,
        } => worker(
            Kind::Note,
            *slot,
            *w,
            format!("recycling worker {slot}: {reason}"),
        ),
        Notice::RecycleFailed {
            slot,
            reason,
            again,
        } => slot_only(Kind::Crashed, *slot, recycle_failed(*slot, reason, *again)),
        Notice::Queued { verb, .. } => app_only(
            Kind::Queued,
            format!(
                "the {} waits for the one that is running",
                words::verb(*verb)
            ),
        ),
        Notice::Merged { .. } => app_only(
            Kind::Queued,
            "joined with a reload that is waiting already".to_owned(),
        ),
    }
}

/// A shutdown may kill at once; everything else has waited before.
fn killing(slot: Slot, reason: StopReason) -> String {
    if reason == StopReason::Command(Verb::Shutdown) {
        format!("killing worker {slot}")
    } else {
        format!("killing worker {slot}, which did not stop in time")
    }
}

fn plural(count: u32, noun: &str) -> String {
    if count == 1 {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}

fn ready(slot: Slot, after: Duration, assumed: bool) -> String {
    let after = words::span(after);
    if assumed {
        format!("worker {slot} does not listen after {after}: taken as a background worker")
    } else {
        format!("worker {slot} is ready after {after}")
    }
}

fn deferred(slot: Slot, reason: &str, delay: Duration) -> String {
    let delay = words::span(delay);
    format!("worker {slot} cannot be started for the moment, the next try is in {delay}: {reason}")
}

fn restart_scheduled(slot: Slot, delay: Duration, unstable: u32) -> String {
    let delay = if delay.is_zero() {
        "at once".to_owned()
    } else {
        format!("in {}", words::span(delay))
    };
    match unstable {
        0 => format!("restarting worker {slot} {delay}"),
        1 => format!("restarting worker {slot} {delay}: it was unstable"),
        times => {
            format!("restarting worker {slot} {delay}: it was unstable {times} times in a row")
        }
    }
}

fn recycle_failed(slot: Slot, reason: &FailReason, again: Option<Duration>) -> String {
    let what = words::failure(reason);
    match again {
        Some(again) => format!(
            "the replacement of worker {slot} failed, the old one stays and the next try is in {}: {what}",
            words::span(again)
        ),
        None => format!("the replacement of worker {slot} failed: {what}"),
    }
}

fn exited(
    slot: Slot,
    worker: WorkerId,
    status: ExitStatus,
    after: Duration,
    stopped: Option<StopReason>,
) -> Line {
    let (kind, text) = if stopped.is_some() {
        (
            ProgressKind::Stopped,
            format!("worker {slot} is gone ({})", words::exit(status)),
        )
    } else {
        (
            ProgressKind::Crashed,
            format!(
                "worker {slot} ended by itself with {} after {}",
                words::exit(status),
                words::span(after)
            ),
        )
    };
    Line {
        kind,
        slot: Some(slot),
        worker: Some(worker),
        text,
    }
}

fn failed(reason: &FailReason) -> Line {
    let kind = match reason {
        FailReason::NotReady { .. } => ProgressKind::NotReady,
        FailReason::Dependency { .. } | FailReason::Superseded { .. } => ProgressKind::Note,
        FailReason::Crashed { .. }
        | FailReason::SpawnFailed { .. }
        | FailReason::NoResources { .. }
        | FailReason::Hung { .. }
        | FailReason::Left { .. } => ProgressKind::Crashed,
    };
    Line {
        kind,
        slot: words::failed_slot(reason),
        worker: words::failed_worker(reason),
        text: words::failure(reason),
    }
}
