//! Changes to a running app's spec.

use serde::{Deserialize, Serialize};

use crate::{AppSpec, Env};

/// What a restart or reload changes in an app's spec. Empty = the same spec again.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpecUpdate {
    /// The whole environment anew (`--update-env`). Variables of the app that are not in it are
    /// kept, as with PM2. What speaks of the caller itself is not for an app with a user of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_env: Option<Env>,
    /// Single variables, set after `caller_env`.
    #[serde(skip_serializing_if = "Env::is_empty")]
    pub set_env: Env,
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

    /// The spec with the changes made.
    pub fn apply(&self, spec: &AppSpec) -> AppSpec {
        let mut spec = spec.clone();
        if let Some(env) = &self.caller_env {
            let mut env = env.clone();
            spec.process.adapt(&mut env);
            spec.env.extend(&env);
        }
        spec.env.extend(&self.set_env);
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
            interpreter: Some("/opt/node".into()),
            interpreter_args: None,
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
}
