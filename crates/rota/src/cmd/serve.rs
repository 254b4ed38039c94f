//! `rota serve`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use rota_api::{ExitCode, StartRequest};
use rota_config::file::Origins;
use rota_config::{AppName, AppSpec, ListenAddr, Span};

use super::{operation, own_program, specs};
use crate::args::{AppFlags, ServeArgs};
use crate::context::Context;
use crate::daemon::connect_or_start;
use crate::failure::{Done, Failure, Stop};
use crate::serve::{PASSWORD, USERNAME, VERB};

/// How long the last downloads may take when it is stopped or reloaded, in milliseconds.
const LAST: u64 = 30_000;

pub(super) fn run(context: &Context, args: &ServeArgs) -> Done {
    let apps = vec![spec(args)?];
    specs::check(&apps, context)?;
    let request = StartRequest::<AppSpec, Origins> {
        apps,
        wait: !args.wait.no_wait,
        force: args.force,
        rest: Vec::new(),
        keep: false,
        origins: BTreeMap::new(),
    };
    context.block_on(async {
        let client = context.telling(connect_or_start(context.home()?).await?);
        operation::tell(context, client.start(&request).await?, args.wait.json).await
    })
}

fn spec(args: &ServeArgs) -> Result<AppSpec, Stop> {
    let folder = args.folder.canonicalize().ok().filter(|path| path.is_dir());
    let Some(folder) = folder else {
        let text = format!("there is no folder {}", args.folder.display());
        return Err(Failure::new(ExitCode::CannotRun, text).into());
    };
    let mut words = vec![VERB.to_owned(), "--folder".to_owned(), text(&folder)?];
    words.extend(args.spa.then(|| "--spa".to_owned()));
    words.extend(args.no_listing.then(|| "--no-listing".to_owned()));
    let name = match &args.name {
        Some(name) => name.clone(),
        None => AppName::new(format!("serve-{}", args.port))
            .map_err(|error| Failure::usage(error.to_string()))?,
    };
    let flags = AppFlags {
        name: Some(name),
        instances: args.instances,
        cwd: Some(folder),
        interpreter: Some("none".to_owned()),
        fork: true,
        listen: vec![listen(args)?],
        wait_ready: true,
        kill_timeout: Some(Span::from_millis(LAST)),
        args: words,
        ..AppFlags::default()
    };
    let mut specs = specs::from_flags(&flags, &[text(&own_program::path()?)?])?;
    let mut spec = specs
        .pop()
        .ok_or_else(|| Failure::usage("there is nothing to serve"))?;
    // In the environment, which others cannot see, and which is kept with the app.
    for (key, value) in [
        (USERNAME, &args.basic_auth_username),
        (PASSWORD, &args.basic_auth_password),
    ] {
        match value {
            Some(value) => spec.env.set(key, value.clone()),
            None => spec.env.remove(key),
        };
    }
    Ok(spec)
}

fn listen(args: &ServeArgs) -> Result<ListenAddr, Failure> {
    let text = match args.host {
        Some(host) => SocketAddr::new(host, args.port).to_string(),
        None => args.port.to_string(),
    };
    text.parse()
        .map_err(|_| Failure::usage(format!("{text} is no address to listen on")))
}

fn text(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::usage(format!("{} is not UTF-8", path.display()))),
    }
}
