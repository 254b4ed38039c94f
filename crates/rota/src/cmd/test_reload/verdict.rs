//! What came out: the data behind the table and `--json`.

use std::collections::BTreeMap;
use std::time::Duration;

use rota_api::{AppView, Drained};
use rota_load::{ClientKind, Failure, FailureKind, Histogram, KindReport, Phase, Report};
use serde::Serialize;

use super::reloads::Reloads;
use super::target::Probe;
use super::why;

/// The result of a test. Times in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) app: String,
    pub(super) url: String,
    /// The status that the app answers with, if that is none of success.
    pub(super) status: Option<u16>,
    /// Nothing was lost, and every reload succeeded.
    pub(super) ok: bool,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) reloads: Vec<ReloadResult>,
    pub(super) clients: Vec<Clients>,
    /// Lost requests, equal ones together, most first.
    pub(super) lost: Vec<Loss>,
}

/// One reload.
#[derive(Debug, Serialize)]
pub(super) struct ReloadResult {
    pub(super) ok: bool,
    pub(super) ms: u64,
    /// How the daemon summed it up.
    pub(super) message: String,
    /// What became of the connections of the workers that left, as these told.
    pub(super) drained: Option<Drained>,
}

/// One kind of clients.
#[derive(Debug, Serialize)]
pub(super) struct Clients {
    pub(super) kind: ClientKind,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) failed_by_cause: BTreeMap<FailureKind, u64>,
    pub(super) connections: u64,
    pub(super) during: Side,
    pub(super) outside: Side,
}

/// What happened during the reloads, or outside of them.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// Connections that the server ended by `Connection: close` on an answer.
    pub(super) closed_announced: u64,
    /// Connections that it closed without a word while no request was on them.
    pub(super) closed_idle: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Equal losses.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    pub(super) count: u64,
    pub(super) client: ClientKind,
    pub(super) cause: FailureKind,
    pub(super) phase: Phase,
    /// In words.
    pub(super) what: String,
    pub(super) why: &'static str,
    pub(super) during_reload: bool,
    /// When the first of them was noticed, since the clients began.
    pub(super) first_at_ms: u64,
    /// In which reload that was, from 1.
    pub(super) reload: Option<usize>,
    /// What the daemon had told last before it.
    pub(super) after: Option<String>,
}

impl Verdict {
    pub(super) fn of(app: &AppView, probe: &Probe, report: &Report, reloads: &Reloads) -> Self {
        Self {
            app: app.name.clone(),
            url: probe.aim.url(),
            status: probe.status,
            ok: report.failed() == 0 && reloads.failed.is_none(),
            requests: report.requests(),
            failed: report.failed(),
            reloads: reloads
                .done
                .iter()
                .map(|reload| ReloadResult {
                    ok: reload.ok,
                    ms: whole_millis(reload.end.saturating_sub(reload.begin)),
                    message: reload.message.clone(),
                    drained: reload.drained,
                })
                .collect(),
            clients: report
                .kinds
                .iter()
                .map(|(kind, seen)| Clients::of(*kind, seen))
                .collect(),
            lost: losses(&report.failures, reloads),
        }
    }
}

impl Clients {
    fn of(kind: ClientKind, seen: &KindReport) -> Self {
        let side = |part: &rota_load::Part| Side {
            requests: part.answered + part.failed,
            failed: part.failed,
            closed_announced: part.closed_politely,
            closed_idle: part.closed_idle,
            p50_ms: percentile(&part.latency, 500),
            p99_ms: percentile(&part.latency, 990),
        };
        Self {
            kind,
            requests: seen.requests(),
            failed: seen.lost(),
            failed_by_cause: seen.failed.clone(),
            connections: seen.connections,
            during: side(&seen.marked),
            outside: side(&seen.unmarked),
        }
    }
}

fn losses(failures: &[Failure], reloads: &Reloads) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for failure in failures {
        let loss = Loss::of(failure, reloads);
        match losses.iter_mut().find(|other| other.is_like(&loss)) {
            Some(other) => other.count += 1,
            None => losses.push(loss),
        }
    }
    losses.sort_by_key(|loss| std::cmp::Reverse(loss.count));
    losses
}

impl Loss {
    fn of(failure: &Failure, reloads: &Reloads) -> Self {
        let place = reloads.place(failure.at);
        Self {
            count: 1,
            client: failure.client,
            cause: failure.kind,
            phase: failure.phase,
            what: why::outcome(failure),
            why: match failure.marked {
                true => why::cause(failure),
                false => why::OUTSIDE,
            },
            during_reload: failure.marked,
            first_at_ms: whole_millis(failure.at),
            reload: place.as_ref().map(|place| place.reload),
            after: place.and_then(|place| place.after.map(str::to_owned)),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.client == other.client
            && self.what == other.what
            && self.why == other.why
            && self.during_reload == other.during_reload
    }
}

fn percentile(latency: &Histogram, per_mille: u64) -> f64 {
    latency.percentile(per_mille).as_secs_f64() * 1000.0
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind, marked: bool, answered_before: u64) -> Failure {
        Failure {
            marked,
            client: ClientKind::KeepAlive,
            kind,
            phase: Phase::Await,
            at: Duration::from_millis(1500),
            connection_age: Duration::ZERO,
            answered_before,
            status: None,
            worker: None,
            client_port: None,
            detail: String::new(),
        }
    }

    #[test]
    fn equal_losses_are_told_once() {
        let closed = FailureKind::ClosedBeforeResponse;
        let failures = [
            failure(FailureKind::Timeout, true, 0),
            failure(closed, true, 7),
            failure(closed, true, 3),
            failure(closed, true, 0),
            failure(closed, false, 3),
        ];
        let losses = losses(&failures, &Reloads::default());
        let counts: Vec<u64> = losses.iter().map(|loss| loss.count).collect();
        assert_eq!(counts, [2, 1, 1, 1]);
        assert!(losses[0].why.contains("kept connection"));
        assert_eq!(losses[0].first_at_ms, 1500);
        let outside = losses.iter().filter(|loss| loss.why == why::OUTSIDE);
        assert_eq!(outside.count(), 1);
    }
}
