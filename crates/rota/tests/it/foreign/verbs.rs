//! What the verbs do with such files, and what they say.

use super::{SERVER, portrait, put};
use crate::support::{Home, free_port};

fn two(home: &Home, port: &impl std::fmt::Display, more: &str) {
    put(home, "server.js", SERVER);
    put(
        home,
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [
            {{ name: 'web', script: 'server.js', env: {{ PORT: {port}, A: '1' }}, env_production: {{ A: '2' }}, {more} }},
            {{ name: 'later', script: 'server.js', autostart: false, env: {{ PORT: 1 }} }}] }};"
        ),
    );
}

#[test]
fn all_that_is_wrong_at_once() {
    let (home, port) = (Home::new(), free_port());
    two(
        &home,
        &port,
        "instances: 'many', kill_timeout: 'soon', intsances: 2",
    );
    let output = home.rota(&["start"]).fails(2);
    let output = output
        .says("web: `instances` is \"many\"")
        .says("web: `kill_timeout` is \"soon\"");
    output.says("has 2 mistakes; nothing was done");
    home.rota(&["ping"]).fails(3);
    let json = home.rota(&["check", "--json"]).fails(1).json();
    assert_eq!(json["problems"][0]["field"], "instances");
    assert_eq!(json["profiles"][0], "production");
    two(&home, &port, "script: 'nothing.js'");
    home.rota(&["start"])
        .fails(5)
        .says("web: `script`: nothing.js is neither a file");
    home.rota(&["start", "--env", "prodction"])
        .fails(2)
        .says("did you mean `production`");
}

#[test]
fn a_profile_and_its_apps() {
    let (home, port) = (Home::new(), free_port());
    two(&home, &port, "");
    let output = home.rota(&["start", "--env", "production"]).ok();
    output
        .says("later: in the list, not started: autostart = false")
        .says("reading ecosystem.config.js");
    assert_eq!(home.app("later").status(), "stopped");
    assert_eq!(portrait(&port)["env"]["A"], "2");
    home.rota(&["start", "ecosystem.config.js", "--env", "production"])
        .ok()
        .says("already");
    // The whole environment of the caller, as PM2 has it.
    assert!(portrait(&port)["env"]["TEST_HOME_TAG"].is_string());
    home.rota(&["restart", "ecosystem.config.js"]).ok();
    assert_eq!(portrait(&port)["env"]["A"], "2");
    home.rota(&["restart", "ecosystem.config.js", "--env", ""])
        .ok();
    assert_eq!(portrait(&port)["env"]["A"], "1");
    assert_eq!(home.app("later").status(), "stopped");
    let shown = home.rota(&["config", "show", "web"]).ok();
    assert!(
        shown.out.contains("SIGINT") && !shown.out.contains(":0"),
        "{shown}"
    );
    home.rota(&["stop", "ecosystem.config.js"]).ok();
    assert_eq!(home.app("web").status(), "stopped");
    home.rota(&["start", "--only", "later"]).ok();
    assert_eq!(home.app("later").status(), "online");
}

#[test]
fn in_the_foreground() {
    let (home, port) = (Home::new(), free_port());
    two(&home, &port, "");
    let _run = home.run(&["ecosystem.config.js"]);
    portrait(&port);
}

#[test]
fn init_translates_it() {
    let (home, port) = (Home::new(), free_port());
    two(
        &home,
        &port,
        "exec_mode: 'cluster', instances: 2, kill_timeout: 3000",
    );
    home.rota(&["init"])
        .ok()
        .says("wrote rota.toml: web, later");
    let text = std::fs::read_to_string(home.path().join("rota.toml")).unwrap();
    for line in [
        "[apps.web]",
        "kill_timeout = \"3s\"",
        "stop_signal = \"SIGINT\"",
        "[apps.web.env.production]",
        "A = \"2\"",
        "inherit_env = true",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    home.rota(&["check"]).ok();
    home.rota(&["start", "--only", "web", "--env", "production"])
        .ok();
    assert_eq!(portrait(&port)["env"]["A"], "2");
    assert_eq!(home.app("web").pids().len(), 2);
}
