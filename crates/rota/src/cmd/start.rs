//! `rota start`.

use std::collections::BTreeMap;
use std::path::Path;

use rota_api::{AppStatus, AppView, ExitCode, StartRequest, Verb, WorkerStatus, WorkerView};
use rota_config::file::Origins;
use rota_config::{AppSpec, SpecUpdate};
use rota_supervisor::LeftBehind;

use super::{file, operation, specs};
use crate::args::{AppFlags, StartArgs, UpdateFlags};
use crate::context::Context;
use crate::daemon::{Home, connect, connect_or_start};
use crate::failure::{Done, Failure, Stop};

pub(super) fn run(context: &Context, args: StartArgs) -> Done {
    nothing_swallowed(&args.app)?;
    if let Some(path) = file::named(&args.app.scripts)? {
        return file::start(context, &path, &args);
    }
    if !args.only.is_empty() {
        return Err(Failure::usage("--only is for a configuration file")
            .hint("name the file as well: `rota start rota.toml --only NAME`")
            .into());
    }
    context.block_on(start(context, &args))
}

/// The places of `--watch` follow it: a script among them would be watched, and not started.
///
/// # Errors
/// If no script is named beside them.
pub(super) fn nothing_swallowed(flags: &AppFlags) -> Result<(), Failure> {
    let places = flags.renewal.watch.iter().flatten().next();
    match places {
        Some(place) if flags.scripts.is_empty() => Err(Failure::usage(format!(
            "no script is named: {} is taken as a place to watch",
            place.display()
        ))
        .hint("the script stands before --watch, or the place is written --watch=PATH")),
        _ => Ok(()),
    }
}

/// What was named: scripts to become apps, and apps that are there already.
#[derive(Default)]
struct Named {
    scripts: Vec<String>,
    targets: Vec<String>,
    /// Apps of a daemon that was killed.
    left: Vec<AppSpec>,
}

async fn start(context: &Context, args: &StartArgs) -> Done {
    let named = sort(context, args).await?;
    let mut known = named.targets.clone();
    known.extend(named.left.iter().map(|app| app.name.to_string()));
    if !known.is_empty() && args.app.describes_a_new_app() {
        let text = format!(
            "{} is an app that exists: started again by its name it keeps its settings",
            known.join(", ")
        );
        return Err(Failure::usage(text)
            .hint("--env, --interpreter and --node-args may change; for the rest name the script, with --force if it runs")
            .into());
    }
    let mut specs = specs::from_flags(&args.app, &named.scripts)?;
    let origins = specs::origins(&args.app, &specs);
    let update = update(args)?.unwrap_or_default();
    specs.extend(named.left.iter().map(|app| update.apply(app)));
    specs::check(&specs, context)?;
    let mut code = ExitCode::Ok;
    if !specs.is_empty() {
        code = start_scripts(context, args, specs, origins).await?;
    }
    if !named.targets.is_empty() {
        let again = start_again(context, args, named.targets).await?;
        if code == ExitCode::Ok {
            code = again;
        }
    }
    Ok(code)
}

async fn start_scripts(
    context: &Context,
    args: &StartArgs,
    specs: Vec<AppSpec>,
    origins: BTreeMap<String, Origins>,
) -> Done {
    let request = StartRequest::<AppSpec, Origins> {
        apps: specs,
        wait: !args.wait.no_wait,
        force: args.force,
        keep: false,
        rest: Vec::new(),
        origins,
    };
    let client = context.telling(connect_or_start(context.home()?).await?);
    operation::tell(context, client.start(&request).await?, args.wait.json).await
}

async fn start_again(context: &Context, args: &StartArgs, mut targets: Vec<String>) -> Done {
    if !args.force {
        targets = without_running(context, targets).await?;
        if targets.is_empty() {
            let mut out = context.out();
            if !args.wait.json {
                out.line("every app runs already")?;
            }
            out.flush()?;
            return Ok(ExitCode::Ok);
        }
    }
    let verb = match args.force {
        true => Verb::Restart,
        false => Verb::Start,
    };
    let mut request = operation::request(verb, targets, &args.wait);
    request.update = update(args)?;
    operation::command(context, &request, args.wait.json).await
}

/// Of words that mean several apps those that do not run; one that is named by itself is the daemon's to refuse.
async fn without_running(context: &Context, targets: Vec<String>) -> Result<Vec<String>, Stop> {
    let known = known_apps(context.home()?).await?;
    let (groups, mut named): (Vec<_>, Vec<_>) = targets
        .into_iter()
        .partition(|target| is_group(target, &known));
    if !groups.is_empty() {
        let chosen = context.client().await?.apps(&groups).await?.apps;
        for name in idle(&chosen) {
            if !named.contains(&name) {
                named.push(name);
            }
        }
    }
    Ok(named)
}

/// What may change of an app that exists.
fn update(args: &StartArgs) -> Result<Option<SpecUpdate>, Stop> {
    operation::update(&UpdateFlags {
        update_env: false,
        env: args.app.env.clone(),
        interpreter: args.app.interpreter.clone(),
        node_args: args.app.node_args.clone(),
    })
}

/// A file is a script; of the rest, what the daemon knows is an app, and everything else a command.
async fn sort(context: &Context, args: &StartArgs) -> Result<Named, Stop> {
    let mut named = Named::default();
    let mut known: Option<Vec<AppView>> = None;
    for word in &args.app.scripts {
        // Who gives a name means a new app, also when there is one that is called like its script.
        if args.app.name.is_some() || specs::is_file(&args.app, word) {
            named.scripts.push(word.clone());
            continue;
        }
        if known.is_none() {
            known = Some(known_apps(context.home()?).await?);
        }
        let known = known.as_deref().unwrap_or_default();
        let left = match known {
            [] => left_by(context.home()?.path(), word),
            _ => Vec::new(),
        };
        if !left.is_empty() {
            named.left.extend(left);
        } else if is_app(word, known) {
            named.targets.push(word.clone());
        } else {
            named.scripts.push(word.clone());
        }
    }
    Ok(named)
}

/// What `rota start all` means, of all: the apps that do not run, or only in part.
fn idle(apps: &[AppView]) -> Vec<String> {
    let at_rest = |worker: &WorkerView| {
        matches!(worker.status, WorkerStatus::Stopped | WorkerStatus::Errored)
    };
    apps.iter()
        .filter(|app| {
            matches!(app.status, AppStatus::Stopped | AppStatus::Errored)
                || app.workers.iter().any(at_rest)
        })
        .map(|app| app.name.clone())
        .collect()
}

/// The apps of the daemon; none if there is none.
async fn known_apps(home: &Home) -> Result<Vec<AppView>, Stop> {
    match connect(home).await? {
        Some(mut client) => Ok(client.apps(&[]).await?.apps),
        None => Ok(Vec::new()),
    }
}

/// What a word means where there is no daemon: apps of one that was killed.
fn left_by(home: &Path, word: &str) -> Vec<AppSpec> {
    let left = LeftBehind::in_home(home).apps.into_iter();
    let meant = |app: &AppSpec| word == "all" || app.namespace == word;
    left.filter(|(app, wanted)| app.name.as_str() == word || meant(app) && *wanted)
        .map(|(app, _)| app)
        .collect()
}

/// True for groups, numbers (an unknown id is the daemon's to refuse), and names that it knows.
fn is_app(word: &str, known: &[AppView]) -> bool {
    let name = word.split_once(':').map_or(word, |(name, _)| name);
    let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let group = is_group(word, known);
    !known.is_empty() && (number || group) || known.iter().any(|app| app.name == name)
}

/// True for what may mean several apps: `all`, an expression between slashes, a namespace.
fn is_group(word: &str, known: &[AppView]) -> bool {
    let expression = word
        .strip_prefix('/')
        .and_then(|rest| rest.rsplit_once('/'));
    let expression =
        expression.is_some_and(|(text, flags)| !text.is_empty() && matches!(flags, "" | "i"));
    let namespace = |name: &str| known.iter().any(|app| app.namespace == name);
    let explicit = word.strip_prefix("namespace:").is_some_and(namespace);
    let plain = namespace(word) && known.iter().all(|app| app.name != word);
    word == "all" || explicit || plain || expression
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps() -> Vec<AppView> {
        serde_json::from_str(include_str!("../../testdata/apps.json")).unwrap()
    }

    #[test]
    fn all_means_what_does_not_run() {
        let mut apps = apps();
        assert!(
            idle(&apps).is_empty(),
            "one runs, the other waits for its next start"
        );
        apps[0].workers[1].status = WorkerStatus::Errored;
        apps[1].workers[0].status = WorkerStatus::Stopped;
        assert_eq!(idle(&apps), ["api", "queue"]);
    }

    #[test]
    fn names_that_the_daemon_knows_are_apps() {
        let apps = apps();
        let more = ["/ap.*/", "/API/i", "default", "namespace:default"];
        for word in ["api", "queue", "api:1", "2", "99", "all"]
            .into_iter()
            .chain(more)
        {
            assert!(is_app(word, &apps), "{word}");
        }
        for word in [
            "next",
            "app.js",
            "npm start",
            "",
            "/",
            "/opt/app",
            "namespace:x",
        ] {
            assert!(!is_app(word, &apps), "{word}");
        }
        assert!(!is_app("all", &[]) && !is_app("7", &[]));
    }
}
