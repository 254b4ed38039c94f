//! Changes to a running app's spec.

use serde::{Deserialize, Serialize};

use crate::file::Origins;
use crate::{AppSpec, Env};

/// A specification, and where its settings come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// The specification.
    pub spec: AppSpec,
    /// Where its settings come from, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Origins>,
}

/// What a restart or reload changes in an app's spec. Empty = the same spec again.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpecUpdate {
    /// The whole specification anew, before the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Box<Described>>,
    /// The whole environment anew (`--update-env`). Variables of the app that are not in it are
    /// kept, as with PM2. What speaks of the caller itself is not for an app with a user of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_env: Option<Env>,
    /// Single variables, set after `caller_env`.
    #[serde(skip_serializing_if = "Env::is_empty")]
    pub set_env: Env,
    /// Variables that are taken away, after all that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset_env: Vec<String>,
    /// Another interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Other arguments for the interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter_args: Option<Vec<String>>,
}

impl SpecUpdate {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Where settings come from after the change.
    pub fn origins(&self, now: Option<&Origins>) -> Option<Origins> {
        let base = match &self.whole {
            Some(whole) => whole.origins.as_ref(),
            None => now,
        };
        base.map(|origins| origins.after(self))
    }

    /// The spec with the changes made.
    pub fn apply(&self, spec: &AppSpec) -> AppSpec {
        let whole = self.whole.as_ref().map(|whole| &whole.spec);
        let mut spec = whole.unwrap_or(spec).clone();
        if let Some(env) = &self.caller_env {
            let mut env = env.clone();
            spec.process.adapt(&mut env);
            spec.env.extend(&env);
        }
        spec.env.extend(&self.set_env);
        for name in &self.unset_env {
            spec.env.remove(name);
        }
        if let Some(interpreter) = &self.interpreter {
            spec.interpreter = Some(interpreter.clone());
        }
        if let Some(args) = &self.interpreter_args {
            spec.interpreter_args.clone_from(args);
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AppName;

    #[test]
    fn changes_only_what_it_names() {
        let mut spec = AppSpec::new(AppName::new("a").unwrap(), "a.js", "/");
        spec.env.set("KEEP", "1");
        spec.env.set("X", "old");
        let update = SpecUpdate {
            caller_env: Some([("X", "shell"), ("Y", "shell")].into_iter().collect()),
            set_env: [("Y", "flag")].into_iter().collect(),
            unset_env: Vec::new(),
            interpreter: Some("/opt/node".into()),
            interpreter_args: None,
            whole: None,
        };
        let new = update.apply(&spec);
        assert_eq!(
            new.env.iter().collect::<Vec<_>>(),
            [("KEEP", "1"), ("X", "shell"), ("Y", "flag")]
        );
        assert_eq!(new.interpreter.as_deref(), Some("/opt/node"));
        assert_eq!(SpecUpdate::default().apply(&spec), spec);
        assert!(SpecUpdate::default().is_empty() && !update.is_empty());
    }

    #[test]
    fn a_whole_specification_takes_the_place_of_the_old_one() {
        let spec = |script: &str| AppSpec::new(AppName::new("a").unwrap(), script, "/");
        let origins = Origins {
            keys: [("interpreter".to_owned(), 3), ("script".to_owned(), 2)].into(),
            ..Origins::default()
        };
        let mut update = SpecUpdate {
            whole: Some(Box::new(Described {
                spec: spec("new.js"),
                origins: Some(origins),
            })),
            interpreter: Some("node".to_owned()),
            ..SpecUpdate::default()
        };
        let changed = update.apply(&spec("old.js"));
        assert_eq!(changed.script, "new.js");
        assert_eq!(changed.interpreter.as_deref(), Some("node"));
        let keys = update.origins(None).unwrap().keys;
        assert_eq!(keys.into_keys().collect::<Vec<_>>(), ["script"]);
        update.whole = None;
        assert_eq!(update.origins(None), None);
    }
}
