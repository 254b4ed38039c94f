//! `rota reload FILE` and `rota restart FILE`: apps that are there become what the file says.

use std::path::Path;

use rota_api::{AppStatus, AppView, CommandRequest, CommandResult, ConfigRequest, ExitCode, Verb};
use rota_config::file::FileApp;
use rota_config::foreign::Taken;
use rota_config::{Described, SpecUpdate};

use super::load::{apps, check_programs, profile, under};
use crate::args::{ReloadArgs, UpdateFlags};
use crate::cmd::operation;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::files::Source;

/// Reloads or restarts the apps of a file with the settings of the file, what they depend on first.
pub(in crate::cmd) fn renew(context: &Context, path: &Path, verb: Verb, args: &ReloadArgs) -> Done {
    nothing_else(&args.update)?;
    let chosen = profile(&args.update.env)?;
    let (file, apps) = apps(context, path, chosen)?;
    check_programs(context, path, &file, &apps.apps)?;
    context.block_on(async {
        let known = there(context, path, &file, &apps).await?;
        let mut code = ExitCode::Ok;
        for view in &known {
            let app = match chosen {
                Some(_) => apps
                    .apps
                    .iter()
                    .find(|app| app.spec.name.as_str() == view.name)
                    .cloned(),
                None => as_before(context, path, &file, &view.name).await?,
            };
            let Some(app) = app else { continue };
            let done = one(context, verb, args, &app, view).await?;
            if code == ExitCode::Ok {
                code = done;
            }
        }
        Ok(code)
    })
}

/// An app under the profile that it runs with: who reloads a file by hand does not mean to leave production.
async fn as_before(
    context: &Context,
    path: &Path,
    file: &Source,
    name: &str,
) -> Result<Option<FileApp>, Stop> {
    let request = ConfigRequest {
        target: name.to_owned(),
    };
    let now = context.client().await?.config(&request).await?;
    let same_file = now.file.as_deref().map(Path::new) == Some(file.path());
    let profile = now.profile.filter(|_| same_file);
    let apps = under(context, path, file, profile.as_deref())?;
    Ok(apps
        .apps
        .into_iter()
        .find(|app| app.spec.name.as_str() == name))
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

/// The apps of the file as they are, in the order of the file.
///
/// # Errors
/// If one of them is not there.
async fn there(
    context: &Context,
    path: &Path,
    file: &Source,
    apps: &Taken,
) -> Result<Vec<AppView>, Stop> {
    let known = context.client().await?.apps(&[]).await?.apps;
    let mut views = Vec::new();
    for name in file.names() {
        let Some(app) = apps.apps.iter().find(|app| app.spec.name == name) else {
            continue;
        };
        let view = known.iter().find(|view| view.name == name.as_str());
        // What is not started by itself is not restarted by itself either.
        if !app.spec.autostart && view.is_none_or(|view| view.status == AppStatus::Stopped) {
            continue;
        }
        let Some(view) = view else {
            let text = format!("{name} is in the file and not in the list; nothing was done");
            return Err(Failure::new(ExitCode::NoSuchTarget, text)
                .hint(format!(
                    "`rota start {}` starts what is not there",
                    path.display()
                ))
                .into());
        };
        views.push(view.clone());
    }
    Ok(views)
}

async fn one(
    context: &Context,
    verb: Verb,
    args: &ReloadArgs,
    app: &FileApp,
    view: &AppView,
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
    if code != ExitCode::Ok || view.instances == wanted {
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
