//! `save`, `resurrect` and `cleardump`: dump.pm2, in PM2's form.

use std::path::PathBuf;

use rota_api::ExitCode;
use rota_config::{AppName, AppSpec, ExecMode, Instances, Size, Span};
use serde_json::Value;

use super::objects::{Shown, Source};
use super::run::Pm2;
use super::{home, specs};
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
        let dumped = apps(&text).map_err(|failure| {
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

/// The apps of a dump: entries of one name are the workers of one app.
fn apps(text: &str) -> Result<Vec<AppSpec>, Failure> {
    let entries: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Failure::new(ExitCode::Failed, "it is no dump of PM2").because(&error))?;
    let mut specs: Vec<(AppSpec, u32, bool)> = Vec::new();
    for entry in &entries {
        let own: Option<AppSpec> = serde_json::from_value(entry[OWN].clone()).ok();
        let whole = own.is_some();
        let spec = match own {
            Some(spec) => spec,
            None => foreign(entry)?,
        };
        match specs.iter_mut().find(|(have, _, _)| have.name == spec.name) {
            Some((_, count, _)) => *count += 1,
            None => specs.push((spec, 1, whole)),
        }
    }
    let count = |(mut spec, count, whole): (AppSpec, u32, bool)| {
        if !whole {
            spec.instances = Instances::Count(count);
        }
        spec
    };
    Ok(specs.into_iter().map(count).collect())
}

/// An entry that PM2 itself has written.
fn foreign(entry: &Value) -> Result<AppSpec, Failure> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    let need = |key: &str| {
        text(key).ok_or_else(|| Failure::new(ExitCode::Failed, format!("an entry has no `{key}`")))
    };
    let name = AppName::new(need("name")?).map_err(|error| Failure::usage(error.to_string()))?;
    let mut spec = AppSpec::new(name, need("pm_exec_path")?, need("pm_cwd")?);
    specs::as_pm2(&mut spec)?;
    let list = |key: &str| -> Vec<String> {
        let items = entry[key].as_array().into_iter().flatten();
        items
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    spec.args = list("args");
    spec.interpreter_args = list("node_args");
    spec.interpreter = text("exec_interpreter").map(str::to_owned);
    spec.mode = (text("exec_mode") != Some("cluster_mode")).then_some(ExecMode::Fork);
    if let Some(namespace) = text("namespace") {
        namespace.clone_into(&mut spec.namespace);
    }
    if let Some(env) = entry["env"].as_object() {
        for (name, value) in env {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => continue,
            };
            if !name.is_empty() && !name.contains('=') {
                spec.env.set(name.as_str(), value);
            }
        }
    }
    let number = |key: &str| {
        let value = &entry[key];
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let span = |key: &str| number(key).map(Span::from_millis);
    if let Some(limit) = span("kill_timeout") {
        spec.stop.kill_timeout = limit;
    }
    if let Some(limit) = span("listen_timeout") {
        spec.readiness.listen_timeout = limit;
    }
    spec.readiness.wait_ready = entry["wait_ready"].as_bool().unwrap_or(false);
    spec.stop.message = entry["shutdown_with_message"].as_bool().unwrap_or(false);
    spec.restart.autorestart = entry["autorestart"].as_bool().unwrap_or(true);
    if let Some(delay) = span("restart_delay") {
        spec.restart.delay = delay;
    }
    if let Some(most) = number("max_restarts").and_then(|most| u32::try_from(most).ok()) {
        spec.restart.max_restarts = most;
    }
    spec.limits.max_memory = number("max_memory_restart")
        .filter(|bytes| *bytes > 0)
        .map(Size::from_bytes);
    spec.compat.instance_var = text("instance_var")
        .filter(|name| *name != "NODE_APP_INSTANCE")
        .map(str::to_owned);
    spec.compat.increment_var = text("increment_var").map(str::to_owned);
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_pm2_are_read() {
        let entry = |id: u32| {
            json!({
                "name": "api", "pm_exec_path": "/srv/app.js", "pm_cwd": "/srv", "pm_id": id,
                "exec_mode": "cluster_mode", "exec_interpreter": "node", "args": ["--x"],
                "node_args": ["--inspect"], "instances": 2, "kill_timeout": "3000",
                "env": {"A": "1", "N": 2, "O": {}}, "instance_var": "NODE_APP_INSTANCE",
            })
        };
        let specs = apps(&json!([entry(0), entry(1)]).to_string()).unwrap();
        assert_eq!(specs.len(), 1);
        let spec = &specs[0];
        assert_eq!((spec.instances, spec.mode), (Instances::Count(2), None));
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
        let read = apps(&json!([entry.clone(), entry]).to_string()).unwrap();
        assert_eq!(read, [spec]);
    }

    #[test]
    fn what_is_no_dump_is_told() {
        assert!(apps("{").is_err());
        assert!(apps(r#"[{"name":"a"}]"#).is_err());
        assert!(apps("[]").unwrap().is_empty());
    }
}
