//! `save`, `resurrect` and `cleardump`: dump.pm2, in PM2's form.

use std::path::{Path, PathBuf};

use rota_api::ExitCode;
use rota_config::file::Outside;
use rota_config::foreign::pm2::Dump;
use rota_config::foreign::{Foreign, Mistake};
use rota_config::{AppName, AppSpec, Env};
use serde_json::Value;

use super::home;
use super::objects::{Shown, Source};
use super::run::Pm2;
use crate::daemon::connect_or_start;
use crate::failure::{Done, Failure, Stop};

/// Where an app's specification stands in its entry: all that rota knows, of which PM2's own keys can only say a part.
const OWN: &str = "rota";

impl Pm2<'_> {
    fn dump_path(&self) -> PathBuf {
        self.pm2_home.join("dump.pm2")
    }

    /// `save`: rota has saved everything already; this is for whoever reads the file.
    pub(super) fn save(&self) -> Done {
        let entries = self.context.block_on(self.entries())?;
        if entries.is_empty() && !self.flags.force {
            self.warn(
                "there is no app, and the dump stays as it is; `pm2 save --force` empties it",
            );
            return Ok(ExitCode::Ok);
        }
        let path = self.dump_path();
        if let Some(old) = home::read(&path)? {
            home::write(&path.with_extension("pm2.bak"), &old)?;
        }
        home::write(&path, &pretty(&entries)?)?;
        self.say(&format!("the list is saved in {}", path.display()))?;
        self.say("rota keeps its list by itself: it is there again without this")?;
        Ok(ExitCode::Ok)
    }

    /// An entry for each worker, as in `jlist`, with secrets.
    async fn entries(&self) -> Result<Vec<Value>, Stop> {
        let mut entries = Vec::new();
        for app in self.apps().await? {
            let env = self.env_of(&app.name, true).await?;
            let spec = self.spec_of(&app.name).await?;
            let source = Source {
                app: &app,
                env: &env,
                spec: &spec,
                pm2_home: &self.pm2_home,
                shown: Shown::All,
            };
            for mut object in source.objects() {
                let mut entry = object["pm2_env"].take();
                entry[OWN] = spec.clone();
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// `resurrect`: starts what is in the dump and not in the list.
    pub(super) fn resurrect(&self) -> Done {
        let path = self.dump_path();
        let Some(text) = home::read(&path)? else {
            self.warn(&format!(
                "there is no {}; nothing to resurrect",
                path.display()
            ));
            self.context.block_on(async {
                connect_or_start(self.context.home()?).await?;
                Ok(())
            })?;
            self.table()?;
            return Ok(ExitCode::Ok);
        };
        let dumped = apps(&text, &path).map_err(|failure| {
            let text = format!("{}: {}", path.display(), failure.message);
            Failure {
                message: text,
                ..failure
            }
        })?;
        let code = self.context.block_on(async {
            connect_or_start(self.context.home()?).await?;
            let known = self.apps().await?;
            let there = |spec: &AppSpec| known.iter().any(|app| app.name == spec.name.as_str());
            let (have, missing): (Vec<_>, Vec<_>) = dumped.into_iter().partition(there);
            for spec in &have {
                self.say(&format!("{} is there already", spec.name))?;
            }
            match missing.is_empty() {
                true => Ok(ExitCode::Ok),
                false => self.start_specs(missing, Default::default(), false).await,
            }
        })?;
        self.table()?;
        Ok(code)
    }

    /// `cleardump`.
    pub(super) fn cleardump(&self) -> Done {
        let path = self.dump_path();
        home::write(&path, "[]")?;
        self.say(&format!("{} is empty now", path.display()))?;
        Ok(ExitCode::Ok)
    }
}

fn pretty(entries: &[Value]) -> Result<String, Failure> {
    serde_json::to_string_pretty(entries).map_err(|error| {
        Failure::new(ExitCode::Failed, "the list cannot be written as JSON").because(&error)
    })
}

/// The apps of a dump. Entries that rota has written know all of their app; those of PM2 are read as `rota import-pm2`
/// reads them.
fn apps(text: &str, path: &Path) -> Result<Vec<AppSpec>, Failure> {
    let entries: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Failure::new(ExitCode::Failed, "it is no dump of PM2").because(&error))?;
    let mut specs: Vec<AppSpec> = Vec::new();
    let mut foreign = Vec::new();
    for entry in entries {
        match serde_json::from_value::<AppSpec>(entry[OWN].clone()) {
            // Each worker of the app has an entry.
            Ok(spec) if specs.iter().any(|have| have.name == spec.name) => {}
            Ok(spec) => specs.push(spec),
            Err(_) => foreign.push(entry),
        }
    }
    if !foreign.is_empty() {
        specs.extend(of_pm2(foreign, path)?);
    }
    Ok(specs)
}

fn of_pm2(entries: Vec<Value>, path: &Path) -> Result<Vec<AppSpec>, Failure> {
    let wrong = |mistakes: &[Mistake]| Failure {
        detail: mistakes.iter().map(ToString::to_string).collect(),
        ..Failure::new(ExitCode::Failed, "it cannot be taken over")
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let dump = Dump::read(&Value::Array(entries), folder).map_err(|mistake| wrong(&[mistake]))?;
    if dump.apps.is_empty() {
        return Ok(Vec::new());
    }
    // Their environment is in the dump, whole.
    let nothing = Env::new();
    let outside = Outside {
        caller: &nothing,
        read: &crate::files::read_text,
    };
    let taken = Foreign::ecosystem(path, dump.ecosystem)
        .in_folder("/")
        .apps(None, &outside)
        .map_err(|mistakes| wrong(&mistakes))?;
    let wanted = |name: &AppName| {
        let known = dump.apps.iter().find(|known| known.name == name.as_str());
        known.is_none_or(|known| known.wanted)
    };
    let specs = taken.apps.into_iter().map(|app| app.spec);
    let mut specs: Vec<AppSpec> = specs.filter(|spec| wanted(&spec.name)).collect();
    specs.iter_mut().for_each(super::specs::input);
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use rota_config::{ExecMode, Instances};
    use serde_json::json;

    use super::*;

    fn read(entries: &Value) -> Result<Vec<AppSpec>, Failure> {
        apps(&entries.to_string(), Path::new("/home/me/.pm2/dump.pm2"))
    }

    #[test]
    fn entries_of_pm2_are_read() {
        let entry = |id: u32| {
            json!({
                "name": "api", "pm_exec_path": "/srv/app.js", "pm_cwd": "/srv", "pm_id": id,
                "exec_mode": "cluster_mode", "exec_interpreter": "node", "args": ["--x"],
                "node_args": ["--inspect"], "instances": 2, "kill_timeout": "3000",
                "env": {"A": "1", "N": 2}, "instance_var": "NODE_APP_INSTANCE",
            })
        };
        let specs = read(&json!([entry(0), entry(1)])).unwrap();
        assert_eq!(specs.len(), 1);
        let spec = &specs[0];
        assert_eq!(spec.instances, Instances::Count(2));
        assert_ne!(spec.mode, Some(ExecMode::Fork));
        assert_eq!(spec.args, ["--x"]);
        assert_eq!(spec.stop.kill_timeout.millis(), 3000);
        let env: Vec<_> = spec.env.iter().collect();
        assert_eq!(env, [("A", "1"), ("N", "2")]);
        assert_eq!(spec.compat.instance_var, None);
    }

    #[test]
    fn ones_own_entries_come_back_whole() {
        let mut spec = AppSpec::new(AppName::new("a").unwrap(), "a.js", "/srv");
        spec.readiness.wait_ready = true;
        spec.instances = Instances::Count(2);
        let entry = json!({ "name": "a", "rota": spec });
        assert_eq!(read(&json!([entry.clone(), entry])).unwrap(), [spec]);
    }

    #[test]
    fn what_is_no_dump_is_told() {
        assert!(apps("{", Path::new("/d")).is_err());
        assert!(read(&json!([{ "name": "a" }])).is_err());
        assert!(read(&json!([])).unwrap().is_empty());
    }
}
