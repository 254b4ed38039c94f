//! Requests that are lost, and connections that are closed, when the workers are replaced under load.

use std::net::IpAddr;
use std::time::Duration;

use rota_bench::load::{ClientKind, Histogram, Load, Report, Running};

use crate::contender::{Contender, Service, Site};
use crate::context::{App, Context, Result};
use crate::node::Node;
use crate::table::{Aim, Row, Section, ratio};

/// The kinds of clients, in the order of the columns.
const KINDS: [ClientKind; 4] = [
    ClientKind::KeepAlive,
    ClientKind::OneShot,
    ClientKind::Idle,
    ClientKind::Slow,
];
/// Clients of each kind: the machine must not be at its limit, or the latency tells about that.
const OF_EACH: usize = 20;
/// The version of Node for whoever is measured with one only.
const USUAL_NODE: u32 = 20;
/// Reloads of managers other than rota: theirs are slow.
const OTHERS_RELOADS: u32 = 20;
/// Latency during reloads may be so much worse.
const AIM_RATIO: f64 = 1.5;

/// One row: a manager with an app and a version of Node.
struct Case<'c> {
    contender: Contender,
    node: &'c Node,
    app: App,
}

/// What reloads did to the clients.
struct Outcome<'c> {
    case: Case<'c>,
    reloads: u32,
    report: Report,
    seconds_per_reload: f64,
}

/// Reloads each contender many times under four kinds of clients at once.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let mut outcomes = Vec::new();
    for case in cases(context) {
        eprintln!("bench:   {}", case.name());
        outcomes.push(run(context, case)?);
    }
    Ok(vec![Section {
        title: "Requests lost by reloads".to_owned(),
        how: format!(
            "{} workers, {} reloads of rota and {} of the others, one after the other; {OF_EACH} clients each of four \
             kinds at once: kept connections without pause, a connection for each request, kept connections with \
             pauses of 50 to 500 ms (requests of 20 ms), and requests of 300 ms on kept connections. An old worker \
             that does not leave is ended after 2 s. Naive apps have no signal code; polite ones close their server \
             on SIGINT and SIGTERM, then exit. Failed by kind of client, in that order; latency of the first three.",
            context.workers,
            reloads(context, Contender::ROTA[0]),
            reloads(context, Contender::BASE),
        ),
        columns: [
            "manager, app, Node",
            "reloads",
            "requests",
            "failed",
            "by client",
            "cut off",
            "closed idle",
            "told to close",
            "p99 ms",
            "in reloads",
            "ratio",
            "s per reload",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: outcomes.iter().map(row).collect(),
        aims: aims(&outcomes),
    }])
}

/// rota with every version of Node and every app, its other modes and the other managers with one version.
fn cases(context: &Context) -> Vec<Case<'_>> {
    let usual = context.nodes.iter().find(|node| node.major == USUAL_NODE);
    let usual = usual.or(context.nodes.first());
    let mut cases = Vec::new();
    for node in &context.nodes {
        cases.extend(context.sample.iter().map(|&app| Case {
            contender: Contender::ROTA[0],
            node,
            app,
        }));
    }
    if let Some(node) = usual {
        let modes = Contender::ROTA[1..].iter().copied();
        let app = context.sample.first().copied();
        let modes = modes.flat_map(|contender| app.map(|app| (contender, app)));
        let others = [Contender::BASE, Contender::Pm2].into_iter();
        let others =
            others.flat_map(|contender| context.sample.iter().map(move |&app| (contender, app)));
        cases.extend(modes.chain(others).map(|(contender, app)| Case {
            contender,
            node,
            app,
        }));
    }
    cases.retain(|case| !Contender::chosen(context, &[case.contender]).is_empty());
    cases
}

fn reloads(context: &Context, contender: Contender) -> u32 {
    let wanted = context.reloads.unwrap_or(context.pick(50, 3));
    match contender.is_rota() {
        true => wanted,
        false => wanted.min(OTHERS_RELOADS),
    }
}

fn run<'c>(context: &'c Context, case: Case<'c>) -> Result<Outcome<'c>> {
    let mut flags = case.contender.equal_patience().to_vec();
    if case.contender.is_rota() {
        // To watch the first new worker for a while only makes reloads rarer.
        flags.extend(["--observe", "0", "--interpreter"]);
        flags.push(
            case.node
                .path
                .to_str()
                .ok_or("the path of Node is not UTF-8")?,
        );
    }
    let service = Site::new(context, case.contender)?
        .with_node(case.node)
        .start_with(case.app.script(), context.workers, &flags)?;
    let load = start_load(&service)?;
    if !load.until_answered_blocking(500, Duration::from_secs(30)) {
        return Err(format!("{}: no answers before the reload", case.name()).into());
    }
    std::thread::sleep(context.pick(Duration::from_secs(10), Duration::from_secs(2)));
    let reloads = reloads(context, case.contender);
    let mut total = Duration::ZERO;
    for _ in 0..reloads {
        load.mark(true);
        total += service.reload()?;
        load.mark(false);
        std::thread::sleep(Duration::from_millis(500));
    }
    // PM2's daemon may still be ending old workers when its command has returned.
    std::thread::sleep(context.pick(Duration::from_secs(3), Duration::from_secs(1)));
    Ok(Outcome {
        case,
        reloads,
        report: load.stop_blocking(),
        seconds_per_reload: total.as_secs_f64() / f64::from(reloads),
    })
}

fn start_load(service: &Service<'_>) -> Result<Running> {
    // From many addresses, for the balancer by address.
    let sources = (1..=20).map(|last| IpAddr::from([127, 0, 1, last]));
    let load = Load::new(service.address())
        .path("/wait?ms=20")
        .sources(sources)
        .timeout(Duration::from_secs(10))
        .keep_alive(OF_EACH)
        .one_shot(OF_EACH)
        .idle(OF_EACH, 50..500)
        .slow(OF_EACH, "/wait?ms=300");
    Ok(load.start()?)
}

impl Case<'_> {
    fn name(&self) -> String {
        let (manager, app) = (self.contender.name(), self.app.name());
        format!("{manager}, {app}, {}", self.node.major)
    }
}

impl Outcome<'_> {
    /// Connections that the server closed, announced or not, under clients that meant to keep them.
    fn closed(&self) -> u64 {
        self.report.closed_idle() + self.report.closed_politely()
    }

    /// The 99th percentile of short requests in milliseconds, during reloads or without.
    fn p99(&self, marked: bool) -> f64 {
        let mut all = Histogram::default();
        for (kind, seen) in &self.report.kinds {
            if *kind != ClientKind::Slow {
                let part = if marked { &seen.marked } else { &seen.unmarked };
                all.merge(&part.latency);
            }
        }
        all.percentile(990).as_secs_f64() * 1000.0
    }
}

fn aims(outcomes: &[Outcome<'_>]) -> Vec<Aim> {
    let rota = || {
        outcomes
            .iter()
            .filter(|outcome| outcome.case.contender.is_rota())
    };
    if rota().next().is_none() {
        return Vec::new();
    }
    let failed: u64 = rota().map(|outcome| outcome.report.failed()).sum();
    let closed: u64 = rota().map(Outcome::closed).sum();
    let slower = rota().filter(|outcome| outcome.p99(true) > AIM_RATIO * outcome.p99(false));
    vec![
        Aim::new(failed == 0, "rota loses no request"),
        Aim::new(closed == 0, "rota closes no connection, idle or not"),
        Aim::new(
            slower.count() == 0,
            format!("with rota p99 during reloads stays within {AIM_RATIO} times of p99 without"),
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn row(outcome: &Outcome<'_>) -> Row {
    let report = &outcome.report;
    let lost = |kind| {
        report
            .kinds
            .get(kind)
            .map_or(0, |seen| seen.lost())
            .to_string()
    };
    let (without, during) = (outcome.p99(false), outcome.p99(true));
    Row {
        name: outcome.case.name(),
        value: report.failed() as f64,
        cells: vec![
            outcome.reloads.to_string(),
            report.requests().to_string(),
            report.failed().to_string(),
            KINDS.iter().map(lost).collect::<Vec<_>>().join("+"),
            report.cut_off().to_string(),
            report.closed_idle().to_string(),
            report.closed_politely().to_string(),
            format!("{without:.1}"),
            format!("{during:.1}"),
            ratio(during, Some(without)),
            format!("{:.1}", outcome.seconds_per_reload),
        ],
    }
}
