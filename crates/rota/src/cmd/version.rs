//! `rota version`.

use rota_api::{ExitCode, Version};
use serde::Serialize;

use crate::args::JsonArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::since;

/// What `--json` shows.
#[derive(Serialize)]
struct Versions {
    /// Of this program.
    version: &'static str,
    /// Of the daemon, if one runs.
    daemon: Option<Version>,
}

pub(super) fn run(context: &Context, args: &JsonArgs) -> Done {
    let versions = Versions {
        version: env!("CARGO_PKG_VERSION"),
        daemon: context.block_on(daemon(context))?,
    };
    let mut out = context.out();
    if args.json {
        out.pretty_json(&versions)?;
        out.flush()?;
        return Ok(ExitCode::Ok);
    }
    out.line(&format!("rota {}", versions.version))?;
    match &versions.daemon {
        None => out.line("no daemon is running")?,
        Some(daemon) => {
            out.line(&format!(
                "daemon {} in {}, since {} (keeper {}, supervisor {})",
                daemon.version,
                daemon.home,
                since(daemon.started_at),
                daemon.keeper_pid,
                daemon.supervisor_pid
            ))?;
            if daemon.version != versions.version {
                out.line("they differ: `rota kill` and a new start bring the daemon up to date")?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

async fn daemon(context: &Context) -> Result<Option<Version>, Stop> {
    // The own version is worth telling without a home too.
    let Ok(home) = context.home() else {
        return Ok(None);
    };
    match rota_api::client::Client::connect(home.path()).await {
        Ok(mut client) => Ok(Some(client.version().await?)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(Failure::from(error).into()),
    }
}
