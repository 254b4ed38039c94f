//! Requests that are lost when the workers are replaced under load.

use std::collections::BTreeMap;
use std::time::Duration;

use rota_bench::load::{ClientKind, FailureKind, Load, Report};

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::table::{Aim, Row, Section};

/// The clients of this measure.
const KINDS: [ClientKind; 3] = [ClientKind::KeepAlive, ClientKind::OneShot, ClientKind::Idle];

/// What reloads did to the clients.
struct Outcome {
    report: Report,
    seconds_per_reload: f64,
}

/// Reloads each contender several times under keep-alive, one-shot and pausing clients.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let plain = [
        Contender::ROTA[0],
        Contender::ROTA[1],
        Contender::ROTA[2],
        Contender::ROTA[3],
        Contender::BASE,
        Contender::Pm2,
    ];
    let mut cases: Vec<(Contender, &str)> = plain
        .iter()
        .map(|&contender| (contender, "server.js"))
        .collect();
    cases.extend([Contender::ROTA[0], Contender::Pm2].map(|contender| (contender, "graceful.js")));
    cases.retain(|(contender, _)| !Contender::chosen(context, &[*contender]).is_empty());
    let mut rows = Vec::new();
    let mut lost_by_rota: BTreeMap<ClientKind, u64> = BTreeMap::new();
    for (contender, script) in cases {
        let outcome = reloads(context, contender, script)?;
        if contender.is_rota() {
            for kind in KINDS {
                *lost_by_rota.entry(kind).or_default() += lost(&outcome.report, kind);
            }
        }
        rows.push(row(contender, script, &outcome));
    }
    let aims = lost_by_rota
        .into_iter()
        .map(|(kind, lost)| {
            Aim::new(
                lost == 0,
                format!("rota loses no request of {}", clients(kind)),
            )
        })
        .collect();
    Ok(vec![Section {
        title: format!("Requests lost by {} reloads", times(context)),
        how: format!(
            "{} workers; 50 keep-alive clients, 50 that connect for every request, 20 that pause for 50 to 500 ms; \
             requests of 20 ms; an old worker that does not leave is ended after 2 s. graceful.js handles SIGINT and \
             SIGTERM with server.close().",
            context.workers
        ),
        columns: [
            "manager",
            "requests",
            "lost keep-alive",
            "lost one-shot",
            "lost pausing",
            "refused",
            "reset",
            "closed",
            "timeout",
            "s per reload",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
        aims,
    }])
}

fn lost(report: &Report, kind: ClientKind) -> u64 {
    report
        .kinds
        .get(&kind)
        .map_or(0, |kind| kind.failed.values().sum())
}

fn clients(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::OneShot => "clients that connect for every request",
        ClientKind::Idle => "clients that pause",
        ClientKind::KeepAlive | ClientKind::Slow => "clients that never pause on a kept connection",
    }
}

fn times(context: &Context) -> u32 {
    context.pick(5, 1)
}

fn reloads(context: &Context, contender: Contender, script: &str) -> Result<Outcome> {
    let service =
        Site::new(context, contender)?.start_with_equal_patience(script, context.workers)?;
    let load = Load::new(service.address())
        .path("/wait?ms=20")
        .timeout(Duration::from_secs(10))
        .keep_alive(50)
        .one_shot(50)
        .idle(20, 50..500)
        .start()?;
    if !load.until_answered_blocking(500, Duration::from_secs(30)) {
        return Err(format!("{}: no answers before the reload", contender.name()).into());
    }
    let mut total = Duration::ZERO;
    for _ in 0..times(context) {
        total += service.reload()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    // PM2's daemon may still be ending old workers when its command has returned.
    std::thread::sleep(context.pick(Duration::from_secs(3), Duration::from_secs(1)));
    Ok(Outcome {
        report: load.stop_blocking(),
        seconds_per_reload: total.as_secs_f64() / f64::from(times(context)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn row(contender: Contender, script: &str, outcome: &Outcome) -> Row {
    let by_kind = outcome.report.failed_by_kind();
    let count = |kinds: &[FailureKind]| {
        let sum: u64 = kinds.iter().filter_map(|kind| by_kind.get(kind)).sum();
        sum.to_string()
    };
    Row {
        name: format!("{} ({script})", contender.name()),
        value: outcome.report.failed() as f64,
        cells: vec![
            outcome.report.requests().to_string(),
            lost(&outcome.report, ClientKind::KeepAlive).to_string(),
            lost(&outcome.report, ClientKind::OneShot).to_string(),
            lost(&outcome.report, ClientKind::Idle).to_string(),
            count(&[FailureKind::ConnectRefused, FailureKind::ConnectFailed]),
            count(&[FailureKind::Reset]),
            count(&[
                FailureKind::ClosedBeforeResponse,
                FailureKind::ClosedMidResponse,
                FailureKind::Malformed,
                FailureKind::BadStatus,
            ]),
            count(&[FailureKind::Timeout]),
            format!("{:.1}", outcome.seconds_per_reload),
        ],
    }
}
