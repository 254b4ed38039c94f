//! `set`, `get`, `unset`, `multiset`: settings in module_conf.json; and the one module that is built in.

use std::path::PathBuf;

use rota_api::ExitCode;
use serde_json::{Map, Value};

use super::act::is_news;
use super::home;
use super::rotation::{self, MODULE as ROTATION, Rotation};
use super::run::Pm2;
use crate::failure::{Done, Failure, Stop};

impl Pm2<'_> {
    fn conf_path(&self) -> PathBuf {
        self.pm2_home.join("module_conf.json")
    }

    fn conf(&self) -> Result<Map<String, Value>, Failure> {
        let path = self.conf_path();
        let Some(text) = home::read(&path)? else {
            return Ok(Map::new());
        };
        serde_json::from_str(&text).map_err(|error| {
            let text = format!("{} is no JSON object", path.display());
            Failure::new(ExitCode::Failed, text).because(&error)
        })
    }

    /// What pm2-logrotate is told; `None`: nothing.
    pub(super) fn rotation(&self) -> Result<Option<Rotation>, Failure> {
        Ok(Rotation::of(&self.conf()?))
    }

    fn write_conf(&self, conf: &Map<String, Value>) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(conf).map_err(|error| {
            Failure::new(ExitCode::Failed, "the settings cannot be written").because(&error)
        })?;
        home::write(&self.conf_path(), &text)
    }

    pub(super) fn set(&self) -> Done {
        match self.needed("a setting")? {
            [key, value @ ..] if !value.is_empty() => {
                self.set_all(&[(key.clone(), value.join(" "))])
            }
            _ => Err(
                Failure::usage("set needs a name and a value: `pm2 set api:level debug`").into(),
            ),
        }
    }

    pub(super) fn multiset(&self) -> Done {
        let words: Vec<&str> = self
            .needed("settings")?
            .iter()
            .flat_map(|word| word.split_whitespace())
            .collect();
        if words.len() % 2 == 1 {
            return Err(Failure::usage(
                "multiset needs names and values in turn: `pm2 multiset \"a 1 b 2\"`",
            )
            .into());
        }
        let pair = |pair: &[&str]| (pair[0].to_owned(), pair[1].to_owned());
        let pairs: Vec<_> = words.chunks_exact(2).map(pair).collect();
        self.set_all(&pairs)
    }

    fn set_all(&self, pairs: &[(String, String)]) -> Done {
        let mut conf = self.conf()?;
        for (key, value) in pairs {
            let (place, name) = place(&mut conf, key)?;
            place.insert(name.to_owned(), Value::String(value.clone()));
        }
        self.write_conf(&conf)?;
        self.say("it is set")?;
        match self.tell_rotation(pairs)? {
            true => self.rotate_living(),
            false => Ok(ExitCode::Ok),
        }
    }

    pub(super) fn unset(&self) -> Done {
        let key = &self.needed("a setting")?[0];
        let mut conf = self.conf()?;
        let (place, name) = place(&mut conf, key)?;
        if place.remove(name).is_none() {
            return Err(Failure::new(ExitCode::Failed, format!("{key} is not set")).into());
        }
        self.write_conf(&conf)?;
        self.say("it is not set any more")?;
        match rotation_setting(key) {
            Some(_) => self.rotate_living(),
            None => Ok(ExitCode::Ok),
        }
    }

    /// Gives the apps that are there what pm2-logrotate is told now; their workers stay.
    fn rotate_living(&self) -> Done {
        let Some(rotation) = self.rotation()? else {
            return Ok(ExitCode::Ok);
        };
        self.context.block_on(async {
            let apps = self.apps().await?;
            let mut results = Vec::new();
            for app in apps.iter().filter(|app| is_news(&rotation, app)) {
                let update = self.change(app, Some(&rotation)).await?;
                results.extend(self.define(&app.name, update).await?);
            }
            self.results(&results)
        })
    }

    /// One setting, or all.
    pub(super) fn get(&self) -> Done {
        let conf = self.conf()?;
        let mut out = self.context.out();
        let Some(key) = self.flags.targets().first() else {
            for (name, value) in &conf {
                for line in lines(name, value) {
                    out.line(&format!("$ pm2 set {line}"))?;
                }
            }
            out.flush()?;
            return Ok(ExitCode::Ok);
        };
        let conf = Value::Object(conf);
        let found = path(key).try_fold(&conf, |value, part| value.get(part));
        let Some(value) = found else {
            return Err(Failure::new(ExitCode::Failed, format!("{key} is not set")).into());
        };
        out.line(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
                .as_str(),
        )?;
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// Modules: the one that is built in, and no other.
    pub(super) fn install(&self, wanted: bool) -> Done {
        let words = self.needed("the name of a module")?;
        if words.iter().any(|word| word != ROTATION) {
            let text = format!("{}: modules of PM2 are not part of rota", words.join(", "));
            return Err(Failure::new(ExitCode::Failed, text)
                .hint("they run inside PM2's daemon; see what rota does itself in docs/pm2.md")
                .into());
        }
        self.say(match wanted {
            true => "rota rotates logs by itself, from the start: 5 files of 20 MB for each log, compressed",
            false => "rotation is a part of rota: in rota.toml, log settings change it for an app",
        })?;
        Ok(ExitCode::Ok)
    }

    /// Tells what becomes of settings of pm2-logrotate; true if there are any that rota has.
    fn tell_rotation(&self, pairs: &[(String, String)]) -> Result<bool, Stop> {
        let mut ours = Vec::new();
        for (key, value) in pairs {
            let Some(name) = rotation_setting(key) else {
                continue;
            };
            match rotation::check(name, value) {
                Ok(name) => ours.push(name),
                Err(why) => self.warn(&why),
            }
        }
        if ours.is_empty() {
            return Ok(false);
        }
        let ours = ours.join("`, `");
        self.say(&format!(
            "rota has it as `{ours}`, for every app that pm2 has started or starts"
        ))?;
        Ok(true)
    }
}

/// The name of a setting of pm2-logrotate.
fn rotation_setting(key: &str) -> Option<&str> {
    let mut parts = path(key);
    parts.next().filter(|module| *module == ROTATION)?;
    parts.next()
}

/// The parts of a name: `module:key` or `module.key`.
fn path(key: &str) -> impl Iterator<Item = &str> {
    key.split([':', '.']).filter(|part| !part.is_empty())
}

/// Where a setting belongs.
fn place<'a, 'k>(
    conf: &'a mut Map<String, Value>,
    key: &'k str,
) -> Result<(&'a mut Map<String, Value>, &'k str), Stop> {
    let mut parts: Vec<&str> = path(key).collect();
    let Some(last) = parts.pop() else {
        return Err(Failure::usage(format!("`{key}` is no name of a setting")).into());
    };
    let mut place = conf;
    for part in parts {
        let value = place
            .entry(part)
            .or_insert_with(|| Value::Object(Map::new()));
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Object(inner) => place = inner,
            _ => return Err(Failure::usage(format!("`{key}` is no name of a setting")).into()),
        }
    }
    Ok((place, last))
}

/// A setting and those in it, as they are set.
fn lines(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(inner) => inner
            .iter()
            .flat_map(|(key, value)| lines(&format!("{name}:{key}"), value))
            .collect(),
        Value::String(text) => vec![format!("{name} {text}")],
        other => vec![format!("{name} {other}")],
    }
}
