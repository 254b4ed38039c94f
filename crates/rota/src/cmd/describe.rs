//! `rota describe`.

use rota_api::{AppView, ExitCode, LimitsView, SettingsView};

use super::sheet::Sheet;
use super::{describe_logs, describe_renewal, describe_settings, describe_worker, list, story};
use crate::args::DescribeArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Ink, Paint, bytes, clean, since, span};

pub(crate) fn run(context: &Context, args: &DescribeArgs) -> Done {
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

fn render(app: &AppView, paint: Paint) -> Vec<String> {
    let mut sheet = Sheet::new(paint);
    let status = paint.apply(app.status.into(), app.status.as_str());
    sheet.lines.push(format!(
        "{} is {status}",
        paint.apply(Ink::Bold, &clean(&app.name))
    ));
    basics(&mut sheet, app);
    settings(&mut sheet, app);
    story::tell(&mut sheet, app);
    sheet.title("workers");
    let narrow = Paint {
        columns: paint.columns.map(|columns| columns.saturating_sub(2)),
        ..paint
    };
    let table = list::table(std::slice::from_ref(app), narrow).render(narrow);
    sheet
        .lines
        .extend(table.into_iter().map(|line| format!("  {line}")));
    for worker in &app.workers {
        describe_worker::worker(&mut sheet, worker);
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
    sheet.parts("replaced at", &limits(&settings.limits));
    if let Some(renewal) = &app.renewal {
        describe_renewal::tell(sheet, renewal);
    }
    describe_settings::tell(sheet, settings);
    if let Some(logs) = &settings.logs {
        describe_logs::tell(sheet, logs);
    }
    if !settings.listen.is_empty() {
        sheet.row("handed sockets", settings.listen.join(", "));
    }
}

fn limits(limits: &LimitsView) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(memory) = limits.max_memory_bytes {
        parts.push(format!("{} of memory", bytes(memory)));
    }
    if let Some(requests) = limits.max_requests {
        parts.push(format!("{requests} requests"));
    }
    if let Some(age) = limits.max_age_ms {
        parts.push(format!("an age of {}", span(age)));
    }
    parts
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
    if let Some(first) = settings.backoff_ms {
        text.push_str(&format!(
            ", after a pause that grows from {} to 15s",
            span(first)
        ));
    } else if settings.restart_delay_ms > 0 {
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
            .replace(&format!("for {failed}:"), "for AGO:")
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
  id  name  mode      pid  status     restarts  uptime  cpu    mem  conns  req/s    p99    lag
   0  api   cluster  4711  unhealthy         0   2h 5m   3%  58.2M     17    123  8.1ms  2.3ms
   1  api   cluster  4712  draining          3      5s   0%    61M      0      -      -      -
worker 0 (id 0)
  process           number 5 of generation 3
  connections       17 open, 40021 so far
  health            unhealthy for AGO: database is gone (code 3)
  requests          123/s, 40120 so far, 3 in flight, 1 aborted
  response time     p50 1.2ms, p95 3.4ms, p99 8.1ms, max 41ms (of 7400 in the last 1m)
  responses         40000 2xx, 110 4xx, 6 5xx, 11.7M sent, 40K/s
  event loop        23% busy, delay p50 0.1ms, p99 2.3ms, max 14ms, 21 handles
  gc                3 major in 12ms, 120 minor in 84ms
  memory            58.2M resident, heap 20M of 34M (limit 4G), 2M external
  used              12.5s user, 3.1s system, 11 threads, 37 of 1024 files open
  gauges            queue_length 12, temperature -3.5
  counters          jobs_done 4012
worker 1 (id 1)
  process           number 4 of generation 2
  says              saying goodbye
  connections       0 open, 312 so far
  memory            61M resident"
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
  id  name   mode  pid  status              restarts  uptime  cpu  mem  conns  req/s  p99  lag
   2  queue  fork    -  waiting restart 5s         7       -    -    -      -      -    -    -
slot 0 (id 2)
  process           unstable 4 times in a row, last exit: code 1 after 220ms"
        );
    }
}
