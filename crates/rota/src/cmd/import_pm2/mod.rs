//! `rota import-pm2`: the apps of a PM2, from its dump or from itself.

mod peer;

use std::io;
use std::path::{Path, PathBuf};

use rota_api::{CommandResult, ExitCode, StartRequest, Verb};
use rota_config::file::{FileApp, Origins, Outside};
use rota_config::foreign::pm2::{Dump, Known};
use rota_config::foreign::{Foreign, Mistake};
use rota_config::{AppSpec, ExecMode, resolve};
use serde_json::Value;

use super::{file, operation, specs};
use crate::args::ImportArgs;
use crate::context::{Context, remark};
use crate::daemon::connect_or_start;
use crate::failure::{Done, Failure, Stop};
use crate::output::clean;
use peer::Peer;

pub(super) fn run(context: &Context, args: &ImportArgs) -> Done {
    let env = specs::caller_env();
    let peer = Peer::find(&env);
    let asked = args.dump.is_none() && peer.answers();
    if args.take && !asked {
        return Err(Failure::usage("no PM2 runs here that could be asked")
            .hint("without --move what `pm2 save` has written is read")
            .into());
    }
    let (from, list) = match asked {
        true => (
            peer.home.join("dump.pm2"),
            peer.list().map_err(|error| unanswered(&error))?,
        ),
        false => dump(args.dump.as_deref(), &peer)?,
    };
    let taken = read(&from, &list, &peer.home, args)?;
    show(
        context,
        &taken,
        if asked {
            Path::new("the running PM2")
        } else {
            &from
        },
    )?;
    if args.dry_run || taken.apps.is_empty() {
        return Ok(ExitCode::Ok);
    }
    if args.take {
        return context.block_on(take(context, args, &peer, taken.apps));
    }
    if asked && taken.apps.iter().any(|(known, _)| known.wanted) {
        return Err(Failure::new(ExitCode::Failed, "PM2 runs these apps; nothing was done")
            .hint("`rota import-pm2 --move` takes them over one after the other; or stop them there, and name the dump")
            .into());
    }
    let apps = taken.apps.into_iter().map(|(_, app)| app).collect();
    let results = context.block_on(start(context, args, apps))?;
    operation::results(context, &results, args.wait.json)
}

fn unanswered(error: &io::Error) -> Failure {
    Failure::new(ExitCode::Failed, "PM2 does not say what it runs")
        .because(error)
        .hint("`pm2 save`, then `rota import-pm2 ~/.pm2/dump.pm2`")
}

/// What PM2 has saved.
fn dump(named: Option<&Path>, peer: &Peer) -> Result<(PathBuf, Value), Failure> {
    let path = match named {
        Some(path) => specs::absolute(path)?,
        None => peer.home.join("dump.pm2"),
    };
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(
            ExitCode::CannotRun,
            format!("cannot read {}", path.display()),
        )
        .because(error)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        cannot(&error).hint("`pm2 save` writes it; another one may be named: rota import-pm2 DUMP")
    })?;
    let list = serde_json::from_str(&text).map_err(|error| cannot(&error))?;
    Ok((path, list))
}

/// What is taken over.
struct Taken {
    apps: Vec<(Known, FileApp)>,
    warnings: Vec<String>,
}

fn read(from: &Path, list: &Value, home: &Path, args: &ImportArgs) -> Result<Taken, Failure> {
    let bad = |mistakes: &[Mistake]| {
        let mut failure = Failure::usage(format!("{} cannot be taken over", from.display()));
        failure.detail = mistakes
            .iter()
            .map(|mistake| clean(&mistake.to_string()).into_owned())
            .collect();
        failure.hint = mistakes.iter().find_map(|mistake| mistake.help.clone());
        failure
    };
    let mut dump = Dump::read(list, home).map_err(|mistake| bad(&[mistake]))?;
    if !rustix::process::geteuid().is_root() {
        not_as_others(&mut dump.ecosystem);
    }
    for name in &args.only {
        if !dump.apps.iter().any(|app| app.name == *name) {
            return Err(Failure::usage(format!("PM2 has no app {name}")));
        }
    }
    let caller = specs::caller_env();
    let outside = Outside {
        caller: &caller,
        read: &crate::files::read_text,
    };
    let apps = match dump.apps.is_empty() {
        true => Default::default(),
        false => Foreign::ecosystem(from, dump.ecosystem)
            .in_folder("/")
            .apps(None, &outside)
            .map_err(|mistakes| bad(&mistakes))?,
    };
    let mut warnings = dump.warnings;
    warnings.extend(apps.warnings);
    // Apps come as they were given, so both lists go together.
    let mut both: Vec<(Known, FileApp)> = dump.apps.into_iter().zip(apps.apps).collect();
    both.retain(|(known, _)| {
        let chosen = match args.only.is_empty() {
            true => known.wanted,
            false => args.only.contains(&known.name),
        };
        if !chosen && !known.wanted {
            let name = &known.name;
            warnings.push(format!(
                "{name} does not run in PM2 and is left out; --only {name} starts it"
            ));
        }
        chosen
    });
    Ok(Taken {
        apps: both,
        warnings,
    })
}

/// Who is not root runs apps as himself, as that PM2 did.
fn not_as_others(ecosystem: &mut Value) {
    for app in ecosystem["apps"].as_array_mut().into_iter().flatten() {
        if let Some(app) = app.as_object_mut() {
            app.remove("uid");
            app.remove("gid");
        }
    }
}

fn show(context: &Context, taken: &Taken, from: &Path) -> Result<(), Stop> {
    file::warn(&taken.warnings);
    let mut out = context.out();
    out.line(&format!(
        "from {}: {}",
        from.display(),
        count(taken.apps.len(), "app")
    ))?;
    for (known, app) in &taken.apps {
        let mode = match resolve(&app.spec).map(|launch| launch.mode) {
            Ok(ExecMode::Cluster) => "cluster".to_owned(),
            Ok(ExecMode::Fork) => "fork".to_owned(),
            Err(error) => error.to_string(),
        };
        let text = format!(
            "  {}: {}, {}, {}, {}",
            app.spec.name,
            count(known.processes as usize, "worker"),
            mode,
            app.spec.script,
            count(app.spec.env.len(), "variable"),
        );
        out.line(&clean(&text))?;
    }
    out.flush()
}

fn count(number: usize, of: &str) -> String {
    match number {
        1 => format!("1 {of}"),
        more => format!("{more} {of}s"),
    }
}

/// Starts apps, and tells how that went on.
async fn start(
    context: &Context,
    args: &ImportArgs,
    apps: Vec<FileApp>,
) -> Result<Vec<CommandResult>, Stop> {
    let origins = |app: &FileApp| (app.spec.name.to_string(), app.origins.clone());
    let origins = apps.iter().map(origins).collect();
    let apps: Vec<AppSpec> = apps.into_iter().map(|app| app.spec).collect();
    specs::check(&apps, context)?;
    let request = StartRequest::<AppSpec, Origins> {
        apps,
        wait: true,
        force: false,
        keep: true,
        rest: Vec::new(),
        origins,
    };
    let client = context.telling(connect_or_start(context.home()?).await?);
    operation::follow(context, client.start(&request).await?, args.wait.json).await
}

/// Takes apps from the running PM2, one after the other, until one of them does not come.
async fn take(
    context: &Context,
    args: &ImportArgs,
    peer: &Peer,
    apps: Vec<(Known, FileApp)>,
) -> Done {
    let left = apps.len();
    for (index, (known, app)) in apps.into_iter().enumerate() {
        let name = known.name.clone();
        let code = one(context, args, peer, &known, app).await?;
        if code != ExitCode::Ok {
            let rest = left - index - 1;
            if rest > 0 {
                remark(&format!(
                    "{name} did not come; {} stay with PM2 as well",
                    count(rest, "app")
                ));
            }
            return Ok(code);
        }
    }
    remark("`pm2 save` forgets them there, `pm2 unstartup` keeps PM2 from coming back at boot");
    Ok(ExitCode::Ok)
}

/// An app whose port PM2 has cannot run in both places: there it is stopped first.
async fn one(
    context: &Context,
    args: &ImportArgs,
    peer: &Peer,
    known: &Known,
    file_app: FileApp,
) -> Done {
    let name = known.name.as_str();
    let first = known.wanted && peer.listens(known);
    let said = |error: io::Error| {
        Failure::new(
            ExitCode::Failed,
            format!("PM2 did not do what it was told about {name}"),
        )
        .because(&error)
    };
    if first {
        remark(&format!(
            "{}: stopped in PM2, since it has a port",
            clean(name)
        ));
        peer.tell(&["stop", name]).map_err(said)?;
    }
    let app = file_app.spec.name.to_string();
    let started = start(context, args, vec![file_app]).await;
    let code = match &started {
        Ok(results) => operation::results(context, results, args.wait.json)?,
        Err(_) => ExitCode::Failed,
    };
    if code == ExitCode::Ok {
        peer.tell(&["delete", name]).map_err(said)?;
        remark(&format!("{}: deleted in PM2", clean(name)));
        return Ok(code);
    }
    if started.is_ok() && code != ExitCode::AlreadyRunning {
        let request = operation::request(Verb::Delete, vec![app], &args.wait);
        let events = context.client().await?.command(&request).await?;
        operation::follow(context, events, args.wait.json).await?;
    }
    if first {
        peer.tell(&["start", name]).map_err(said)?;
        remark(&format!("{}: started in PM2 again", clean(name)));
    }
    started.map(|_| code)
}
