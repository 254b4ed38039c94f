//! `rota version`.

use rota_api::{CgroupsView, ExitCode, Version};
use serde::Serialize;

use crate::args::JsonArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::{clean, since};

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
fn lines(daemon: &Version) -> Vec<String> {
    let keeper = daemon.keeper_version.as_deref().unwrap_or("unknown");
    let mut lines = vec![
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
    ];
    lines.extend(daemon.cgroups.as_ref().map(holding));
    lines
}

/// What workers are held by, and what can be limited.
fn holding(cgroups: &CgroupsView) -> String {
    let why = cgroups.why.as_deref();
    let why = why.map(|why| format!(" ({})", clean(why)));
    let why = why.unwrap_or_default();
    let Some(directory) = &cgroups.directory else {
        return format!("  workers are held by process group and session{why}");
    };
    let limits = match cgroups.controllers.as_slice() {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    format!(
        "  workers are held by cgroups in {}, limits of them: {limits}{why}",
        clean(directory)
    )
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
            cgroups: None,
            survivors: Vec::new(),
        };
        let told = lines(&daemon);
        assert!(told[0].starts_with("daemon in /home/me/.rota, since "));
        assert_eq!(told[1], "  supervisor 0.3.0 (pid 4702)");
        assert_eq!(told[2], "  keeper 0.2.0 (pid 4701)");
        daemon.keeper_version = None;
        assert_eq!(lines(&daemon)[2], "  keeper unknown (pid 4701)");
        let mut cgroups = CgroupsView {
            why: Some("it is mounted read-only".into()),
            ..CgroupsView::default()
        };
        assert_eq!(
            holding(&cgroups),
            "  workers are held by process group and session (it is mounted read-only)"
        );
        cgroups = CgroupsView {
            directory: Some("/sys/fs/cgroup/x".into()),
            controllers: vec!["cpu".into(), "memory".into()],
            why: None,
        };
        daemon.cgroups = Some(cgroups);
        assert_eq!(
            lines(&daemon)[3],
            "  workers are held by cgroups in /sys/fs/cgroup/x, limits of them: cpu, memory"
        );
    }

    #[test]
    fn a_daemon_of_another_version_gets_a_hint() {
        assert_eq!(difference(VERSION), None);
        let hint = difference("0.0.1").unwrap();
        assert!(hint.starts_with("daemon runs 0.0.1, this is "), "{hint}");
    }
}
