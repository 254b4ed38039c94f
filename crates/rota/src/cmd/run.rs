//! `rota run`.

use rota_api::{ExitCode, StartRequest};

use super::specs;
use crate::args::RunArgs;
use crate::context::Context;
use crate::daemon::run_in_place;
use crate::failure::{Done, Failure};

pub(super) fn run(context: &Context, args: RunArgs) -> Done {
    let apps = specs::from_flags(&args.app, &args.app.scripts)?;
    specs::check(&apps, context)?;
    let request = StartRequest {
        apps,
        wait: true,
        force: false,
    };
    let boot = serde_json::to_vec(&request).map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot write the start request").because(&error)
    })?;
    let home = context.home()?;
    match context.block_on(async { Ok(run_in_place(home, &boot).await?) })? {}
}
