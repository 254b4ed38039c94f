//! `rota list`.

use rota_api::{AppStatus, AppView, ExitCode, InsideView, WorkerStatus, WorkerView};

use super::version;
use crate::args::ListArgs;
use crate::context::{Context, remark};
use crate::failure::Done;
use crate::output::{
    Align, Cell, Column, Ink, Paint, Table, bytes, clean, millis, rate, span, survivors,
};

const COLUMNS: [Column; 13] = [
    Column::new("id", Align::Right, 0),
    Column::new("name", Align::Left, 0),
    Column::new("mode", Align::Left, 11),
    Column::new("pid", Align::Right, 2),
    Column::new("status", Align::Left, 1),
    Column::new("restarts", Align::Right, 6),
    Column::new("uptime", Align::Right, 3),
    Column::new("cpu", Align::Right, 5),
    Column::new("mem", Align::Right, 4),
    Column::new("conns", Align::Right, 10),
    Column::new("req/s", Align::Right, 7),
    Column::new("p99", Align::Right, 8),
    Column::new("lag", Align::Right, 9),
];
/// The last ones come from inside of workers: without any figure they are no use on a terminal.
const FROM_OUTSIDE: usize = 10;

pub(super) fn run(context: &Context, args: &ListArgs) -> Done {
    let (list, hint) = context.block_on(async {
        let mut client = context.client().await?;
        let list = client.apps(&args.targets).await?;
        let hint = match context.talks() && !args.json {
            // The list is what was asked for; the hint may be missing.
            true => client.version().await.ok(),
            false => None,
        };
        Ok((
            list,
            hint.and_then(|daemon| version::difference(&daemon.version)),
        ))
    })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&list)?;
    } else if list.apps.is_empty() {
        out.line("no apps; `rota start SCRIPT` starts one")?;
    } else {
        for line in table(&list.apps, out.paint).render(out.paint) {
            out.line(&line)?;
        }
        for line in notes(&list.apps, out.paint) {
            out.line(&line)?;
        }
    }
    if !args.json {
        for line in survivors(&list.survivors) {
            let line = out.paint.apply(Ink::Yellow, &line);
            out.line(&line)?;
        }
    }
    out.flush()?;
    if let Some(hint) = hint {
        remark(&hint);
    }
    Ok(ExitCode::Ok)
}

/// The workers of these apps. What is not a terminal gets every column.
pub(crate) fn table(apps: &[AppView], paint: Paint) -> Table {
    let workers = || apps.iter().flat_map(|app| &app.workers);
    let all = paint.columns.is_none() || workers().any(|worker| fresh(worker).is_some());
    let width = if all { COLUMNS.len() } else { FROM_OUTSIDE };
    let mut table = Table::new(&COLUMNS[..width]);
    for app in apps {
        for worker in &app.workers {
            let mut cells = row(app, worker);
            cells.truncate(width);
            table.row(cells);
        }
    }
    table
}

/// Its figures from inside, unless they are old.
fn fresh(worker: &WorkerView) -> Option<&InsideView> {
    worker.inside.as_ref().filter(|inside| !inside.stale)
}

/// Its state in a word or two; that it is unhealthy by its own word matters more than that it is online.
fn status(worker: &WorkerView) -> Cell {
    let unhealthy = worker.health.as_ref().is_some_and(|health| !health.ok);
    if unhealthy && worker.status == WorkerStatus::Online {
        return Cell::new("unhealthy", Ink::Red);
    }
    let text = match worker.next_restart_in_ms {
        Some(millis) => format!("{} {}", worker.status, span(millis)),
        None => worker.status.to_string(),
    };
    Cell::new(text, worker.status.into())
}

fn row(app: &AppView, worker: &WorkerView) -> Vec<Cell> {
    let text = |value: Option<String>| match value {
        Some(text) => Cell::new(text, Ink::Plain),
        None => Cell::new("-", Ink::Dim),
    };
    let inside = fresh(worker);
    let http = inside
        .map(|inside| &inside.http)
        .filter(|http| http.requests_total > 0);
    let latency = http.and_then(|http| http.latency.as_ref());
    vec![
        worker.id.to_string().into(),
        Cell::new(&app.name, Ink::Bold),
        (&app.mode).into(),
        text(worker.pid.map(|pid| pid.to_string())),
        status(worker),
        worker.restarts.to_string().into(),
        text(worker.uptime_ms.map(span)),
        text(worker.cpu.map(|cpu| format!("{cpu:.0}%"))),
        text(worker.memory.map(bytes)),
        text(worker.connections.map(|count| count.to_string())),
        text(http.and_then(|http| http.requests_per_second).map(rate)),
        text(latency.map(|latency| millis(latency.p99_ms))),
        text(inside.map(|inside| millis(inside.event_loop.delay_p99_ms))),
    ]
}

/// Sentences below the table: what is going on, and what is wrong.
fn notes(apps: &[AppView], paint: Paint) -> Vec<String> {
    let mut notes = Vec::new();
    for app in apps {
        let name = clean(&app.name);
        if let Some(rollout) = &app.rollout {
            let text = format!(
                "{name} is being reloaded: step {} of {}, {}",
                rollout.step,
                rollout.steps,
                clean(&rollout.phase)
            );
            notes.push((Ink::Yellow, text));
        }
        if let Some(reason) = &app.errored_reason {
            let text = format!(
                "{name} is errored: {} (rota describe {name})",
                clean(reason)
            );
            notes.push((Ink::Red, text));
        } else if app.status == AppStatus::WaitingRestart {
            let text = format!("{name} keeps crashing (rota describe {name})");
            notes.push((Ink::Red, text));
        }
        notes.extend(app.workers.iter().filter_map(|worker| {
            let reason = worker.health.as_ref().filter(|health| !health.ok)?;
            let reason = clean(reason.reason.as_deref().unwrap_or("no reason given"));
            let text = format!("{name}:{} says that it is unhealthy: {reason}", worker.slot);
            Some((Ink::Red, text))
        }));
    }
    let fit = |text: String| match paint.columns {
        Some(columns) => crate::output::cut(&text, columns).into_owned(),
        None => text,
    };
    notes
        .into_iter()
        .map(|(ink, text)| paint.apply(ink, &fit(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps() -> Vec<AppView> {
        serde_json::from_str(include_str!("../../testdata/apps.json")).unwrap()
    }

    #[test]
    fn a_pipe_gets_all_columns() {
        let lines = table(&apps(), Paint::PLAIN).render(Paint::PLAIN).join("\n");
        assert_eq!(
            lines,
            "\
id  name   mode      pid  status              restarts  uptime  cpu    mem  conns  req/s    p99    lag
 0  api    cluster  4711  unhealthy                  0   2h 5m   3%  58.2M     17    123  8.1ms  2.3ms
 1  api    cluster  4712  draining                   3      5s   0%    61M      0      -      -      -
 2  queue  fork        -  waiting restart 5s         7       -    -      -      -      -      -      -"
        );
    }

    #[test]
    fn a_narrow_terminal_keeps_what_matters() {
        let at = |columns| {
            let paint = Paint {
                colour: false,
                columns: Some(columns),
            };
            table(&apps(), paint).render(paint)
        };
        assert_eq!(
            at(60)[1],
            " 0  api    4711  unhealthy            2h 5m   3%  58.2M"
        );
        assert_eq!(at(30)[1], " 0  api    unhealthy");
        for columns in 20..120 {
            assert!(
                at(columns)
                    .iter()
                    .all(|line| line.chars().count() <= columns),
                "{columns}"
            );
        }
    }

    #[test]
    fn a_terminal_gets_no_columns_without_a_figure() {
        let wide = Paint {
            colour: false,
            columns: Some(200),
        };
        let mut apps = apps();
        assert!(table(&apps, wide).render(wide)[0].ends_with("conns  req/s    p99    lag"));
        let inside = apps[0].workers[0].inside.as_mut().unwrap();
        inside.stale = true;
        assert!(table(&apps, wide).render(wide)[0].ends_with("conns"));
    }

    #[test]
    fn what_is_going_on_stands_below() {
        assert_eq!(
            notes(&apps(), Paint::PLAIN),
            [
                "api is being reloaded: step 2 of 2, draining",
                "api:0 says that it is unhealthy: database is gone",
                "queue keeps crashing (rota describe queue)",
            ]
        );
    }
}
