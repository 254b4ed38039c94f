//! The result for people.

use rota_api::{Drained, Progress as Event, ProgressKind};
use rota_load::ClientKind;

use super::PAUSE_MS;
use super::target::Aim;
use super::verdict::{Clients, Loss, Verdict};
use crate::args::TestReloadArgs;
use crate::output::{Align, Cell, Column, Ink, Out, Progress, Table, clean, span};

const COLUMNS: [Column; 8] = [
    Column::new("clients", Align::Left, 0),
    Column::new("requests", Align::Right, 3),
    Column::new("failed", Align::Right, 0),
    Column::new("closed idle", Align::Right, 1),
    Column::new("told to close", Align::Right, 2),
    Column::new("p50/p99 ms", Align::Right, 4),
    Column::new("in reloads", Align::Right, 4),
    Column::new("connections", Align::Right, 5),
];

/// So many reloads get a line each.
const SHOWN: usize = 10;

/// The first line of progress.
pub(super) fn begin(app: &str, aim: &Aim, args: &TestReloadArgs) -> String {
    let clients = u32::from(args.concurrency) * 3;
    let times = match args.times {
        1 => "one reload".to_owned(),
        more => format!("{more} reloads"),
    };
    format!(
        "{clients} clients ask {app} for {}; {times} follow",
        aim.url()
    )
}

/// A line of progress.
pub(super) fn note(progress: &mut Progress, app: &str, text: &str) {
    progress.show(&Event {
        kind: ProgressKind::Note,
        app: app.to_owned(),
        slot: None,
        worker: None,
        pid: None,
        step: None,
        text: text.to_owned(),
        drained: None,
    });
}

pub(super) fn render(verdict: &Verdict, out: &Out) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: GET {}",
        out.ink(Ink::Bold, &clean(&verdict.app)),
        clean(&verdict.url)
    )];
    if let Some(status) = verdict.status {
        lines.push(format!(
            "it answers with status {status}; any status below 500 counts as an answer"
        ));
    }
    lines.extend(reloads(verdict));
    lines.push(String::new());
    let mut table = Table::new(&COLUMNS);
    for clients in &verdict.clients {
        table.row(row(clients));
    }
    lines.extend(table.render(out.paint));
    lines.push(String::new());
    for loss in &verdict.lost {
        lines.extend(told(loss, out));
    }
    lines.extend(summary(verdict, out));
    lines
}

/// A line each, unless they are many; then what became of the connections, as the leaving workers told.
fn reloads(verdict: &Verdict) -> Vec<String> {
    let all = &verdict.reloads;
    let mut lines: Vec<String> = Vec::new();
    if all.len() <= SHOWN {
        for (index, reload) in all.iter().enumerate() {
            let (number, time) = (index + 1, span(reload.ms));
            lines.push(format!(
                "reload {number}, {time}: {}",
                clean(&reload.message)
            ));
        }
    } else {
        let time = all.iter().map(|reload| reload.ms).sum();
        lines.push(format!("{} reloads in {}", all.len(), span(time)));
    }
    let mut sum = Drained::default();
    for drained in all.iter().filter_map(|reload| reload.drained.as_ref()) {
        sum.add(drained);
    }
    if sum.workers > 0 {
        lines.push(format!("connections of the old workers: {sum}"));
    }
    lines
}

fn row(clients: &Clients) -> Vec<Cell> {
    let bad = |count: u64| match count {
        0 => Cell::new("0", Ink::Green),
        lost => Cell::new(lost.to_string(), Ink::Red),
    };
    let latency = |side: &super::verdict::Side| format!("{:.1} / {:.1}", side.p50_ms, side.p99_ms);
    vec![
        name(clients.kind).into(),
        clients.requests.to_string().into(),
        bad(clients.failed),
        (clients.during.closed_idle + clients.outside.closed_idle)
            .to_string()
            .into(),
        (clients.during.closed_announced + clients.outside.closed_announced)
            .to_string()
            .into(),
        latency(&clients.outside).into(),
        latency(&clients.during).into(),
        clients.connections.to_string().into(),
    ]
}

fn name(kind: ClientKind) -> String {
    match kind {
        ClientKind::KeepAlive => "keep-alive, no pause".to_owned(),
        ClientKind::OneShot => "a connection per request".to_owned(),
        ClientKind::Idle => format!(
            "keep-alive, pauses of {} to {} ms",
            PAUSE_MS.start, PAUSE_MS.end
        ),
        ClientKind::Slow => "slow requests".to_owned(),
    }
}

fn told(loss: &Loss, out: &Out) -> Vec<String> {
    let when = match (loss.reload, loss.during_reload) {
        (Some(reload), true) => format!("the first in reload {reload}"),
        (Some(reload), false) => format!("the first after reload {reload}"),
        (None, _) => "the first before any reload".to_owned(),
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a test are far below 2^52"
    )]
    let at = loss.first_at_ms as f64 / 1000.0;
    let what = format!("{} lost: {}", loss.count, clean(&loss.what));
    let mut lines = vec![format!(
        "{} ({}; {when} at {at:.3} s)",
        out.ink(Ink::Red, &what),
        name(loss.client)
    )];
    if let (Some(after), true) = (&loss.after, loss.during_reload) {
        lines.push(format!("  after: {}", clean(after)));
    }
    lines.push(format!("  why: {}", loss.why));
    lines
}

fn summary(verdict: &Verdict, out: &Out) -> Vec<String> {
    let reloads = verdict.reloads.iter().filter(|reload| reload.ok).count();
    let of = match reloads {
        1 => "one reload".to_owned(),
        more => format!("{more} reloads"),
    };
    let mut lines = vec![match verdict.failed {
        0 => format!(
            "{}: {} requests, {of}",
            out.ink(Ink::Green, "nothing was lost"),
            verdict.requests
        ),
        lost => out.ink(
            Ink::Red,
            &format!("{lost} of {} requests were lost in {of}", verdict.requests),
        ),
    }];
    let closed = verdict
        .clients
        .iter()
        .map(|clients| clients.outside.closed_idle);
    let closed: u64 = closed.sum();
    if closed > 0 {
        lines.push(format!(
            "{closed} idle connections were closed without a reload: the app's keep-alive timeout is shorter than the \
             clients' pauses"
        ));
    }
    lines
}
