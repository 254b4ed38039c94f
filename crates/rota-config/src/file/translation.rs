//! Apps of another program's file as a rota.toml.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::apps::FileApp;
use super::export::{Export, pairs};
use super::reference::bare_or_quoted;
use crate::Env;

/// An app, and what its profiles change.
#[derive(Debug, Clone)]
pub struct Translated {
    /// The app without a profile.
    pub app: FileApp,
    /// Variables of each profile that it has not without it, or with another value.
    pub profiles: Vec<(String, Env)>,
}

/// The apps as a rota.toml in `folder`: what differs from the defaults, with what each key means.
pub fn translation(from: &str, folder: &Path, apps: &[Translated]) -> String {
    let mut text = format!(
        "\
# rota.toml, from {}. `rota check` looks for mistakes. All keys: docs/config.md.

[defaults]
# These apps had the whole environment of the shell. Without this line they have PATH, HOME and the like, and what stands here.
inherit_env = true
",
        from.replace(char::is_control, " ")
    );
    for translated in apps {
        table(&mut text, folder, translated);
    }
    text
}

fn table(text: &mut String, folder: &Path, translated: &Translated) {
    let app = Export {
        spec: translated.app.spec.clone(),
        origins: Some(translated.app.origins.clone()),
        hidden: BTreeSet::new(),
        masked: BTreeSet::new(),
    };
    let name = bare_or_quoted(app.spec.name.as_str());
    // Writing into a text does not fail.
    let _ok = writeln!(text, "\n[apps.{name}]");
    for (key, value) in app.settings(folder, &BTreeSet::new()) {
        let line = format!("{} = {value}", key.name);
        let _ok = writeln!(text, "{line:<42} # {}", key.doc.replace('`', ""));
    }
    let own = app.variables(false);
    if !own.is_empty() {
        let _ok = writeln!(text, "\n[apps.{name}.env]");
        pairs(text, &own);
    }
    for (profile, env) in &translated.profiles {
        let changed: BTreeMap<&str, &str> = env.iter().collect();
        if changed.is_empty() {
            continue;
        }
        let said = profile.replace(char::is_control, " ");
        let table = bare_or_quoted(profile);
        let _ok = writeln!(
            text,
            "\n# rota start --env {said}\n[apps.{name}.env.{table}]"
        );
        pairs(text, &changed);
    }
}
