//! `rota daemon`.

use rota_api::{DaemonBoot, ExitCode};

use crate::context::Context;
use crate::daemon::run_in_place;
use crate::failure::{Done, Failure};

pub(super) fn run(context: &Context) -> Done {
    let boot = DaemonBoot { resurrect: true };
    let boot = serde_json::to_vec(&boot).map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot write what to begin with").because(&error)
    })?;
    let home = context.home()?;
    match context.block_on(async { Ok(run_in_place(home, &boot, false).await?) })? {}
}
