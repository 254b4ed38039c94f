//! `rota startup` and `rota unstartup`: the service that brings rota's apps back at boot.
//!
//! - `service`: what there is to know of it;
//! - `init`: which kind of system starts it;
//! - `systemd`, `scripts`: what is written;
//! - `install`: the writing, and the words that switch it on.

mod init;
mod install;
mod scripts;
mod service;
mod systemd;

use std::path::PathBuf;
use std::time::Duration;

use rota_api::ExitCode;

use crate::args::{StartupArgs, UnstartupArgs};
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};

use init::Init;
use service::Service;

/// A shorter time would be a danger to what works.
const SHORTEST_WATCHDOG: Duration = Duration::from_secs(1);
/// A file of ours has this in it; others are left alone.
const MARK: &str = "Written by `rota startup`";

/// What systemd can do beyond the usual.
#[derive(Debug, Clone, Copy, Default)]
struct Extras {
    /// Takes from apps what most of them do not need.
    harden: bool,
    /// Ends a keeper that has given no sign for so long.
    watchdog: Option<Duration>,
}

/// What is written, and what is called.
#[derive(Debug)]
struct Plan {
    path: PathBuf,
    text: String,
    mode: u32,
}

pub(super) fn install(context: &Context, args: &StartupArgs) -> Done {
    let service = Service::of(context, &args.place)?;
    let init = Init::of(&args.place)?;
    let extras = Extras {
        harden: args.harden,
        watchdog: args.watchdog.map(|time| time.duration()),
    };
    let plan = plan(init, &service, extras)?;
    let mut out = context.out();
    if args.print {
        out.bytes(plan.text.as_bytes())?;
        out.flush()?;
        return Ok(ExitCode::Ok);
    }
    install::may_install(&service, "startup")?;
    for line in install::install(init, &service, &plan, args.force)? {
        out.line(&line)?;
    }
    for hint in install::next_steps(init, &service) {
        out.line(&hint)?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

pub(super) fn remove(context: &Context, args: &UnstartupArgs) -> Done {
    let service = Service::of(context, &args.place)?;
    let init = Init::of(&args.place)?;
    let plan = plan(init, &service, Extras::default())?;
    install::may_install(&service, "unstartup")?;
    let mut out = context.out();
    for line in install::remove(init, &service, &plan, args.force)? {
        out.line(&line)?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn plan(init: Init, service: &Service, extras: Extras) -> Result<Plan, Stop> {
    for (flag, set) in [
        ("--harden", extras.harden),
        ("--watchdog", extras.watchdog.is_some()),
    ] {
        if set && init != Init::Systemd {
            return Err(Failure::usage(format!("{flag} is for systemd")).into());
        }
    }
    if extras.watchdog.is_some_and(|time| time < SHORTEST_WATCHDOG) {
        return Err(Failure::usage("--watchdog: less than a second ends what is only busy").into());
    }
    if service.user_level && init != Init::Systemd {
        return Err(Failure::usage(
            "--user-level is for systemd: others know no services of users",
        )
        .into());
    }
    let name = &service.name;
    let below = |path: &str| service.root.join(path);
    Ok(match init {
        Init::Systemd => Plan {
            path: systemd::folder(service).join(format!("{name}.service")),
            text: systemd::unit(service, extras),
            mode: 0o644,
        },
        Init::OpenRc => Plan {
            path: below("etc/init.d").join(name),
            text: scripts::openrc(service)?,
            mode: 0o755,
        },
        Init::Sysv => Plan {
            path: below("etc/init.d").join(name),
            text: scripts::sysv(service)?,
            mode: 0o755,
        },
    })
}
