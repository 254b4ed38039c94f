//! `rota version`.

use rota_api::{ExitCode, Version};
use serde::Serialize;

use crate::args::JsonArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::since;

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
        version: VERSION,
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
            for line in lines(daemon) {
                out.line(&line)?;
            }
            if let Some(hint) = difference(&daemon.version) {
                out.line(&hint)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// The daemon and its two processes.
fn lines(daemon: &Version) -> [String; 3] {
    let keeper = daemon.keeper_version.as_deref().unwrap_or("unknown");
    [
        format!(
            "daemon in {}, since {}",
            daemon.home,
            since(daemon.started_at)
        ),
        format!(
            "  supervisor {} (pid {})",
            daemon.version, daemon.supervisor_pid
        ),
        format!("  keeper {keeper} (pid {})", daemon.keeper_pid),
    ]
}

/// What to do about a daemon of this version; nothing if it is this program's own.
pub(super) fn difference(daemon: &str) -> Option<String> {
    (daemon != VERSION)
        .then(|| format!("daemon runs {daemon}, this is {VERSION}: `rota upgrade` replaces it"))
}

async fn daemon(context: &Context) -> Result<Option<Version>, Stop> {
    // The own version is worth telling without a home too.
    let Ok(home) = context.home() else {
        return Ok(None);
    };
    match rota_api::client::Client::connect(home.path()).await {
        Ok(client) => Ok(Some(context.telling(client).version().await?)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(Failure::from(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processes_tell_their_version() {
        let mut daemon = Version {
            version: "0.3.0".into(),
            keeper_version: Some("0.2.0".into()),
            supervisor_pid: 4702,
            keeper_pid: 4701,
            started_at: 0,
            home: "/home/me/.rota".into(),
            foreground: false,
        };
        let told = lines(&daemon);
        assert!(told[0].starts_with("daemon in /home/me/.rota, since "));
        assert_eq!(told[1], "  supervisor 0.3.0 (pid 4702)");
        assert_eq!(told[2], "  keeper 0.2.0 (pid 4701)");
        daemon.keeper_version = None;
        assert_eq!(lines(&daemon)[2], "  keeper unknown (pid 4701)");
    }

    #[test]
    fn a_daemon_of_another_version_gets_a_hint() {
        assert_eq!(difference(VERSION), None);
        let hint = difference("0.0.1").unwrap();
        assert!(hint.starts_with("daemon runs 0.0.1, this is "), "{hint}");
    }
}
