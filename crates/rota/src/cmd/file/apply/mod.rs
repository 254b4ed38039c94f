//! `rota apply`: what runs becomes what the file says.

mod ask;
mod carry;
mod compare;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rota_api::{ExitCode, PlanAction, PlanEntry, PlanOther};
use rota_config::AppName;
use rota_config::file::FileApp;

use super::load::{DEFAULT, check_programs, under};
use super::start::{choose, resting};
use crate::args::ApplyArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::files::{Source, read};

/// What is to be done, and with what.
struct Plan {
    path: PathBuf,
    /// Groups of apps, those that others depend on first.
    order: Vec<Vec<AppName>>,
    apps: Vec<FileApp>,
    /// What is not to be started.
    rests: BTreeSet<AppName>,
    entries: Vec<PlanEntry>,
    /// Apps that the file has not, or no more.
    others: Vec<PlanOther>,
    /// Only a part of the file was looked at.
    partial: bool,
}

impl Plan {
    fn entry(&self, name: &AppName) -> Option<&PlanEntry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.app == name.as_str())
    }

    fn is_empty(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.all(|entry| entry.action == PlanAction::Nothing)
    }

    /// What costs more than the doing: apps that go, and apps that are away for a moment.
    fn costs(&self) -> impl Iterator<Item = &PlanEntry> {
        let costly =
            |entry: &&PlanEntry| matches!(entry.action, PlanAction::Remove | PlanAction::Recreate);
        self.entries.iter().filter(costly)
    }
}

/// Makes what runs equal to what the file says.
pub(in crate::cmd) fn apply(context: &Context, args: &ApplyArgs) -> Done {
    let path = args.file.as_deref().unwrap_or(Path::new(DEFAULT));
    let file = read(path)?;
    // What is wrong with it is told before anybody is asked anything.
    under(context, path, &file, args.profile.as_deref())?;
    context.block_on(async {
        let plan = plan(context, path, &file, args).await?;
        show::show(context, &plan, args.json)?;
        if plan.is_empty() {
            return Ok(ExitCode::Ok);
        }
        if args.dry_run {
            return Ok(ExitCode::Pending);
        }
        if !ask::go_on(context, &plan, args)? {
            let failure = Failure::new(ExitCode::Failed, "nothing was done");
            return Err(failure.into());
        }
        carry::out(context, &plan, args.json).await
    })
}

async fn plan(
    context: &Context,
    path: &Path,
    file: &Source,
    args: &ApplyArgs,
) -> Result<Plan, Stop> {
    let profile = compare::profile(context, path, file, args.profile.as_deref()).await?;
    let all = under(context, path, file, profile.as_deref())?.apps;
    let apps = choose(file, &all, &args.only)?;
    check_programs(context, path, file, &apps)?;
    let rests = resting(&apps, &args.only);
    let mut compared = compare::compare(context, file, &apps, &rests).await?;
    // What is in the file and was not chosen is none of the others.
    let in_file = |other: &PlanOther| file.names().iter().any(|name| name.as_str() == other.app);
    compared.others.retain(|other| !in_file(other));
    if args.prune {
        let (gone, left) = compared
            .others
            .into_iter()
            .partition(|other| other.from_file);
        compared.others = left;
        let gone: Vec<PlanOther> = gone;
        let remove = |other: PlanOther| PlanEntry::new(other.app, PlanAction::Remove);
        compared.apps.extend(gone.into_iter().map(remove));
    }
    Ok(Plan {
        path: path.to_owned(),
        order: file.order(),
        apps,
        rests,
        entries: compared.apps,
        others: compared.others,
        partial: !args.only.is_empty(),
    })
}
