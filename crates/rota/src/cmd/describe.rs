//! `rota describe`.

use rota_api::{AppView, ExitCode, FailureView, LastExit, SettingsView, WorkerView};

use super::list;
use crate::args::DescribeArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Ink, Paint, clean, since, span};

pub(super) fn run(context: &Context, args: &DescribeArgs) -> Done {
    let list =
        context.block_on(async { Ok(context.client().await?.apps(&args.targets).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&list)?;
    } else {
        for (index, app) in list.apps.iter().enumerate() {
            if index > 0 {
                out.line("")?;
            }
            for line in render(app, out.paint) {
                out.line(&line)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// Lines `key  value`, collected.
struct Sheet {
    paint: Paint,
    lines: Vec<String>,
}

impl Sheet {
    fn row(&mut self, key: &str, value: impl AsRef<str>) {
        let key = self.paint.apply(Ink::Dim, &format!("  {key:<18}"));
        self.lines.push(format!("{key}{}", clean(value.as_ref())));
    }

    fn title(&mut self, text: &str) {
        self.lines.push(self.paint.apply(Ink::Bold, text));
    }
}

fn render(app: &AppView, paint: Paint) -> Vec<String> {
    let mut sheet = Sheet {
        paint,
        lines: Vec::new(),
    };
    let status = paint.apply(app.status.into(), app.status.as_str());
    sheet.lines.push(format!(
        "{} is {status}",
        paint.apply(Ink::Bold, &clean(&app.name))
    ));
    basics(&mut sheet, app);
    settings(&mut sheet, app);
    if let Some(failure) = &app.last_failure {
        last_failure(&mut sheet, failure);
    }
    sheet.title("workers");
    let table = list::table(std::slice::from_ref(app)).render(Paint {
        columns: paint.columns.map(|columns| columns.saturating_sub(2)),
        ..paint
    });
    sheet
        .lines
        .extend(table.into_iter().map(|line| format!("  {line}")));
    for worker in &app.workers {
        remarks(&mut sheet, worker);
    }
    sheet.lines
}

fn basics(sheet: &mut Sheet, app: &AppView) {
    let mut command = vec![app.script.clone()];
    command.extend(app.args.iter().cloned());
    sheet.row("script", command.join(" "));
    if let Some(interpreter) = &app.interpreter {
        let mut words = vec![interpreter.clone()];
        words.extend(app.settings.interpreter_args.iter().cloned());
        sheet.row("interpreter", words.join(" "));
    }
    sheet.row("working directory", &app.cwd);
    sheet.row("mode", mode(app));
    if app.namespace != "default" {
        sheet.row("namespace", &app.namespace);
    }
    sheet.row("instances", app.instances.to_string());
    if !app.listening.is_empty() {
        sheet.row("listens on", app.listening.join(", "));
    }
    sheet.row("generation", app.generation.to_string());
    sheet.row("created", format!("{} ago", since(app.created_at)));
    if let Some(rollout) = &app.rollout {
        let text = format!(
            "step {} of {}, {}",
            rollout.step, rollout.steps, rollout.phase
        );
        sheet.row("reloading", text);
    }
    if let Some(reason) = &app.errored_reason {
        sheet.row("errored", reason);
    }
}

fn mode(app: &AppView) -> String {
    match app.mode.as_str() {
        "cluster" => format!("cluster, {}", app.balance),
        other => other.to_owned(),
    }
}

fn settings(sheet: &mut Sheet, app: &AppView) {
    let settings = &app.settings;
    sheet.row("ready", readiness(settings));
    sheet.row("observed for", span(settings.observe_ms));
    sheet.row(
        "stopped by",
        format!(
            "{} after draining for up to {}, SIGKILL {} later",
            settings.stop_signal,
            span(settings.drain_timeout_ms),
            span(settings.kill_timeout_ms)
        ),
    );
    sheet.row("restarted", restarts(settings));
    if !settings.listen.is_empty() {
        sheet.row("handed sockets", settings.listen.join(", "));
    }
}

fn readiness(settings: &SettingsView) -> String {
    let limit = span(settings.listen_timeout_ms);
    match (&settings.probe, settings.wait_ready) {
        (Some(probe), true) => format!("by its own word and {probe}, within {limit}"),
        (Some(probe), false) => format!("when {probe} answers, within {limit}"),
        (None, true) => format!("by its own word, within {limit}"),
        (None, false) => format!("within {limit}"),
    }
}

fn restarts(settings: &SettingsView) -> String {
    if !settings.autorestart {
        return "never".to_owned();
    }
    let mut text = format!(
        "up to {} times in a row when it lived for less than {}",
        settings.max_restarts,
        span(settings.min_uptime_ms)
    );
    if settings.restart_delay_ms > 0 {
        text.push_str(&format!(", {} later", span(settings.restart_delay_ms)));
    }
    if !settings.stop_exit_codes.is_empty() {
        let codes: Vec<String> = settings
            .stop_exit_codes
            .iter()
            .map(i32::to_string)
            .collect();
        text.push_str(&format!(", not after exit code {}", codes.join(" or ")));
    }
    text
}

fn last_failure(sheet: &mut Sheet, failure: &FailureView) {
    sheet.title("last failure");
    sheet.row(
        "what",
        format!(
            "worker {}: {} after {}, {} ago",
            failure.slot,
            failure.status,
            span(failure.after_ms),
            since(failure.at)
        ),
    );
    if !failure.reason.is_empty() {
        sheet.row("why", &failure.reason);
    }
    for line in &failure.stderr {
        let bar = sheet.paint.apply(Ink::Red, "|");
        sheet.lines.push(format!("  {bar} {}", clean(line)));
    }
}

/// What the table has no room for.
fn remarks(sheet: &mut Sheet, worker: &WorkerView) {
    let mut parts = Vec::new();
    if let Some(number) = worker.worker {
        parts.push(format!(
            "worker number {number}, generation {}",
            worker.generation
        ));
    }
    if let Some(total) = worker.connections_total {
        parts.push(format!("{total} connections so far"));
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
    if let Some(text) = &worker.status_text {
        parts.push(format!("says: {text}"));
    }
    if !parts.is_empty() {
        sheet.row(&format!("id {}", worker.id), parts.join("; "));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What changes with the clock is replaced.
    fn rendered(index: usize) -> String {
        let apps: Vec<AppView> =
            serde_json::from_str(include_str!("../../testdata/apps.json")).unwrap();
        let ago = since(apps[index].created_at);
        let failed = since(1_700_000_100_000);
        render(&apps[index], Paint::PLAIN)
            .join("\n")
            .replace(&format!("{ago} ago"), "AGO")
            .replace(&format!("{failed} ago"), "AGO")
    }

    #[test]
    fn a_cluster_app() {
        assert_eq!(
            rendered(0),
            "\
api is reloading
  script            app.js --verbose
  interpreter       /usr/bin/node --no-warnings
  working directory /srv/api
  mode              cluster, round-robin
  instances         2
  listens on        [::]:3000
  generation        3
  created           AGO
  reloading         step 2 of 2, draining
  ready             within 30s
  observed for      3s
  stopped by        SIGTERM after draining for up to 30s, SIGKILL 5s later
  restarted         up to 16 times in a row when it lived for less than 1s
workers
  id  name  mode      pid  status    restarts  uptime  cpu    mem  conns
   0  api   cluster  4711  online           0   2h 5m   3%  58.2M     17
   1  api   cluster  4712  draining         3      5s   0%    61M      0
  id 0              worker number 5, generation 3; 40021 connections so far
  id 1              worker number 4, generation 2; 312 connections so far; says: saying goodbye"
        );
    }

    #[test]
    fn a_crashing_app() {
        assert_eq!(
            rendered(1),
            "\
queue is waiting restart
  script            queue.py
  interpreter       /usr/bin/python3
  working directory /srv/api
  mode              fork
  instances         1
  generation        1
  created           AGO
  ready             when http://localhost:8080/health answers, within 30s
  observed for      3s
  stopped by        SIGTERM after draining for up to 30s, SIGKILL 5s later
  restarted         up to 16 times in a row when it lived for less than 1s, not after exit code 0 or 143
  handed sockets    web=8080
last failure
  what              worker 0: exit code 1 after 220ms, AGO
  why               restarting in 5s
  | Traceback (most recent call last):
  | ModuleNotFoundError: No module named 'x'
workers
  id  name   mode  pid  status              restarts  uptime  cpu  mem  conns
   2  queue  fork    -  waiting restart 5s         7       -    -    -      -
  id 2              unstable 4 times in a row; last exit: code 1 after 220ms"
        );
    }
}
