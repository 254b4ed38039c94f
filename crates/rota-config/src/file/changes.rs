//! What is different between an app as it runs and as it is to be.

use serde_json::Value as Json;

use super::key::Takes;
use super::keys::KEYS;
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

/// What is different between an app as it is and as it is to be. What merely happened to be in the shell does not count.
pub fn changes(old: (&AppSpec, Option<&Origins>), new: (&AppSpec, Option<&Origins>)) -> Changes {
    let mut changes = Changes::default();
    for key in KEYS {
        let (before, after) = (key.value(old.0), key.value(new.0));
        if before != after {
            changes.settings.push(Change {
                key: key.name,
                old: before,
                new: after,
                takes: key.takes,
            });
        }
    }
    if changes.settings.is_empty() && !same_but_for_env(old.0, new.0) {
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
        let port = |spec: &mut AppSpec| {
            spec.listen = vec!["8080".parse().unwrap()];
            spec.env.set("A", "1");
        };
        assert_eq!(takes(port), Some(Takes::Sockets));
        let nameless = |spec: &mut AppSpec| spec.compat.pm2 = true;
        assert_eq!(takes(nameless), Some(Takes::Workers));
    }
}
