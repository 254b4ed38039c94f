//! Asking the daemon what is different. Without a daemon everything is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rota_api::client::{Client, ClientError};
use rota_api::{ConfigRequest, PlanAction, PlanEntry, PlanRequest, PlanResponse};
use rota_config::AppName;
use rota_config::file::FileApp;

use crate::context::Context;
use crate::failure::{Failure, Stop};
use crate::files::Source;

/// The daemon, if there is one.
async fn daemon(context: &Context) -> Result<Option<Client>, Stop> {
    match Client::connect(context.home()?.path()).await {
        Ok(client) => Ok(Some(context.telling(client))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The profile that is meant: the one that was named, or else the one that the apps of this file run with. Who applies a
/// file by hand does not mean to leave production.
pub(super) async fn profile(
    context: &Context,
    path: &Path,
    file: &Source,
    named: Option<&str>,
) -> Result<Option<String>, Stop> {
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    let Some(mut client) = daemon(context).await? else {
        return Ok(None);
    };
    let mut profiles = BTreeSet::new();
    for name in file.names() {
        let request = ConfigRequest {
            target: name.to_string(),
        };
        let now = match client.config(&request).await {
            Ok(now) => now,
            // It is not there yet.
            Err(ClientError::Api(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if now.file.as_deref().map(Path::new) == Some(file.path()) {
            profiles.insert(now.profile);
        }
    }
    match profiles.len() {
        0 | 1 => Ok(profiles.into_iter().flatten().next()),
        _ => {
            let names = profiles
                .iter()
                .map(|name| name.as_deref().unwrap_or("none"));
            let names: Vec<&str> = names.collect();
            let text = format!(
                "the apps of {} run with several profiles: {}",
                path.display(),
                names.join(", ")
            );
            Err(Failure::usage(text)
                .hint("name the one that is meant: --env PROFILE, or --env '' for none")
                .into())
        }
    }
}

/// What has to happen.
pub(super) async fn compare(
    context: &Context,
    file: &Source,
    apps: &[FileApp],
    rests: &BTreeSet<AppName>,
) -> Result<PlanResponse, Stop> {
    let Some(mut client) = daemon(context).await? else {
        return Ok(everything(apps, rests));
    };
    let origins: BTreeMap<_, _> = apps
        .iter()
        .map(|app| (app.spec.name.to_string(), app.origins.clone()))
        .collect();
    let request = PlanRequest {
        apps: apps.iter().map(|app| app.spec.clone()).collect(),
        origins,
        rest: rests.iter().map(ToString::to_string).collect(),
        file: file.path().display().to_string(),
    };
    Ok(client.plan(&request).await?)
}

fn everything(apps: &[FileApp], rests: &BTreeSet<AppName>) -> PlanResponse {
    let entry = |app: &FileApp| {
        let action = match rests.contains(&app.spec.name) {
            true => PlanAction::List,
            false => PlanAction::Add,
        };
        PlanEntry::new(app.spec.name.as_str(), action)
    };
    PlanResponse {
        apps: apps.iter().map(entry).collect(),
        others: Vec::new(),
    }
}
