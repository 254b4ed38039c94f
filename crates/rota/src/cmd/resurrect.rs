//! `rota resurrect`.

use rota_api::{ExitCode, ResurrectRequest};

use super::operation;
use crate::args::ResurrectArgs;
use crate::context::Context;
use crate::daemon::connect_or_start;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: &ResurrectArgs) -> Done {
    context.block_on(resurrect(context, args))
}

async fn resurrect(context: &Context, args: &ResurrectArgs) -> Done {
    let client = context.telling(connect_or_start(context.home()?).await?);
    let request = ResurrectRequest {
        wait: !args.wait.no_wait,
    };
    let events = client.resurrect(&request).await?;
    let results = operation::follow(context, events, args.wait.json).await?;
    if results.is_empty() && !args.wait.json {
        let mut out = context.out();
        out.line("nothing is to be brought back")?;
        out.flush()?;
        return Ok(ExitCode::Ok);
    }
    operation::results(context, &results, args.wait.json)
}
