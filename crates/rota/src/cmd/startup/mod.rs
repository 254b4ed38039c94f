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

use rota_api::ExitCode;

use crate::args::{StartupArgs, UnstartupArgs};
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};

use init::Init;
use service::Service;

/// A file of ours has this in it; others are left alone.
const MARK: &str = "Written by `rota startup`";

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
    let plan = plan(init, &service, args.harden)?;
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
    let plan = plan(init, &service, false)?;
    install::may_install(&service, "unstartup")?;
    let mut out = context.out();
    for line in install::remove(init, &service, &plan, args.force)? {
        out.line(&line)?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn plan(init: Init, service: &Service, harden: bool) -> Result<Plan, Stop> {
    if harden && init != Init::Systemd {
        return Err(Failure::usage("--harden is for systemd").into());
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
            text: systemd::unit(service, harden),
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
