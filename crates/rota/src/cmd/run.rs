//! `rota run`.

use rota_api::{ExitCode, StartRequest};
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

pub(super) fn run(context: &Context, args: RunArgs) -> Done {
    start::nothing_swallowed(&args.app)?;
    let request = match file::named(&args.app.scripts)? {
        Some(path) => file::boot(context, &path, &args.app)?,
        None => boot(context, &args)?,
    };
    let boot = serde_json::to_vec(&request).map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot write the start request").because(&error)
    })?;
    let home = context.home()?;
    match context.block_on(async { Ok(run_in_place(home, &boot, true).await?) })? {}
}
