//! `rota list`.

use rota_api::{AppStatus, AppView, ExitCode, WorkerView};

use crate::args::ListArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Align, Cell, Column, Ink, Paint, Table, bytes, clean, span};

const COLUMNS: [Column; 10] = [
    column("id", Align::Right, 0),
    column("name", Align::Left, 0),
    column("mode", Align::Left, 7),
    column("pid", Align::Right, 2),
    column("status", Align::Left, 1),
    column("restarts", Align::Right, 5),
    column("uptime", Align::Right, 3),
    column("cpu", Align::Right, 6),
    column("mem", Align::Right, 4),
    column("conns", Align::Right, 8),
];

const fn column(title: &'static str, align: Align, rank: u8) -> Column {
    Column { title, align, rank }
}

pub(super) fn run(context: &Context, args: &ListArgs) -> Done {
    let list =
        context.block_on(async { Ok(context.client().await?.apps(&args.targets).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&list)?;
    } else if list.apps.is_empty() {
        out.line("no apps; `rota start SCRIPT` starts one")?;
    } else {
        for line in table(&list.apps).render(out.paint) {
            out.line(&line)?;
        }
        for line in notes(&list.apps, out.paint) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// The workers of these apps.
pub(super) fn table(apps: &[AppView]) -> Table {
    let mut table = Table::new(&COLUMNS);
    for app in apps {
        for worker in &app.workers {
            table.row(row(app, worker));
        }
    }
    table
}

fn row(app: &AppView, worker: &WorkerView) -> Vec<Cell> {
    let text = |value: Option<String>| match value {
        Some(text) => Cell::new(text, Ink::Plain),
        None => Cell::new("-", Ink::Dim),
    };
    let status = match worker.next_restart_in_ms {
        Some(millis) => format!("{} {}", worker.status, span(millis)),
        None => worker.status.to_string(),
    };
    vec![
        worker.id.to_string().into(),
        Cell::new(&app.name, Ink::Bold),
        (&app.mode).into(),
        text(worker.pid.map(|pid| pid.to_string())),
        Cell::new(status, worker.status.into()),
        worker.restarts.to_string().into(),
        text(worker.uptime_ms.map(span)),
        text(worker.cpu.map(|cpu| format!("{cpu:.0}%"))),
        text(worker.memory.map(bytes)),
        text(worker.connections.map(|count| count.to_string())),
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
        let lines = table(&apps()).render(Paint::PLAIN).join("\n");
        assert_eq!(
            lines,
            "\
id  name   mode      pid  status              restarts  uptime  cpu    mem  conns
 0  api    cluster  4711  online                     0   2h 5m   3%  58.2M     17
 1  api    cluster  4712  draining                   3      5s   0%    61M      0
 2  queue  fork        -  waiting restart 5s         7       -    -      -      -"
        );
    }

    #[test]
    fn a_narrow_terminal_keeps_what_matters() {
        let at = |columns| {
            let paint = Paint {
                colour: false,
                columns: Some(columns),
            };
            table(&apps()).render(paint)
        };
        assert_eq!(
            at(60)[1],
            " 0  api    4711  online                     0   2h 5m  58.2M"
        );
        assert_eq!(at(30)[1], " 0  api    online");
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
    fn what_is_going_on_stands_below() {
        assert_eq!(
            notes(&apps(), Paint::PLAIN),
            [
                "api is being reloaded: step 2 of 2, draining",
                "queue keeps crashing (rota describe queue)",
            ]
        );
    }
}
