//! What is different between an app as it runs and as it is to be.

use serde_json::Value as Json;

use super::key::Takes;
use super::keys::KEYS;
use super::meaning::{meaning, says};
use super::origins::{Origins, env_differences, same_but_for_env};
use crate::AppSpec;

/// What is different between two specifications of an app. No values of variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Settings, in the order of the table of keys.
    pub settings: Vec<Change>,
    /// Variables that are new.
    pub added: Vec<String>,
    /// Variables that have another value.
    pub changed: Vec<String>,
    /// Variables that are gone.
    pub removed: Vec<String>,
}

/// A setting that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key; `other settings` for what has none.
    pub key: &'static str,
    /// What it is; null: not set.
    pub old: Json,
    /// What it is to be; null: not set.
    pub new: Json,
    /// What the change takes.
    pub takes: Takes,
}

impl Changes {
    /// True if both mean the same.
    pub const fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.variables() == 0
    }

    /// How many variables are different.
    pub const fn variables(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }

    /// What the most demanding of them takes; `None`: there are none.
    pub fn takes(&self) -> Option<Takes> {
        let variables = (self.variables() > 0).then_some(Takes::Workers);
        let settings = self.settings.iter().map(|change| change.takes);
        settings.chain(variables).max()
    }
}

/// What is different between an app as it is and as it is to be. What merely happened to be in the shell does not count,
/// nor does another way to say the same.
pub fn changes(old: (&AppSpec, Option<&Origins>), new: (&AppSpec, Option<&Origins>)) -> Changes {
    let mut changes = Changes::default();
    let (before, after) = (meaning(old.0), meaning(new.0));
    for key in KEYS {
        if says(key, &before) != says(key, &after) {
            changes.settings.push(Change {
                key: key.name,
                old: key.value(old.0),
                new: key.value(new.0),
                takes: key.takes,
            });
        }
    }
    if changes.settings.is_empty() && !same_but_for_env(&before, &after) {
        changes.settings.push(Change {
            key: "other settings",
            old: Json::Null,
            new: Json::Null,
            takes: Takes::Workers,
        });
    }
    for name in env_differences(old, new) {
        let list = match (old.0.env.get(&name), new.0.env.get(&name)) {
            (None, _) => &mut changes.added,
            (_, None) => &mut changes.removed,
            _ => &mut changes.changed,
        };
        list.push(name);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AppName;

    fn spec() -> AppSpec {
        AppSpec::new(AppName::placeholder(), "app.js", "/srv")
    }

    fn between(old: &AppSpec, new: &AppSpec) -> Changes {
        changes((old, None), (new, None))
    }

    #[test]
    fn variables_are_named_and_settings_have_values() {
        let (mut old, mut new) = (spec(), spec());
        old.env = [("A", "secret"), ("B", "1"), ("C", "1")]
            .into_iter()
            .collect();
        new.env = [("A", "other"), ("B", "1"), ("D", "1")]
            .into_iter()
            .collect();
        new.args = vec!["--x".to_owned()];
        let found = between(&old, &new);
        assert_eq!(found.settings.len(), 1);
        assert_eq!(found.settings[0].new, serde_json::json!(["--x"]));
        assert_eq!(found.added, ["D"]);
        assert_eq!(found.changed, ["A"]);
        assert_eq!(found.removed, ["C"]);
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn the_most_demanding_change_counts() {
        let takes = |change: fn(&mut AppSpec)| {
            let mut new = spec();
            change(&mut new);
            between(&spec(), &new).takes()
        };
        assert_eq!(takes(|_| ()), None);
        let restarts = |spec: &mut AppSpec| spec.restart.max_restarts = 3;
        assert_eq!(takes(restarts), Some(Takes::Nothing));
        let number = |spec: &mut AppSpec| spec.instances = "3".parse().unwrap();
        assert_eq!(takes(number), Some(Takes::Number));
        assert_eq!(takes(|spec| spec.env.set("A", "1")), Some(Takes::Workers));
        let port = |spec: &mut AppSpec| spec.listen = vec!["8080".parse().unwrap()];
        assert_eq!(takes(port), Some(Takes::Workers));
        let watched = |spec: &mut AppSpec| spec.watch = Some(crate::WatchSpec::default());
        assert_eq!(takes(watched), Some(Takes::Nothing));
        let written = |spec: &mut AppSpec| spec.logs.out = Some("out.log".into());
        assert_eq!(takes(written), Some(Takes::Nothing));
        let nameless = |spec: &mut AppSpec| spec.compat.pm2 = true;
        assert_eq!(takes(nameless), Some(Takes::Workers));
    }
    #[test]
    fn what_says_nothing_is_no_change() {
        let keys = |old: &AppSpec, new: &AppSpec| {
            let found = between(old, new).settings;
            found.iter().map(|change| change.key).collect::<Vec<_>>()
        };
        let mut watching = spec();
        watching.watch = Some(crate::WatchSpec::default());
        watching.cron = Some(crate::CronSpec::new("@daily"));
        watching.probe = Some(crate::Probe::from(
            "tcp://127.0.0.1:1".parse::<crate::ProbeTarget>().unwrap(),
        ));
        assert_eq!(keys(&spec(), &watching), ["probe", "watch", "cron"]);
        assert_eq!(keys(&watching, &spec()), ["probe", "watch", "cron"]);
        let mut slower = watching.clone();
        slower.watch.as_mut().unwrap().delay = crate::Span::new(std::time::Duration::from_secs(1));
        assert_eq!(
            between(&watching, &slower).settings[0].old,
            serde_json::json!("200ms")
        );
        assert_eq!(
            keys(&spec(), &slower),
            ["probe", "watch", "watch_delay", "cron"]
        );

        let (mut one, mut other) = (spec(), spec());
        one.logs.out = Some("logs/out.log".into());
        other.logs.out = Some("/srv/./logs/out.log".into());
        one.logs.time = Some(String::new());
        one.restart.backoff = Some(crate::Span::default());
        one.compat.instance_var = Some("NODE_APP_INSTANCE".to_owned());
        one.listen = vec!["unix:app.sock".parse().unwrap()];
        other.listen = vec!["/srv/app.sock".parse().unwrap()];
        assert_eq!(between(&one, &other), Changes::default());
    }
}
