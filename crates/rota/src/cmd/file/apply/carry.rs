//! Carrying a plan out: what others depend on first, and what depends on a failure not at all.

use std::collections::BTreeSet;

use rota_api::client::ClientError;
use rota_api::{
    ApiError, CommandRequest, CommandResult, ErrorCode, ExitCode, Finished, PlanAction, PlanEntry,
    StreamEvent, Verb,
};
use rota_config::file::FileApp;
use rota_config::{AppName, Described, SpecUpdate};

use super::Plan;
use crate::args::WaitFlags;
use crate::cmd::file::start::{explain, not_ready, request};
use crate::cmd::operation;
use crate::context::Context;
use crate::daemon::connect_or_start;
use crate::failure::{Done, Stop};

/// Carries the plan out. The exit code is that of the first failure.
pub(super) async fn out(context: &Context, plan: &Plan, json: bool) -> Done {
    let mut carry = Carry {
        context,
        rests: &plan.rests,
        json,
        failed: BTreeSet::new(),
        code: ExitCode::Ok,
    };
    for group in &plan.order {
        carry.group(plan, group).await?;
    }
    carry.remove(plan).await?;
    Ok(carry.code)
}

struct Carry<'a> {
    context: &'a Context,
    rests: &'a BTreeSet<AppName>,
    json: bool,
    failed: BTreeSet<AppName>,
    code: ExitCode,
}

impl Carry<'_> {
    /// Apps that do not depend on each other: new ones together, then those that change, one after the other.
    async fn group(&mut self, plan: &Plan, group: &[AppName]) -> Result<(), Stop> {
        let mut new = Vec::new();
        let mut there = Vec::new();
        for name in group {
            let app = plan.apps.iter().find(|app| app.spec.name == *name);
            let (Some(app), Some(entry)) = (app, plan.entry(name)) else {
                continue;
            };
            if entry.action == PlanAction::Nothing {
                continue;
            }
            if app.depends_on.iter().any(|name| self.failed.contains(name)) {
                self.refuse(app, entry)?;
                continue;
            }
            match entry.action {
                PlanAction::Add | PlanAction::List => new.push(app),
                PlanAction::Start if !entry.start => new.push(app),
                _ => there.push((app, entry)),
            }
        }
        if !new.is_empty() {
            self.start(new.into_iter().cloned().collect()).await?;
        }
        for (app, entry) in there {
            self.change(app, entry).await?;
        }
        Ok(())
    }

    async fn change(&mut self, app: &FileApp, entry: &PlanEntry) -> Result<(), Stop> {
        let name = &app.spec.name;
        let done = match entry.action {
            PlanAction::Recreate => {
                let gone = self.command(plain(Verb::Delete, name)).await?;
                if gone {
                    self.start(vec![app.clone()]).await?;
                }
                return Ok(());
            }
            PlanAction::Reload => self.command(updating(Verb::Reload, app)).await?,
            PlanAction::Define => self.command(updating(Verb::Define, app)).await?,
            _ => true,
        };
        if done && entry.start && !self.command(plain(Verb::Start, name)).await? {
            return Ok(());
        }
        if let Some(scale) = entry.scale.filter(|_| done) {
            let mut request = plain(Verb::Scale, name);
            request.instances = Some(scale.to.to_string());
            self.command(request).await?;
        }
        Ok(())
    }

    async fn remove(&mut self, plan: &Plan) -> Result<(), Stop> {
        let gone = plan
            .entries
            .iter()
            .filter(|entry| entry.action == PlanAction::Remove);
        let targets: Vec<String> = gone.map(|entry| entry.app.clone()).collect();
        if !targets.is_empty() {
            let request = operation::request(Verb::Delete, targets, &waiting());
            self.command(request).await?;
        }
        Ok(())
    }

    async fn start(&mut self, apps: Vec<FileApp>) -> Result<(), Stop> {
        let client = connect_or_start(self.context.home()?).await?;
        let events = self
            .context
            .telling(client)
            .start(&request(apps, self.rests))
            .await?;
        let mut results = operation::follow(self.context, events, self.json).await?;
        explain(&mut results, self.rests);
        self.take(&results)?;
        Ok(())
    }

    /// True if it went well.
    async fn command(&mut self, request: CommandRequest<SpecUpdate>) -> Result<bool, Stop> {
        let events = match self.context.client().await?.command(&request).await {
            Ok(events) => events,
            Err(ClientError::Api(error)) => return self.refused(&request, &error),
            Err(error) => return Err(error.into()),
        };
        let mut results = operation::follow(self.context, events, self.json).await?;
        if request.verb == Verb::Define {
            operation::defined(&mut results);
        }
        self.take(&results)
    }

    fn refuse(&mut self, app: &FileApp, entry: &PlanEntry) -> Result<(), Stop> {
        let what = match entry.action {
            PlanAction::Add | PlanAction::List | PlanAction::Start => "not started",
            _ => "left as it is",
        };
        let results = vec![not_ready(app, &self.failed, what)];
        self.tell(&results)?;
        self.take(&results)?;
        Ok(())
    }

    /// The daemon would not even begin: nothing of that app has changed. What does not depend on it goes on.
    fn refused(
        &mut self,
        request: &CommandRequest<SpecUpdate>,
        error: &ApiError,
    ) -> Result<bool, Stop> {
        let result = |app: &String| {
            let own = error.message.strip_prefix(app.as_str());
            let own = own.and_then(|rest| rest.strip_prefix(": "));
            CommandResult {
                hint: error.hint.clone(),
                ..CommandResult::failed(app, error.code, own.unwrap_or(&error.message))
            }
        };
        let results: Vec<CommandResult> = request.targets.iter().map(result).collect();
        self.tell(&results)?;
        self.take(&results)
    }

    /// Tells programs of results of which the daemon has no events.
    fn tell(&self, results: &[CommandResult]) -> Result<(), Stop> {
        if !self.json {
            return Ok(());
        }
        let results = results.to_vec();
        let mut out = self.context.out();
        out.json(&StreamEvent::Finished(Finished { results }))?;
        out.flush()
    }

    fn take(&mut self, results: &[CommandResult]) -> Result<bool, Stop> {
        let failed =
            |result: &&CommandResult| !result.ok && result.code != Some(ErrorCode::AlreadyRunning);
        let failed = results.iter().filter(failed);
        let names = failed.filter_map(|result| AppName::new(result.app.clone()).ok());
        self.failed.extend(names);
        let code = operation::results(self.context, results, self.json)?;
        if self.code == ExitCode::Ok {
            self.code = code;
        }
        Ok(code == ExitCode::Ok)
    }
}

fn waiting() -> WaitFlags {
    WaitFlags {
        no_wait: false,
        json: false,
    }
}

fn plain(verb: Verb, name: &AppName) -> CommandRequest<SpecUpdate> {
    operation::request(verb, vec![name.to_string()], &waiting())
}

fn updating(verb: Verb, app: &FileApp) -> CommandRequest<SpecUpdate> {
    let mut request = plain(verb, &app.spec.name);
    request.update = Some(SpecUpdate {
        whole: Some(Box::new(Described {
            spec: app.spec.clone(),
            origins: Some(app.origins.clone()),
        })),
        ..SpecUpdate::default()
    });
    request
}
