//! `rota ping`.

use rota_api::ExitCode;

use crate::args::JsonArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::since;

pub(super) fn run(context: &Context, args: &JsonArgs) -> Done {
    let version = context.block_on(async { Ok(context.client().await?.version().await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&version)?;
    } else {
        out.line(&format!(
            "the daemon (pid {}) has been on duty for {}",
            version.keeper_pid,
            since(version.started_at)
        ))?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}
