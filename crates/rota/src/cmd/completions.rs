//! `rota completions`, and what a shell is answered that asks.
//!
//! The script that `rota completions SHELL` writes calls this program again for every completion: flags and values come
//! from the definitions of the command line, names of apps from the daemon, if one runs.

use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompletionCandidate;
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};
use rota_api::client::Client;
use rota_api::{AppView, ExitCode};

use crate::args::{Cli, CompletionsArgs, Shell};
use crate::context::Context;
use crate::daemon::Home;
use crate::failure::{Done, Failure};

/// Set by the scripts: the name of the shell that asks.
const ASKS: &str = "ROTA_COMPLETE";
/// A daemon that does not answer must not keep a shell waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers a shell, if one asks; true if that was all.
pub fn answer() -> bool {
    if std::env::var_os(ASKS).is_none() {
        return false;
    }
    let asked = CompleteEnv::with_factory(Cli::command)
        .var(ASKS)
        .bin("rota");
    let here = std::env::current_dir().ok();
    // What goes wrong here would be written into somebody's command line.
    asked
        .try_complete(std::env::args_os(), here.as_deref())
        .unwrap_or(true)
}

/// Writes the script for a shell.
pub(super) fn run(context: &Context, args: &CompletionsArgs) -> Done {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    shell
        .write_registration(ASKS, "rota", "rota", "rota", &mut script)
        .map_err(|error| Failure::new(ExitCode::Failed, "cannot write").because(&error))?;
    let mut out = context.out();
    out.bytes(&script)?;
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// What a target can be: names of apps, namespaces, ids, all.
pub fn targets() -> Vec<CompletionCandidate> {
    let apps = known_apps();
    let mut found: Vec<CompletionCandidate> = Vec::new();
    for app in &apps {
        let help = match app.instances {
            1 => format!("{}, 1 worker", app.status),
            more => format!("{}, {more} workers", app.status),
        };
        found.push(CompletionCandidate::new(&app.name).help(Some(help.into())));
    }
    let mut namespaces: Vec<&str> = apps.iter().map(|app| app.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    // The only one that there is means all of them.
    if namespaces.len() > 1 {
        let free = |name: &&str| apps.iter().all(|app| app.name != *name);
        found.extend(
            namespaces
                .into_iter()
                .filter(free)
                .map(|name| CompletionCandidate::new(name).help(Some("a namespace".into()))),
        );
    }
    if !apps.is_empty() {
        found.push(CompletionCandidate::new("all").help(Some("every app".into())));
    }
    found
}

/// Names of apps.
pub fn names() -> Vec<CompletionCandidate> {
    let apps = known_apps().into_iter();
    apps.map(|app| CompletionCandidate::new(app.name)).collect()
}

/// The apps of the daemon; none if there is none, or it does not answer.
fn known_apps() -> Vec<AppView> {
    let Ok(home) = Home::from_env() else {
        return Vec::new();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    runtime.block_on(async {
        let asked = async {
            let mut client = Client::connect(home.path()).await.ok()?;
            client.apps(&[]).await.ok().map(|list| list.apps)
        };
        let apps = tokio::time::timeout(PATIENCE, asked).await;
        apps.ok().flatten().unwrap_or_default()
    })
}
