//! `rota daemon`.

use rota_api::{DaemonBoot, ExitCode, RunOptions};
use rota_config::AppSpec;
use rota_config::file::Origins;

use crate::context::Context;
use crate::daemon::run_in_place;
use crate::failure::{Done, Failure};

pub(super) fn run(context: &Context) -> Done {
    let boot = DaemonBoot::<AppSpec, Origins> {
        resurrect: true,
        start: None,
        run: RunOptions::default(),
    };
    let boot = serde_json::to_vec(&boot).map_err(|error| {
        Failure::new(ExitCode::Failed, "cannot write what to begin with").because(&error)
    })?;
    let home = context.home()?;
    match context.block_on(async { Ok(run_in_place(home, &boot, false).await?) })? {}
}
