//! The file that `rota init` writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys::KEYS;
use super::reference::{bare_or_quoted, quoted, toml};
use crate::AppName;

/// An app that a project seems to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: AppName,
    /// What it runs.
    pub script: String,
    /// With these arguments.
    pub args: Vec<String>,
    /// By an interpreter with these arguments.
    pub node_args: Vec<String>,
    /// With these variables.
    pub env: Vec<(String, String)>,
    /// Where that was found, in words: `package.json, scripts.start`.
    pub from: String,
}

/// Keys that the first app gets as comments, with their meaning; the rest is in the reference.
const SHOWN: [&str; 12] = [
    "instances",
    "cwd",
    "depends_on",
    "env_file",
    "wait_ready",
    "probe",
    "listen_timeout",
    "drain_timeout",
    "max_memory",
    "listen",
    "namespace",
    "user",
];

/// A commented file for these apps. `env_file` names a file of variables that is there.
pub fn template(apps: &[Found], env_file: Option<&str>) -> String {
    let mut text = "\
# rota.toml: what `rota start` runs in this folder. `rota check` looks for mistakes.
# All keys: docs/config.md. For editors: `rota config schema > rota.schema.json`, and as the first line of this file
# #:schema ./rota.schema.json

# Settings of all apps; an app's own take their place.
[defaults]
"
    .to_owned();
    match env_file {
        Some(name) => text.extend(["env_file = ", &quoted(name), "\n"]),
        None => text.push_str("# env_file = \".env\"\n"),
    }
    text.push_str(
        "
# Variables of all apps. The calling shell adds only PATH, HOME, USER, LOGNAME, SHELL, TMPDIR, TZ, LANG and LC_*.
[env]
# NODE_ENV = \"development\"

# A profile: `rota start --env production`.
[env.production]
NODE_ENV = \"production\"
",
    );
    for (index, app) in apps.iter().enumerate() {
        app_table(&mut text, app, index == 0);
    }
    text
}

fn app_table(text: &mut String, app: &Found, first: bool) {
    // Writing into a text does not fail.
    let _ok = write!(
        text,
        "\n# {}\n[apps.{}]\nscript = {}\n",
        app.from,
        bare_or_quoted(app.name.as_str()),
        quoted(&app.script)
    );
    for (key, words) in [("args", &app.args), ("node_args", &app.node_args)] {
        if !words.is_empty() {
            let list: serde_json::Value = words.iter().map(String::as_str).collect();
            let _ok = writeln!(text, "{key} = {}", toml(&list));
        }
    }
    if !app.env.is_empty() {
        let env = app.env.iter().cloned().collect::<BTreeMap<_, _>>();
        let _ok = writeln!(text, "env = {}", toml(&serde_json::json!(env)));
    }
    let shown = KEYS.iter().filter(|key| first && SHOWN.contains(&key.name));
    for key in shown {
        let line = format!("# {} = {}", key.name, key.example);
        let _ok = writeln!(text, "{line:<42} # {}", key.doc.replace('`', ""));
    }
}
