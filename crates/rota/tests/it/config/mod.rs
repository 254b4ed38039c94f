//! rota.toml: from the file to what runs.

mod apply;
mod at_once;
mod changes;
mod export;
mod listen;
mod order;
mod verbs;

use crate::support::{Home, app_path};

/// What the tests' own processes need to be found, and where servers report.
const DEFAULTS: &str =
    "[defaults]\nobserve = 0\ninherit_env = [\"TEST_HOME_TAG\", \"REPORT\", \"GO\"]\n";

/// Writes a rota.toml into the home; `{http.js}` and the like become paths of servers of `tests/apps`.
fn write(home: &Home, text: &str) {
    let mut text = format!("{DEFAULTS}{text}");
    for server in ["crash-start.js", "http.js", "ready.js"] {
        let path = app_path(server).display().to_string();
        text = text.replace(&format!("{{{server}}}"), &path);
    }
    home.write("rota.toml", &text);
}

/// The environment of the app's worker, as `rota env` tells it.
#[track_caller]
fn variable(home: &Home, app: &str, name: &str) -> Option<String> {
    let answer = home.rota(&["env", app, "--reveal", "--json"]).ok().json();
    let variables = answer["variables"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name)?;
    Some(found["value"].as_str().unwrap().to_owned())
}
