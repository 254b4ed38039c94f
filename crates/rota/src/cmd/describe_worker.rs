//! One worker of `rota describe`: what the table has no room for.

use rota_api::{HeldBy, HeldView, HttpView, InsideView, LastExit, ProcessView, WorkerView};

use super::sheet::Sheet;
use crate::output::{Ink, bytes, millis, rate, since, span};

pub(super) fn worker(sheet: &mut Sheet, worker: &WorkerView) {
    sheet.title(&match worker.worker {
        Some(_) => format!("worker {} (id {})", worker.slot, worker.id),
        None => format!("slot {} (id {})", worker.slot, worker.id),
    });
    history(sheet, worker);
    health(sheet, worker);
    match &worker.inside {
        Some(inside) if inside.stale => {
            let text = format!("none for {}", span(inside.age_ms));
            sheet.row_in(Ink::Yellow, "sign of life", &text);
        }
        Some(inside) => {
            http(sheet, &inside.http);
            inside_of(sheet, inside);
        }
        None => {}
    }
    memory(sheet, worker);
    if let Some(held) = &worker.held {
        held_by(sheet, held);
    }
    if let Some(process) = &worker.process {
        process_of(sheet, process);
    }
    if let Some(inside) = worker.inside.as_ref().filter(|inside| !inside.stale) {
        own(sheet, "gauges", &inside.gauges);
        own(sheet, "counters", &inside.counters);
    }
}

fn history(sheet: &mut Sheet, worker: &WorkerView) {
    let mut parts = Vec::new();
    if let Some(number) = worker.worker {
        parts.push(format!(
            "number {number} of generation {}",
            worker.generation
        ));
    }
    if worker.unstable_restarts > 0 {
        parts.push(format!(
            "unstable {} times in a row",
            worker.unstable_restarts
        ));
    }
    if let Some(exit) = &worker.last_exit {
        parts.push(format!("last exit: {}", exit_text(exit)));
    }
    sheet.parts("process", &parts);
    if let Some(reason) = &worker.shortage {
        sheet.row_in(Ink::Yellow, "cannot start", reason);
    }
    if let Some(text) = &worker.status_text {
        sheet.row("says", text);
    }
    connections(sheet, worker);
}

fn connections(sheet: &mut Sheet, worker: &WorkerView) {
    let mut parts = Vec::new();
    let inside = worker.inside.as_ref().filter(|inside| !inside.stale);
    let open = worker
        .connections
        .or(inside.map(|inside| inside.connections));
    if let Some(open) = open {
        parts.push(format!("{open} open"));
    }
    if let Some(pending) = worker.pending.filter(|pending| *pending > 0) {
        parts.push(format!("{pending} not yet taken"));
    }
    if let Some(total) = worker.connections_total {
        parts.push(format!("{total} so far"));
    }
    sheet.parts("connections", &parts);
}

fn health(sheet: &mut Sheet, worker: &WorkerView) {
    let Some(health) = &worker.health else { return };
    let for_so_long = since(health.since);
    if health.ok {
        return sheet.row("health", format!("well for {for_so_long}, as it says"));
    }
    let mut text = format!("unhealthy for {for_so_long}");
    if let Some(reason) = &health.reason {
        text.push_str(": ");
        text.push_str(reason);
    }
    if let Some(code) = health.code {
        text.push_str(&format!(" (code {code})"));
    }
    sheet.row_in(Ink::Red, "health", &text);
}

fn http(sheet: &mut Sheet, http: &HttpView) {
    if http.requests_total == 0 {
        return;
    }
    let mut parts = Vec::new();
    if let Some(per_second) = http.requests_per_second {
        parts.push(format!("{}/s", rate(per_second)));
    }
    parts.push(format!("{} so far", http.requests_total));
    parts.push(format!("{} in flight", http.requests_in_flight));
    if http.requests_aborted > 0 {
        parts.push(format!("{} aborted", http.requests_aborted));
    }
    sheet.parts("requests", &parts);
    if let Some(latency) = &http.latency {
        let parts = [
            format!("p50 {}", millis(latency.p50_ms)),
            format!("p95 {}", millis(latency.p95_ms)),
            format!("p99 {}", millis(latency.p99_ms)),
            format!(
                "max {} (of {} in the last {})",
                millis(latency.max_ms),
                latency.count,
                span(latency.window_ms)
            ),
        ];
        sheet.parts("response time", &parts);
    }
    responses(sheet, http);
}

fn responses(sheet: &mut Sheet, http: &HttpView) {
    let responses = &http.responses;
    let classes = [
        ("1xx", responses.informational),
        ("2xx", responses.success),
        ("3xx", responses.redirection),
        ("4xx", responses.client_error),
        ("5xx", responses.server_error),
    ];
    let mut parts: Vec<String> = classes
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    let mut sent = format!("{} sent", bytes(http.sent_bytes));
    if let Some(per_second) = http.sent_bytes_per_second {
        // Saturates: what is a number here was bounded when it came.
        sent.push_str(&format!(", {}/s", bytes(per_second as u64)));
    }
    parts.push(sent);
    sheet.parts("responses", &parts);
}

fn inside_of(sheet: &mut Sheet, inside: &InsideView) {
    let event_loop = &inside.event_loop;
    let parts = [
        format!("{:.0}% busy", event_loop.utilization * 100.0),
        format!("delay p50 {}", millis(event_loop.delay_p50_ms)),
        format!("p99 {}", millis(event_loop.delay_p99_ms)),
        format!("max {}", millis(event_loop.delay_max_ms)),
        format!("{} handles", inside.handles),
    ];
    sheet.parts("event loop", &parts);
    let collections: Vec<String> = inside
        .gc
        .iter()
        .filter(|(_, gc)| gc.count > 0)
        .map(|(kind, gc)| format!("{} {kind} in {}", gc.count, millis(gc.total_ms)))
        .collect();
    sheet.parts("gc", &collections);
    if inside.inspector_open {
        sheet.row_in(Ink::Yellow, "inspector", "open");
    }
}

fn memory(sheet: &mut Sheet, worker: &WorkerView) {
    let mut parts = Vec::new();
    if let Some(resident) = worker.memory {
        parts.push(format!("{} resident", bytes(resident)));
    }
    if let Some(inside) = worker.inside.as_ref().filter(|inside| !inside.stale) {
        let heap = &inside.heap;
        let mut text = format!(
            "heap {} of {}",
            bytes(heap.used_bytes),
            bytes(heap.total_bytes)
        );
        if heap.limit_bytes > 0 {
            text.push_str(&format!(" (limit {})", bytes(heap.limit_bytes)));
        }
        parts.push(text);
        parts.push(format!("{} external", bytes(heap.external_bytes)));
    }
    sheet.parts("memory", &parts);
}

fn process_of(sheet: &mut Sheet, process: &ProcessView) {
    let mut parts = vec![
        format!("{}s user", seconds(process.cpu_user_seconds)),
        format!("{}s system", seconds(process.cpu_system_seconds)),
        format!("{} threads", process.threads),
    ];
    match (process.open_files, process.open_files_limit) {
        (Some(open), Some(limit)) => parts.push(format!("{open} of {limit} files open")),
        (Some(open), None) => parts.push(format!("{open} files open")),
        (None, _) => {}
    }
    sheet.parts("used", &parts);
}

fn held_by(sheet: &mut Sheet, held: &HeldView) {
    match (held.by, &held.cgroup) {
        (HeldBy::Cgroup, Some(path)) => {
            let mut parts = vec![format!("cgroup {path}")];
            if let Some(processes) = held.processes {
                let word = if processes == 1 {
                    "process"
                } else {
                    "processes"
                };
                parts.push(format!("{processes} {word}"));
            }
            if let Some(memory) = held.memory {
                parts.push(format!("{} of memory", bytes(memory)));
            }
            sheet.parts("held by", &parts);
        }
        (HeldBy::ProcessGroup, _) => {
            let why = held.why.as_ref().map(|why| format!(" ({why})"));
            let why = why.unwrap_or_default();
            sheet.row("held by", format!("process group and session{why}"));
        }
        _ => {}
    }
}

fn own(sheet: &mut Sheet, key: &str, values: &std::collections::BTreeMap<String, f64>) {
    let parts: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    sheet.parts(key, &parts);
}

fn seconds(seconds: f64) -> String {
    match seconds {
        small if small < 100.0 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}

fn exit_text(exit: &LastExit) -> String {
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => signal.clone(),
        (None, None) => "unknown".to_owned(),
    };
    format!("{how} after {}", span(exit.after_ms))
}
