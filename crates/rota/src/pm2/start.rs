//! `pm2 start`: scripts, apps that are there, files, and JSON from standard input.

use std::collections::BTreeMap;
use std::path::Path;

use rota_api::{AppView, DaemonBoot, ErrorCode, ExitCode, RunOptions, StartRequest, Verb};
use rota_config::AppSpec;
use rota_config::file::Origins;

use super::args::Flags;
use super::run::Pm2;
use super::select::select;
use super::{file, specs};
use crate::daemon::{connect_or_start, run_in_place};
use crate::failure::{Done, Failure, Stop};

/// What a word of `pm2 start` is.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// JSON on standard input.
    Stdin,
    /// A file that describes apps.
    File,
    /// A file to be run.
    Script,
    /// What is there under that name, or a command.
    Other,
}

/// A file that is there is meant before an app of that name.
fn kind(flags: &Flags, word: &str) -> Word {
    let there = flags.cwd.as_deref().unwrap_or(".");
    let is_file = Path::new(word).is_file() || Path::new(there).join(word).is_file();
    match word {
        "-" => Word::Stdin,
        _ if file::is_config(word) => Word::File,
        _ if is_file => Word::Script,
        _ => Word::Other,
    }
}

impl Pm2<'_> {
    pub(super) fn start(&self) -> Done {
        if self.flags.no_autostart {
            let failure =
                Failure::usage("--no-autostart: rota's list has no app that was never started");
            return Err(failure
                .hint("`pm2 start` and then `pm2 stop` come to the same")
                .into());
        }
        let found = file::in_this_folder();
        let words = match (self.flags.targets(), &found) {
            ([], Some(found)) => std::slice::from_ref(found),
            ([], None) => {
                return Err(Failure::usage("there is nothing to start: no script is named, and there is no ecosystem.config.js here")
                    .hint("`pm2 start app.js`")
                    .into());
            }
            (words, _) => words,
        };
        let mut code = ExitCode::Ok;
        let mut started = Vec::new();
        for word in words {
            let done = self.start_word(word, &mut started)?;
            code = if code == ExitCode::Ok { done } else { code };
        }
        self.table()?;
        match self.flags.attach && code == ExitCode::Ok {
            true => self.follow(started),
            false => Ok(code),
        }
    }

    fn start_word(&self, word: &str, started: &mut Vec<String>) -> Done {
        match kind(&self.flags, word) {
            Word::Stdin => self.start_stdin(),
            Word::File => self.start_file(word),
            Word::Script => self.start_script(word, started),
            Word::Other => {
                let apps = self.context.block_on(self.apps())?;
                let words = [word.to_owned()];
                match select(&words, &apps) {
                    Ok(chosen) => {
                        started.extend(chosen.targets());
                        // As with PM2, what runs is started anew.
                        self.context
                            .block_on(self.do_to(Verb::Restart, chosen, &apps))
                    }
                    Err(failure) if word == "all" => Err(failure.into()),
                    Err(_) => self.start_script(word, started),
                }
            }
        }
    }

    fn start_script(&self, script: &str, started: &mut Vec<String>) -> Done {
        let spec = specs::app(&self.flags, script)?;
        started.push(spec.name.to_string());
        if self.flags.no_daemon {
            return self.in_foreground(vec![spec], BTreeMap::new(), RunOptions::default());
        }
        self.context
            .block_on(self.start_specs(vec![spec], BTreeMap::new(), self.flags.force))
    }

    /// Starts apps, and a daemon if there is none.
    pub(super) async fn start_specs(
        &self,
        apps: Vec<AppSpec>,
        origins: BTreeMap<String, Origins>,
        force: bool,
    ) -> Done {
        let request = self.request(apps, origins, force)?;
        let client = connect_or_start(self.context.home()?).await?;
        let events = self.context.telling(client).start(&request).await;
        let events = match events {
            Err(rota_api::client::ClientError::Api(error))
                if error.code == ErrorCode::AlreadyRunning =>
            {
                return Err(Failure::new(
                    ExitCode::Failed,
                    "Script already launched, add -f option to force re-execution",
                )
                .hint("`pm2 restart` or `pm2 reload` bring new code; another --name, a second app")
                .into());
            }
            events => events?,
        };
        self.outcome(events).await
    }

    /// Becomes the daemon.
    pub(super) fn in_foreground(
        &self,
        apps: Vec<AppSpec>,
        origins: BTreeMap<String, Origins>,
        run: RunOptions,
    ) -> Done {
        let request = self.request(apps, origins, false)?;
        let boot = DaemonBoot {
            resurrect: false,
            start: Some(request),
            run,
        };
        let boot = serde_json::to_vec(&boot).map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot write the start request").because(&error)
        })?;
        let home = self.context.home()?;
        match self
            .context
            .block_on(async { Ok::<_, Stop>(run_in_place(home, &boot, true).await?) })? {}
    }

    fn request(
        &self,
        mut apps: Vec<AppSpec>,
        origins: BTreeMap<String, Origins>,
        force: bool,
    ) -> Result<StartRequest<AppSpec, Origins>, Stop> {
        if let Some(rotation) = self.rotation()? {
            for app in &mut apps {
                rotation.give(&mut app.logs.rotate, origins.get(app.name.as_str()));
            }
        }
        crate::cmd::specs::check(&apps, self.context)?;
        Ok(StartRequest {
            rest: self.resting(&apps),
            apps,
            wait: true,
            force,
            keep: false,
            origins,
        })
    }

    /// Those that are only listed: `autostart: false`, and nobody has named them.
    fn resting(&self, apps: &[AppSpec]) -> Vec<String> {
        let names = apps
            .iter()
            .filter(|app| !app.autostart)
            .map(|app| app.name.to_string());
        names
            .filter(|name| !self.flags.only.contains(name))
            .collect()
    }

    /// The app of that name, if it is there.
    pub(super) fn known<'v>(apps: &'v [AppView], name: &str) -> Option<&'v AppView> {
        apps.iter().find(|app| app.name == name)
    }
}
