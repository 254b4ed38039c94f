//! Apps of another program's file as a rota.toml.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::apps::FileApp;
use super::keys::KEYS;
use super::reference::{bare_or_quoted, quoted, toml};
use super::settings::scratch;
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
    let app = &translated.app;
    let name = bare_or_quoted(app.spec.name.as_str());
    let plain = scratch(folder);
    // Writing into a text does not fail.
    let _ok = writeln!(text, "\n[apps.{name}]");
    for key in KEYS.iter().filter(|key| key.is_field()) {
        let value = key.value(&app.spec);
        if value == Json::Null || value == key.value(&plain) {
            continue;
        }
        let line = format!("{} = {}", key.name, toml(&value));
        let _ok = writeln!(text, "{line:<42} # {}", key.doc.replace('`', ""));
    }
    let own = app.origins.env.iter().filter(|(_, origin)| !origin.shell);
    let own = own.filter_map(|(name, _)| Some((name.as_str(), app.spec.env.get(name)?)));
    let mut given = String::new();
    variables(&mut given, &format!("apps.{name}.env"), own);
    if !given.is_empty() {
        text.extend(["\n", &given]);
    }
    for (profile, env) in translated
        .profiles
        .iter()
        .filter(|(_, env)| !env.is_empty())
    {
        let _ok = writeln!(
            text,
            "\n# rota start --env {}",
            profile.replace(char::is_control, " ")
        );
        variables(
            text,
            &format!("apps.{name}.env.{}", bare_or_quoted(profile)),
            env.iter(),
        );
    }
}

fn variables<'a>(text: &mut String, table: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut pairs = pairs.peekable();
    if pairs.peek().is_none() {
        return;
    }
    let _ok = writeln!(text, "[{table}]");
    for (name, value) in pairs {
        let _ok = writeln!(text, "{} = {}", bare_or_quoted(name), quoted(value));
    }
}
