//! `rota run`.

use rota_api::{DaemonBoot, ExitCode, RunOptions, StartRequest};
use rota_config::AppSpec;
use rota_config::file::Origins;

use super::{file, specs, start};
use crate::args::RunArgs;
use crate::context::Context;
use crate::daemon::run_in_place;
use crate::failure::{Done, Failure, Stop};

fn boot(context: &Context, args: &RunArgs) -> Result<StartRequest<AppSpec, Origins>, Stop> {
    let apps = specs::from_flags(&args.app, &args.app.scripts)?;
    specs::check(&apps, context)?;
    let origins = specs::origins(&args.app, &apps);
    Ok(StartRequest {
        apps,
        wait: true,
        force: false,
        keep: false,
        rest: Vec::new(),
        origins,
    })
}

fn options(
    args: &RunArgs,
    request: &StartRequest<AppSpec, Origins>,
) -> Result<RunOptions, Failure> {
    let from = args.container.exit_code_from.as_ref();
    let known = |name: &str| request.apps.iter().any(|app| app.name.as_str() == name);
    if let Some(name) = from.filter(|name| !known(name.as_str())) {
        let names: Vec<&str> = request.apps.iter().map(|app| app.name.as_str()).collect();
        let text = format!("--exit-code-from: there is no app `{name}`");
        return Err(Failure::usage(text).hint(format!("there are: {}", names.join(", "))));
    }
    Ok(RunOptions {
        grace_ms: args.container.grace.map(|grace| grace.millis()),
        exit_with_app: args.container.exit_with_app,
        exit_code_from: from.map(ToString::to_string),
        health: args.container.health,
        ..RunOptions::default()
    })
}

pub(super) fn run(context: &Context, args: RunArgs) -> Done {
    start::nothing_swallowed(&args.app)?;
    let request = match file::named(&args.app.scripts)? {
        Some(path) => file::boot(context, &path, &args.app)?,
        None => boot(context, &args)?,
    };
    let boot = DaemonBoot {
        resurrect: false,
        run: options(&args, &request)?,
        start: Some(request),
    };
    let boot = serde_json::to_vec(&boot).map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot write the start request").because(&error)
    })?;
    let home = context.home()?;
    match context.block_on(async { Ok(run_in_place(home, &boot, true).await?) })? {}
}
