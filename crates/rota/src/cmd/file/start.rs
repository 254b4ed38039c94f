//! `rota start FILE`: the apps of a file, what they depend on first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rota_api::{
    AppStatus, CommandResult, ErrorCode, ExitCode, Finished, StartRequest, StreamEvent,
};
use rota_config::file::{FileApp, Origins};
use rota_config::{AppName, AppSpec};

use super::load::{apps, check_programs, profile};
use crate::args::{AppFlags, StartArgs};
use crate::cmd::operation;
use crate::context::Context;
use crate::daemon::connect_or_start;
use crate::failure::{Done, Failure, Stop};
use crate::files::Source;

pub(super) type Request = StartRequest<AppSpec, Origins>;

/// Between two looks at an app that somebody else has just started.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Starts the apps of a file.
pub(in crate::cmd) fn start(context: &Context, path: &Path, args: &StartArgs) -> Done {
    nothing_else(&args.app)?;
    let (file, apps) = apps(context, path, profile(&args.app.env)?)?;
    let chosen = choose(&file, &apps.apps, &args.only)?;
    check_programs(context, path, &file, &chosen)?;
    let order = file.order();
    let start = Start {
        rests: resting(&chosen, &args.only),
        context,
        path,
        args,
        missing: BTreeSet::new(),
        code: ExitCode::Ok,
    };
    context.block_on(start.in_order(&order, chosen))
}

/// What `rota run FILE` begins with.
pub(in crate::cmd) fn boot(
    context: &Context,
    path: &Path,
    flags: &AppFlags,
) -> Result<Request, Stop> {
    nothing_else(flags)?;
    let (file, apps) = apps(context, path, profile(&flags.env)?)?;
    let apps = apps.apps;
    check_programs(context, path, &file, &apps)?;
    let rests = resting(&apps, &[]);
    Ok(request(apps, &rests))
}

/// Flags that describe an app stand in the file.
fn nothing_else(flags: &AppFlags) -> Result<(), Failure> {
    let known = AppFlags {
        scripts: flags.scripts.clone(),
        env: flags.env.clone(),
        ..AppFlags::default()
    };
    match *flags == known {
        true => Ok(()),
        false => Err(Failure::usage("the settings of these apps stand in the file")
            .hint("write what the flags say into the file: keys have the names of flags, with `_` for `-`")),
    }
}

/// The apps of `--only`, with all that they depend on; or all.
pub(super) fn choose(
    file: &Source,
    apps: &[FileApp],
    only: &[String],
) -> Result<Vec<FileApp>, Failure> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut queue: Vec<&str> = only.iter().map(String::as_str).collect();
    while let Some(name) = queue.pop() {
        let Some(app) = apps.iter().find(|app| app.spec.name.as_str() == name) else {
            let failure = Failure::usage(format!("the file has no app `{name}`"));
            return Err(match file.closest_app(name) {
                Some(close) => failure.hint(format!("did you mean `{close}`?")),
                None => failure,
            });
        };
        if wanted.insert(name) {
            queue.extend(app.depends_on.iter().map(AppName::as_str));
        }
    }
    let chosen = apps
        .iter()
        .filter(|app| only.is_empty() || wanted.contains(app.spec.name.as_str()));
    Ok(chosen.cloned().collect())
}

/// Apps that are listed and not started: those with `autostart = false` that nobody has named, and that no app needs which
/// is started.
pub(super) fn resting(apps: &[FileApp], only: &[String]) -> BTreeSet<AppName> {
    let named = |app: &&FileApp| only.iter().any(|name| name == app.spec.name.as_str());
    let starts = apps.iter().filter(|app| app.spec.autostart || named(app));
    let mut queue: Vec<&AppName> = starts.map(|app| &app.spec.name).collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = queue.pop() {
        if needed.insert(name) {
            let app = apps.iter().find(|app| app.spec.name == *name);
            queue.extend(app.into_iter().flat_map(|app| &app.depends_on));
        }
    }
    let rests = apps.iter().filter(|app| !needed.contains(&app.spec.name));
    rests.map(|app| app.spec.name.clone()).collect()
}

/// Says of apps that are only listed why they were not started.
pub(super) fn explain(results: &mut [CommandResult], rests: &BTreeSet<AppName>) {
    let listed = |result: &&mut CommandResult| {
        result.ok && rests.iter().any(|name| name.as_str() == result.app)
    };
    for result in results.iter_mut().filter(listed) {
        result.message = "in the list, not started: autostart = false".to_owned();
    }
}

pub(super) fn request(apps: Vec<FileApp>, rests: &BTreeSet<AppName>) -> Request {
    let names = apps.iter().map(|app| &app.spec.name);
    let rest = names.filter(|name| rests.contains(*name));
    let rest = rest.map(ToString::to_string).collect();
    let mut origins = BTreeMap::new();
    let mut specs = Vec::new();
    for app in apps {
        origins.insert(app.spec.name.to_string(), app.origins);
        specs.push(app.spec);
    }
    StartRequest {
        apps: specs,
        wait: true,
        force: false,
        keep: true,
        rest,
        origins,
    }
}

/// A start of several groups: what waits for an app that did not start is not started.
struct Start<'a> {
    context: &'a Context,
    path: &'a Path,
    args: &'a StartArgs,
    /// What is only listed.
    rests: BTreeSet<AppName>,
    missing: BTreeSet<AppName>,
    code: ExitCode,
}

impl Start<'_> {
    async fn in_order(mut self, order: &[Vec<AppName>], mut apps: Vec<FileApp>) -> Done {
        for group in order {
            let (now, later): (Vec<_>, Vec<_>) = apps
                .into_iter()
                .partition(|app| group.contains(&app.spec.name));
            apps = later;
            let (blocked, free): (Vec<_>, Vec<_>) =
                now.into_iter().partition(|app| self.blocks(app));
            self.refuse(&blocked)?;
            if !free.is_empty() {
                self.start(free, apps.is_empty()).await?;
            }
        }
        Ok(self.code)
    }

    fn blocks(&self, app: &FileApp) -> bool {
        app.depends_on
            .iter()
            .any(|name| self.missing.contains(name))
    }

    async fn start(&mut self, apps: Vec<FileApp>, last: bool) -> Result<(), Stop> {
        let names: Vec<String> = apps.iter().map(|app| app.spec.name.to_string()).collect();
        let request = Request {
            // Somebody waits for these.
            wait: !self.args.wait.no_wait || !last,
            force: self.args.force,
            ..request(apps, &self.rests)
        };
        let client = connect_or_start(self.context.home()?).await?;
        let events = self.context.telling(client).start(&request).await?;
        let mut results = operation::follow(self.context, events, self.args.wait.json).await?;
        for result in &mut results {
            if result.code == Some(ErrorCode::AlreadyRunning) {
                let file = self.path.display();
                result.hint = Some(format!("`rota reload {file}` brings what the file says"));
            }
        }
        explain(&mut results, &self.rests);
        self.take(&results)?;
        match last {
            true => Ok(()),
            false => settled(self.context, &names).await,
        }
    }

    fn refuse(&mut self, blocked: &[FileApp]) -> Result<(), Stop> {
        if blocked.is_empty() {
            return Ok(());
        }
        let results: Vec<CommandResult> = blocked
            .iter()
            .map(|app| not_ready(app, &self.missing, "not started"))
            .collect();
        if self.args.wait.json {
            // The daemon has no events of these.
            let results = results.clone();
            let mut out = self.context.out();
            out.json(&StreamEvent::Finished(Finished { results }))?;
            out.flush()?;
        }
        self.take(&results)
    }

    fn take(&mut self, results: &[CommandResult]) -> Result<(), Stop> {
        let failed = results
            .iter()
            .filter(|result| !result.ok && result.code != Some(ErrorCode::AlreadyRunning));
        self.missing
            .extend(failed.filter_map(|result| AppName::new(result.app.clone()).ok()));
        let code = operation::results(self.context, results, self.args.wait.json)?;
        if self.code == ExitCode::Ok {
            self.code = code;
        }
        Ok(())
    }
}

/// What is said of an app whose dependency is not there; `what` becomes of it.
pub(super) fn not_ready(app: &FileApp, missing: &BTreeSet<AppName>, what: &str) -> CommandResult {
    let names = app.depends_on.iter().filter(|name| missing.contains(*name));
    let names: Vec<&str> = names.map(AppName::as_str).collect();
    let text = match what {
        "not started" => format!(
            "{what}: it depends on {}, which did not start",
            names.join(", ")
        ),
        what => format!("{what}: it depends on {}, which failed", names.join(", ")),
    };
    CommandResult::failed(app.spec.name.as_str(), ErrorCode::Refused, text)
}

/// Waits for apps that ran already, but were just being started or reloaded by somebody else.
async fn settled(context: &Context, names: &[String]) -> Result<(), Stop> {
    loop {
        let apps = context.client().await?.apps(names).await?.apps;
        let under_way = |status| matches!(status, AppStatus::Launching | AppStatus::Reloading);
        if !apps.iter().any(|app| under_way(app.status)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
