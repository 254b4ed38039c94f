//! Files that describe apps, and JSON on standard input, under PM2's verbs.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use rota_api::{AppStatus, AppView, CommandRequest, ConfigRequest, ExitCode, RunOptions, Verb};
use rota_config::file::{FileApp, Origins};
use rota_config::foreign::{self, Foreign, Taken};
use rota_config::{AppSpec, Described, SpecUpdate};

use super::run::Pm2;
use crate::cmd::specs;
use crate::failure::{Done, Failure, Stop};
use crate::files::{self, Fault, Kind, Source};

/// The apps of a file, and where their settings come from.
pub type Apps = (Vec<AppSpec>, BTreeMap<String, Origins>);

/// More than this is no list of apps, in bytes.
const LARGEST: u64 = files::LARGEST;

/// True for names of files that describe apps.
pub fn is_config(word: &str) -> bool {
    Kind::of(Path::new(word)).is_some()
}

/// The file that is meant where nothing is named.
pub fn in_this_folder() -> Option<String> {
    let found = files::usual(Path::new("."), |kind| {
        matches!(kind, Kind::JavaScript | Kind::Json | Kind::Yaml)
    })?;
    found.into_os_string().into_string().ok()
}

impl Pm2<'_> {
    /// The apps of a file, for `pm2-runtime`.
    pub(super) fn apps_of_file(&self, word: &str) -> Result<Apps, Stop> {
        let apps = self.read(word)?;
        Ok(split(apps))
    }

    /// `pm2 start FILE`: what is there already is restarted with what the file says.
    pub(super) fn start_file(&self, word: &str) -> Done {
        let apps = self.read(word)?;
        if self.flags.no_daemon {
            let (specs, origins) = split(apps);
            return self.in_foreground(specs, origins, RunOptions::default());
        }
        self.context.block_on(self.bring(Verb::Restart, apps))
    }

    /// `pm2 start -`.
    pub(super) fn start_stdin(&self) -> Done {
        let mut text = String::new();
        let read = std::io::stdin().take(LARGEST).read_to_string(&mut text);
        read.map_err(|error| {
            Failure::new(ExitCode::Failed, "cannot read standard input").because(&error)
        })?;
        let value = foreign::json(&text)
            .map_err(|mistake| Failure::usage(format!("standard input: {mistake}")))?;
        let here = specs::absolute(Path::new("."))?;
        let source = Source::Foreign(Foreign::ecosystem(here.join("standard input"), value));
        let apps = self.described("standard input", &source)?;
        self.context.block_on(self.bring(Verb::Restart, apps))
    }

    /// `startOrRestart`, `startOrReload`.
    pub(super) fn start_or(&self, verb: Verb) -> Done {
        let [word] = self.needed("a file")? else {
            return Err(Failure::usage("one file at a time").into());
        };
        let apps = match word.as_str() {
            "-" => return self.start_stdin(),
            word => self.read(word)?,
        };
        let code = self.context.block_on(self.bring(verb, apps))?;
        self.table()?;
        Ok(code)
    }

    /// A verb for what files describe; `None` if no word names a file.
    pub(super) fn act_on_files(
        &self,
        verb: Verb,
        words: &[String],
    ) -> Result<Option<ExitCode>, Stop> {
        if !words.iter().any(|word| is_config(word)) {
            return Ok(None);
        }
        let mut code = ExitCode::Ok;
        for word in words {
            let apps = self.read(word)?;
            let done = match verb {
                Verb::Restart | Verb::Reload => self.context.block_on(self.bring(verb, apps))?,
                _ => self.context.block_on(self.end(verb, word, &apps))?,
            };
            code = if code == ExitCode::Ok { done } else { code };
        }
        self.table()?;
        Ok(Some(code))
    }

    async fn end(&self, verb: Verb, word: &str, apps: &[FileApp]) -> Done {
        let known = self.apps().await?;
        let there = |app: &&FileApp| Self::known(&known, app.spec.name.as_str()).is_some();
        let targets: Vec<String> = apps
            .iter()
            .filter(there)
            .map(|app| app.spec.name.to_string())
            .collect();
        if targets.is_empty() {
            let text = format!("none of the apps of {word} is there");
            return Err(Failure::new(ExitCode::Failed, text).into());
        }
        self.command(verb, targets, None).await
    }

    /// Reads a file; what is not as one may think is told.
    fn read(&self, word: &str) -> Result<Vec<FileApp>, Stop> {
        let path = Path::new(word);
        if !path.is_file() {
            return Err(Failure::new(ExitCode::Failed, format!("File {word} not found")).into());
        }
        let source = files::read(path)?;
        self.described(word, &source)
    }

    fn described(&self, word: &str, source: &Source) -> Result<Vec<FileApp>, Stop> {
        let profile = self.flags.env.as_deref().filter(|name| !name.is_empty());
        if let Some(name) = profile
            && !source.profiles().iter().any(|have| have == name)
        {
            self.warn(&format!(
                "{word} has nothing for --env {name}: {}",
                source.profile_example(name)
            ));
        }
        let taken = source
            .apps(profile, &specs::caller_env())
            .map_err(|faults| wrong(word, &faults))?;
        for warning in &taken.warnings {
            self.warn(&format!("{word}: {warning}"));
        }
        let mut apps = self.choose(word, taken)?;
        if let Source::Foreign(_) = source {
            let specs = apps.iter_mut().map(|app| &mut app.spec);
            specs.for_each(super::specs::input);
        }
        if let Some(fault) = source.programs(&apps).into_iter().next() {
            return Err(wrong(word, &[fault]).into());
        }
        Ok(apps)
    }

    /// The apps of `--only`, or all.
    fn choose(&self, word: &str, taken: Taken) -> Result<Vec<FileApp>, Failure> {
        let Taken { apps, .. } = taken;
        let only = &self.flags.only;
        let there = |name: &String| apps.iter().any(|app| app.spec.name.as_str() == name);
        if let Some(name) = only.iter().find(|name| !there(name)) {
            return Err(Failure::usage(format!("{word} has no app `{name}`")));
        }
        let wanted = |app: &FileApp| {
            only.is_empty() || only.iter().any(|name| app.spec.name.as_str() == name)
        };
        Ok(apps.into_iter().filter(wanted).collect())
    }

    /// Makes what runs as the file says: starts what is not there, renews what is.
    async fn bring(&self, verb: Verb, apps: Vec<FileApp>) -> Done {
        let known = self.apps().await?;
        self.tell_removed(&known, &apps).await?;
        let running = |app: &FileApp| {
            let view = Self::known(&known, app.spec.name.as_str());
            view.is_some_and(|view| !matches!(view.status, AppStatus::Stopped | AppStatus::Errored))
        };
        let (old, new): (Vec<_>, Vec<_>) = apps.into_iter().partition(running);
        let mut code = ExitCode::Ok;
        if !new.is_empty() {
            let (specs, origins) = split(new);
            code = self.start_specs(specs, origins, true).await?;
        }
        for app in old {
            let Some(view) = Self::known(&known, app.spec.name.as_str()) else {
                continue;
            };
            let done = self.renew_whole(verb, app, view).await?;
            code = if code == ExitCode::Ok { done } else { code };
        }
        Ok(code)
    }

    /// An app as a whole: with variables and settings that the file has no more taken away.
    async fn renew_whole(&self, verb: Verb, mut app: FileApp, view: &AppView) -> Done {
        if let Some(rotation) = self.rotation()? {
            rotation.give(&mut app.spec.logs.rotate, Some(&app.origins));
        }
        let name = app.spec.name.to_string();
        let cpus = u32::try_from(rota_sys::cpus::available()).unwrap_or(u32::MAX);
        let (wanted, text) = (
            app.spec.instances.count(cpus),
            app.spec.instances.to_string(),
        );
        let update = SpecUpdate {
            whole: Some(Box::new(Described {
                spec: app.spec,
                origins: Some(app.origins),
            })),
            ..SpecUpdate::default()
        };
        let code = self.command(verb, vec![name.clone()], Some(update)).await?;
        if code != ExitCode::Ok || view.instances == wanted {
            return Ok(code);
        }
        let request = CommandRequest::<SpecUpdate> {
            verb: Verb::Scale,
            targets: vec![name],
            instances: Some(text),
            wait: true,
            update: None,
        };
        let events = self.context.client().await?.command(&request).await?;
        self.outcome(events).await
    }

    /// An app that this file has described, and describes no more, is left alone: others may have renamed it on purpose.
    async fn tell_removed(&self, known: &[AppView], apps: &[FileApp]) -> Result<(), Stop> {
        let Some(file) = apps
            .first()
            .map(|app| app.origins.file.display().to_string())
        else {
            return Ok(());
        };
        if !self.flags.only.is_empty() {
            return Ok(());
        }
        let gone = |view: &&AppView| apps.iter().all(|app| app.spec.name.as_str() != view.name);
        for view in known.iter().filter(gone) {
            let request = ConfigRequest {
                target: view.name.clone(),
            };
            let config = self.context.client().await?.config(&request).await?;
            if config.file.as_deref() == Some(file.as_str()) {
                self.warn(&format!(
                    "{} was started from this file and is not in it any more; `pm2 delete {}` removes it",
                    view.name, view.name
                ));
            }
        }
        Ok(())
    }
}

fn split(apps: Vec<FileApp>) -> Apps {
    let mut origins = BTreeMap::new();
    let mut specs = Vec::new();
    for app in apps {
        origins.insert(app.spec.name.to_string(), app.origins);
        specs.push(app.spec);
    }
    (specs, origins)
}

/// Everything that is wrong with a file, in one failure.
fn wrong(word: &str, faults: &[Fault]) -> Failure {
    let tell = |fault: &Fault| match fault {
        Fault::Line(problem) => problem.message.clone(),
        Fault::Field(mistake) => mistake.to_string(),
    };
    let mut texts: Vec<String> = faults.iter().map(tell).collect();
    let first = match texts.is_empty() {
        true => "it is wrong".to_owned(),
        false => texts.remove(0),
    };
    let help = faults.iter().find_map(|fault| match fault {
        Fault::Line(problem) => problem.help.clone(),
        Fault::Field(mistake) => mistake.help.clone(),
    });
    let failure = Failure {
        detail: texts,
        ..Failure::usage(format!("{word}: {first}"))
    };
    match help {
        Some(help) => failure.hint(help),
        None => failure,
    }
}
