//! `rota kill`.

use rota_api::client::{Client, ClientError};
use rota_api::{ExitCode, ShutdownRequest};

use super::operation;
use crate::args::KillArgs;
use crate::context::Context;
use crate::daemon::wait_until_gone;
use crate::failure::{Done, Failure, Stop};

pub(crate) fn run(context: &Context, args: &KillArgs) -> Done {
    let home = context.home()?;
    let code = context.block_on(async {
        let client = match Client::connect(home.path()).await {
            Ok(client) => context.telling(client),
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(Failure::from(error).into()),
        };
        match client.shutdown(&ShutdownRequest { now: args.now }).await {
            Ok(events) => match operation::tell(context, events, args.json).await {
                // Whatever became of its last words: what counts is that it is gone.
                Err(Stop::Failure(_)) if wait_until_gone(home).is_ok() => Ok(Some(ExitCode::Ok)),
                told => told.map(Some),
            },
            // It was going down already, and went.
            Err(ClientError::Ended) => Ok(Some(ExitCode::Ok)),
            Err(error) => Err(Failure::from(error).into()),
        }
    })?;
    let mut out = context.out();
    let Some(code) = code else {
        if !args.json {
            out.line("no daemon is running")?;
        }
        out.flush()?;
        return Ok(ExitCode::Ok);
    };
    if code == ExitCode::Ok {
        wait_until_gone(home)?;
        if !args.json {
            out.line("the daemon has stopped")?;
        }
    }
    out.flush()?;
    Ok(code)
}
