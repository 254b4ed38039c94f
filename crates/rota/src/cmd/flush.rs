//! `rota flush` and `rota reload-logs`.

use rota_api::{ExitCode, FlushRequest};

use crate::args::FlushArgs;
use crate::context::Context;
use crate::failure::{Done, Failure};
use crate::output::bytes;

pub(super) fn run(context: &Context, args: FlushArgs) -> Done {
    let request = FlushRequest {
        targets: args.targets,
    };
    let emptied = context.block_on(async { Ok(context.client().await?.flush(&request).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&emptied)?;
    } else {
        let size = bytes(emptied.bytes);
        out.line(&format!("{} logs emptied, {size}", emptied.files))?;
    }
    out.flush()?;
    match emptied.errors.as_slice() {
        [] => Ok(ExitCode::Ok),
        errors => Err(Failure::new(ExitCode::Failed, errors.join("; ")).into()),
    }
}

pub(super) fn reopen(context: &Context) -> Done {
    context.block_on(async { Ok(context.client().await?.reopen_logs().await?) })?;
    let mut out = context.out();
    out.line("the log files are opened anew")?;
    out.flush()?;
    Ok(ExitCode::Ok)
}
