//! `rota reload FILE` and `rota restart FILE`: apps that are there become what the file says.

use std::path::Path;

use rota_api::{AppView, CommandRequest, CommandResult, ExitCode, Verb};
use rota_config::file::FileApp;
use rota_config::{Described, SpecUpdate};

use super::load::{apps, check_programs, profile};
use crate::args::{ReloadArgs, UpdateFlags};
use crate::cmd::operation;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};

/// Reloads or restarts the apps of a file with the settings of the file, what they depend on first.
pub(in crate::cmd) fn renew(context: &Context, path: &Path, verb: Verb, args: &ReloadArgs) -> Done {
    nothing_else(&args.update)?;
    let (file, apps) = apps(context, path, profile(&args.update.env)?)?;
    check_programs(context, path, &file, &apps)?;
    let names = file.order().into_iter().flatten();
    let in_order: Vec<FileApp> = names
        .filter_map(|name| apps.iter().find(|app| app.spec.name == name).cloned())
        .collect();
    context.block_on(all(context, path, verb, args, in_order))
}

fn nothing_else(flags: &UpdateFlags) -> Result<(), Failure> {
    match flags.update_env || flags.interpreter.is_some() || flags.node_args.is_some() {
        true => Err(
            Failure::usage("the settings of these apps stand in the file").hint(
                "write what the flags say into the file; its environment is always read anew",
            ),
        ),
        false => Ok(()),
    }
}

async fn all(
    context: &Context,
    path: &Path,
    verb: Verb,
    args: &ReloadArgs,
    apps: Vec<FileApp>,
) -> Done {
    let known = context.client().await?.apps(&[]).await?.apps;
    let there = |app: &FileApp| {
        known
            .iter()
            .find(|view| view.name == app.spec.name.as_str())
    };
    if let Some(app) = apps.iter().find(|app| there(app).is_none()) {
        let text = format!(
            "{} is in the file and not in the list; nothing was done",
            app.spec.name
        );
        return Err(Failure::new(ExitCode::NoSuchTarget, text)
            .hint(format!(
                "`rota start {}` starts what is not there",
                path.display()
            ))
            .into());
    }
    let mut code = ExitCode::Ok;
    for app in apps {
        let view = there(&app);
        let done = one(context, verb, args, &app, view).await?;
        if code == ExitCode::Ok {
            code = done;
        }
    }
    Ok(code)
}

async fn one(
    context: &Context,
    verb: Verb,
    args: &ReloadArgs,
    app: &FileApp,
    view: Option<&AppView>,
) -> Done {
    let json = args.wait.json;
    let name = app.spec.name.to_string();
    let mut request = operation::request(verb, vec![name.clone()], &args.wait);
    request.update = Some(SpecUpdate {
        whole: Some(Box::new(Described {
            spec: app.spec.clone(),
            origins: Some(app.origins.clone()),
        })),
        ..SpecUpdate::default()
    });
    let results = send(context, &request, json).await?;
    let code = operation::results(context, &results, json)?;
    let cpus = u32::try_from(rota_sys::cpus::available()).unwrap_or(u32::MAX);
    let wanted = app.spec.instances.count(cpus);
    if code != ExitCode::Ok || view.is_some_and(|view| view.instances == wanted) {
        return Ok(code);
    }
    // A rollout replaces the workers that there are.
    let mut request = operation::request(Verb::Scale, vec![name], &args.wait);
    request.instances = Some(app.spec.instances.to_string());
    let results = send(context, &request, json).await?;
    operation::results(context, &results, json)
}

async fn send(
    context: &Context,
    request: &CommandRequest<SpecUpdate>,
    json: bool,
) -> Result<Vec<CommandResult>, Stop> {
    let events = context.client().await?.command(request).await?;
    operation::follow(context, events, json).await
}
