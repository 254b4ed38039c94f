//! Verbs that do something to apps that are there.

use rota_api::{
    AppStatus, AppView, CommandRequest, CommandResult, ConfigRequest, ExitCode, ExportView, Origin,
    SignalRequest, Verb,
};
use rota_config::{AppSpec, Described, SpecUpdate};

use super::rotation::Rotation;
use super::run::Pm2;
use super::select::{Chosen, select};
use super::specs;
use crate::cmd::operation;
use crate::failure::{Done, Failure, Stop};

impl Pm2<'_> {
    pub(super) fn stop(&self) -> Done {
        self.act(Verb::Stop)
    }

    pub(super) fn restart(&self) -> Done {
        self.act(Verb::Restart)
    }

    pub(super) fn reload(&self) -> Done {
        self.act(Verb::Reload)
    }

    pub(super) fn delete(&self) -> Done {
        self.act(Verb::Delete)
    }

    /// A verb for everything that is named: apps, or the apps of a file.
    fn act(&self, verb: Verb) -> Done {
        let words = self.needed("a target (id, name, namespace, all, or a file)")?;
        if let Some(code) = self.act_on_files(verb, words)? {
            return Ok(code);
        }
        let code = self.context.block_on(async {
            let apps = self.apps().await?;
            let chosen = select(words, &apps)?;
            self.do_to(verb, chosen, &apps).await
        })?;
        self.table()?;
        Ok(code)
    }

    /// Does it to what was chosen.
    pub(super) async fn do_to(&self, verb: Verb, chosen: Chosen, apps: &[AppView]) -> Done {
        match verb {
            Verb::Delete => self.delete_chosen(chosen, apps).await,
            Verb::Restart | Verb::Reload => self.renew(verb, chosen, apps).await,
            _ => self.command(verb, chosen.targets(), None).await,
        }
    }

    /// Sends a command; tells what came of it.
    pub(super) async fn command(
        &self,
        verb: Verb,
        targets: Vec<String>,
        update: Option<SpecUpdate>,
    ) -> Done {
        if targets.is_empty() {
            return Ok(ExitCode::Ok);
        }
        let request = CommandRequest {
            verb,
            targets,
            instances: None,
            wait: true,
            update,
        };
        self.send(&request).await
    }

    async fn send(&self, request: &CommandRequest<SpecUpdate>) -> Done {
        let events = self.context.client().await?.command(request).await?;
        self.outcome(events).await
    }

    /// Changes settings of an app that need no new workers.
    pub(super) async fn define(
        &self,
        app: &str,
        update: SpecUpdate,
    ) -> Result<Vec<CommandResult>, Stop> {
        let request = CommandRequest {
            verb: Verb::Define,
            targets: vec![app.to_owned()],
            instances: None,
            wait: true,
            update: Some(update),
        };
        let events = self.context.client().await?.command(&request).await?;
        let mut results = self.awaited(events).await?;
        operation::defined(&mut results);
        Ok(results)
    }

    /// An id takes one worker away: the last one, as slots have no gaps; the only one, with its app.
    async fn delete_chosen(&self, mut chosen: Chosen, apps: &[AppView]) -> Done {
        let mut fewer: Vec<(String, u32)> = Vec::new();
        for id in std::mem::take(&mut chosen.ids) {
            let of = apps
                .iter()
                .find(|app| app.workers.iter().any(|worker| worker.id == id));
            let Some(app) = of else { continue };
            match fewer.iter_mut().find(|(name, _)| *name == app.name) {
                Some((_, count)) => *count += 1,
                None => fewer.push((app.name.clone(), 1)),
            }
        }
        let all = |name: &str, count: u32| {
            let app = apps.iter().find(|app| app.name == name);
            app.is_none_or(|app| app.instances <= count)
        };
        let (whole, some): (Vec<_>, Vec<_>) = fewer
            .into_iter()
            .partition(|(name, count)| all(name, *count));
        chosen.apps.extend(whole.into_iter().map(|(name, _)| name));
        let mut code = self.command(Verb::Delete, chosen.apps, None).await?;
        for (name, count) in some {
            self.warn(&format!(
                "{name}: the last of its workers leave; those that stay keep their places"
            ));
            let request = CommandRequest {
                verb: Verb::Scale,
                targets: vec![name],
                instances: Some(format!("-{count}")),
                wait: true,
                update: None,
            };
            let done = self.send(&request).await?;
            code = if code == ExitCode::Ok { done } else { code };
        }
        Ok(code)
    }

    /// Restart and reload; what is stopped is started.
    async fn renew(&self, verb: Verb, chosen: Chosen, apps: &[AppView]) -> Done {
        let at_rest = |name: &String| {
            let app = apps.iter().find(|app| app.name == *name);
            app.is_some_and(|app| matches!(app.status, AppStatus::Stopped | AppStatus::Errored))
        };
        let Chosen { apps: names, ids } = chosen;
        let (rest, running): (Vec<_>, Vec<_>) = names.into_iter().partition(at_rest);
        let single = |id: &u32| {
            let worker = apps
                .iter()
                .flat_map(|app| &app.workers)
                .find(|worker| worker.id == *id);
            worker.is_some_and(|worker| worker.pid.is_none())
        };
        // A single worker that does not run has nothing to be reloaded.
        let (down, up): (Vec<_>, Vec<_>) = ids.into_iter().partition(single);
        let text = |ids: Vec<u32>| ids.into_iter().map(|id| id.to_string());
        let mut code = ExitCode::Ok;
        for (verb, targets) in [
            (Verb::Start, rest),
            (verb, running.into_iter().chain(text(up)).collect()),
            (Verb::Restart, text(down).collect()),
        ] {
            let done = self.renew_all(verb, targets, apps).await?;
            code = if code == ExitCode::Ok { done } else { code };
        }
        Ok(code)
    }

    async fn renew_all(&self, verb: Verb, targets: Vec<String>, apps: &[AppView]) -> Done {
        let rotation = self.rotation()?;
        let plain = !self.flags.update_env && !self.changes();
        if plain && rotation.is_none() {
            return self.command(verb, targets, None).await;
        }
        let mut code = ExitCode::Ok;
        for target in targets {
            let named = |app: &&AppView| {
                let id = target.parse::<u32>().ok();
                app.name == target || app.workers.iter().any(|worker| Some(worker.id) == id)
            };
            let Some(app) = apps.iter().find(named) else {
                continue;
            };
            // A single worker stays what the others are.
            let whole = target == app.name;
            let rotation = rotation.as_ref();
            let rotation = rotation.filter(|new| whole && is_news(new, app));
            let update = match plain && rotation.is_none() {
                true => None,
                false => Some(self.change(app, rotation).await?),
            };
            let done = self.command(verb, vec![target], update).await?;
            code = if code == ExitCode::Ok { done } else { code };
        }
        Ok(code)
    }

    /// True if flags describe the app otherwise than it is.
    fn changes(&self) -> bool {
        let plain = super::args::Flags {
            words: self.flags.words.clone(),
            update_env: self.flags.update_env,
            silent: self.flags.silent,
            no_color: self.flags.no_color,
            ..Default::default()
        };
        specs::overlay_differs(&plain, &self.flags)
    }

    /// What `--update-env`, other flags and pm2-logrotate change of an app.
    pub(super) async fn change(
        &self,
        app: &AppView,
        rotation: Option<&Rotation>,
    ) -> Result<SpecUpdate, Stop> {
        let mut update = SpecUpdate::default();
        let changes = self.changes();
        if changes || rotation.is_some() {
            let ExportView {
                spec, mut origins, ..
            } = self.export_of(&app.name).await?;
            let unknown = |error: &serde_json::Error| {
                let text = format!("{}: its settings are not understood", app.name);
                Failure::new(ExitCode::Failed, text).because(error)
            };
            let mut spec: AppSpec =
                serde_json::from_value(spec).map_err(|error| unknown(&error))?;
            if let Some(rotation) = rotation {
                rotation.give(&mut spec.logs.rotate, origins.as_ref());
            }
            if changes {
                specs::overlay(&mut spec, &self.flags)?;
                origins = None;
            }
            update.whole = Some(Box::new(Described { spec, origins }));
        }
        if self.flags.update_env {
            let env = crate::cmd::specs::caller_env();
            update.unset_env = self.gone(app, &env).await?;
            update.caller_env = Some(env);
        }
        Ok(update)
    }

    /// The app's variables that came from a shell and are in this one's environment no more.
    async fn gone(&self, app: &AppView, env: &rota_config::Env) -> Result<Vec<String>, Stop> {
        if !app.settings.pm2_env {
            // Flags of `rota start` may have set them.
            return Ok(Vec::new());
        }
        let request = ConfigRequest {
            target: app.name.clone(),
        };
        let config = self.context.client().await?.config(&request).await?;
        // What an earlier `--update-env` has brought counts as given.
        let from_shell = |origin: &Origin| matches!(origin, Origin::Shell | Origin::Given);
        let gone = config
            .env
            .iter()
            .filter(|variable| from_shell(&variable.origin) && env.get(&variable.name).is_none());
        Ok(gone.map(|variable| variable.name.clone()).collect())
    }

    pub(super) fn scale(&self) -> Done {
        let [name, number] = self.needed("the name of an app")? else {
            return Err(Failure::usage(
                "scale needs an app and a number: `pm2 scale api 4`, +1, -1",
            )
            .into());
        };
        if number == "0" {
            let failure = Failure::new(
                ExitCode::Failed,
                format!("{name}: an app has at least one worker"),
            );
            return Err(failure
                .hint(format!(
                    "`pm2 stop {name}` stops it, `pm2 delete {name}` forgets it"
                ))
                .into());
        }
        let code = self.context.block_on(async {
            let apps = self.apps().await?;
            let chosen = select(std::slice::from_ref(name), &apps)?;
            let targets = chosen.apps;
            if targets.is_empty() {
                return Err(
                    Failure::usage(format!("{name} is one worker; scale needs an app")).into(),
                );
            }
            let request = CommandRequest {
                verb: Verb::Scale,
                targets,
                instances: Some(number.clone()),
                wait: true,
                update: None,
            };
            self.send(&request).await
        })?;
        self.table()?;
        Ok(code)
    }

    /// Counts restarts anew.
    pub(super) fn reset(&self) -> Done {
        let words = self.needed("a target (id, name or all)")?;
        let code = self.context.block_on(async {
            let chosen = select(words, &self.apps().await?)?;
            self.command(Verb::Reset, chosen.targets(), None).await
        })?;
        self.table()?;
        Ok(code)
    }

    pub(super) fn send_signal(&self) -> Done {
        let [signal, words @ ..] = self.needed("a signal")? else {
            return Ok(ExitCode::Failed);
        };
        if words.is_empty() {
            return Err(Failure::usage(
                "sendSignal needs a signal and a target: `pm2 sendSignal SIGUSR2 api`",
            )
            .into());
        }
        self.context.block_on(async {
            let chosen = select(words, &self.apps().await?)?;
            let request = SignalRequest {
                targets: chosen.targets(),
                signal: signal.clone(),
            };
            let sent = self.context.client().await?.signal(&request).await?;
            let pids: Vec<String> = sent.pids.iter().map(u32::to_string).collect();
            self.say(&match pids.is_empty() {
                true => format!("{} was sent to nobody: no process runs", sent.signal),
                false => format!("{} was sent to {}", sent.signal, pids.join(", ")),
            })
        })?;
        Ok(ExitCode::Ok)
    }
}

/// True if pm2-logrotate says other things than hold for the app. It says nothing of apps that `pm2` has not started.
pub(super) fn is_news(rotation: &Rotation, app: &AppView) -> bool {
    let logs = app.settings.logs.as_ref();
    app.settings.pm2_env && !logs.is_some_and(|logs| rotation.is_that_of(logs))
}
