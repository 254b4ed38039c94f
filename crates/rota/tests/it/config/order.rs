//! What is started when.

use super::write;
use crate::support::{Home, app_path, eventually, get};

const WAITING: &str = r#"
[apps.web]
script = "{http.js}"
depends_on = ["db"]
[apps.db]
script = "{ready.js}"
wait_ready = true
"#;

#[test]
fn a_dependency_is_ready_before_its_dependents_are_started() {
    let home = Home::new();
    write(
        &home,
        r#"
[apps.web]
script = "{http.js}"
depends_on = ["db"]
[apps.db]
script = "{ready.js}"
wait_ready = true
"#,
    );
    let mut start = home.command(&["start"]).spawn().unwrap();
    eventually("db has a port", || {
        home.find_quietly("db").and_then(|app| app.port())
    });
    assert_eq!(home.app("db").status(), "launching");
    assert!(home.find("web").is_none(), "it waits for db");
    home.write("go", "");
    assert!(start.wait().unwrap().success());
    assert_eq!(home.app("web").status(), "online");
    get(home.app("web").port().unwrap(), "/");
}

#[test]
fn what_somebody_else_is_starting_is_waited_for() {
    let home = Home::new();
    write(
        &home,
        r#"
[apps.web]
script = "{http.js}"
depends_on = ["db"]
[apps.db]
script = "{ready.js}"
wait_ready = true
"#,
    );
    home.rota(&["start", "rota.toml", "--only", "db", "--no-wait"])
        .ok();
    let mut start = home.command(&["start", "rota.toml"]).spawn().unwrap();
    eventually("db has a port", || {
        home.find_quietly("db").and_then(|app| app.port())
    });
    assert!(home.find("web").is_none(), "it waits for db");
    home.write("go", "");
    assert!(start.wait().unwrap().success());
    assert_eq!(home.app("web").status(), "online");
}

#[test]
fn what_depends_on_a_failure_is_not_started() {
    let home = Home::new();
    write(
        &home,
        r#"
[apps.web]
script = "{http.js}"
depends_on = ["api"]
[apps.api]
script = "{http.js}"
depends_on = ["db"]
[apps.db]
script = "{crash-start.js}"
[apps.other]
script = "{http.js}"
"#,
    );
    let output = home.rota(&["start"]).fails(1);
    let output = output
        .says("db: ")
        .says("api: not started: it depends on db");
    output.says("web: not started: it depends on api");
    assert!(home.find("web").is_none() && home.find("api").is_none());
    assert_eq!(home.app("other").status(), "online");
    home.rota(&["delete", "db"]).ok();

    let output = home.rota(&["start", "--json"]).fails(1);
    let last = output.out.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["results"][0]["app"], "web");
}

#[test]
fn only_some_apps_come_with_what_they_depend_on() {
    let home = Home::new();
    write(
        &home,
        r#"
[apps.web]
script = "{http.js}"
depends_on = ["db"]
[apps.db]
script = "{http.js}"
[apps.other]
script = "{http.js}"
"#,
    );
    home.rota(&["start", "rota.toml", "--only", "wep"])
        .fails(2)
        .says("did you mean `web`?");
    home.rota(&["start", "rota.toml", "--only", "web"]).ok();
    let mut names: Vec<String> = home
        .apps()
        .iter()
        .map(|app| app.name().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["db", "web"]);

    home.rota(&["stop", "rota.toml"]).ok();
    assert!(home.apps().iter().all(|app| app.status() == "stopped"));
    home.rota(&["start"]).ok();
    assert!(home.apps().iter().all(|app| app.status() == "online"));
    home.rota(&["delete", "rota.toml"]).ok();
    assert!(home.apps().is_empty());
    home.rota(&["delete", "rota.toml"]).fails(4);
}

#[test]
fn rota_run_takes_a_file() {
    let home = Home::new();
    write(
        &home,
        "[apps.app]\nscript = \"{http.js}\"\n[apps.two]\nscript = \"{http.js}\"\n",
    );
    let _run = home.run(&["rota.toml"]);
    home.until_run_online();
    eventually("the other app is ready too", || {
        home.apps()
            .into_iter()
            .find(|app| app.0["name"] == "two" && app.online() == 1)
    });
}

#[test]
fn rota_run_starts_in_order() {
    let home = Home::new();
    write(&home, WAITING);
    let _run = home.run(&["rota.toml"]);
    eventually("db has a port", || {
        home.find_quietly("db").and_then(|app| app.port())
    });
    let web = home.app("web");
    assert_eq!(web.status(), "launching");
    assert!(web.pids().is_empty(), "it waits for db");
    home.write("go", "");
    eventually("web is ready", || {
        home.find_quietly("web").filter(|app| app.online() == 1)
    });
}

#[test]
fn all_are_started_and_stopped_in_order() {
    let home = Home::new();
    write(&home, WAITING);
    home.write("go", "");
    home.rota(&["start"]).ok();
    home.rota(&["stop", "all"]).ok();
    let log = home.daemon_log();
    let at = |text: &str| {
        log.find(text)
            .unwrap_or_else(|| panic!("{text} is not in\n{log}"))
    };
    assert!(
        at("web: worker 0 is gone") < at("db: draining worker 0"),
        "{log}"
    );

    std::fs::remove_file(home.path().join("go")).unwrap();
    let mut start = home.command(&["start", "all"]).spawn().unwrap();
    eventually("db has a port", || {
        home.find_quietly("db").and_then(|app| app.port())
    });
    // The next supervisor knows that web waits.
    let (_, supervisor) = home.daemon_pids();
    crate::support::signal(supervisor, rustix::process::Signal::KILL);
    let web = home.app("web");
    assert!(web.status() == "launching" && web.pids().is_empty());
    home.write("go", "");
    assert!(start.wait().unwrap().success());
    assert_eq!(home.app("web").online(), 1);
    // Before the daemon itself ends.
    home.rota(&["kill"]).ok();
    let log = home.daemon_log();
    let last = |text: &str| {
        log.rfind(text)
            .unwrap_or_else(|| panic!("{text} is not in\n{log}"))
    };
    assert!(
        last("web: worker 0 is gone") < last("db: draining worker 0"),
        "{log}"
    );
}

#[test]
fn what_failed_is_named_and_the_other_comes_when_that_serves() {
    let home = Home::new();
    write(
        &home,
        "[apps.web]\nscript = \"{http.js}\"\ndepends_on = [\"db\"]\n[apps.db]\nscript = \"db.js\"\nmax_restarts = 0\n",
    );
    let http = app_path("http.js").display().to_string();
    home.write("db.js", &format!("require({http:?})"));
    home.rota(&["start"]).ok();
    home.rota(&["stop", "all"]).ok();
    home.write("db.js", "process.exit(1)");
    home.rota(&["start", "all"])
        .fails(1)
        .says("web: not started: it depends on db, which did not start");
    assert!(home.app("web").pids().is_empty());
    home.write("db.js", &format!("require({http:?})"));
    home.rota(&["start", "db"]).ok();
    eventually("web is started after all", || {
        home.find_quietly("web").filter(|app| app.online() == 1)
    });
}

#[test]
fn the_example_starts() {
    let home = Home::new();
    let examples = app_path("../../examples");
    for file in ["rota.toml", "hello.js"] {
        std::fs::copy(examples.join(file), home.path().join(file)).unwrap();
    }
    home.rota(&["check"]).ok();
    let text = std::fs::read_to_string(examples.join("rota.toml")).unwrap();
    let ports = [crate::support::free_port(), crate::support::free_port()];
    let text = text
        .replace("3000", &ports[0].to_string())
        .replace("3001", &ports[1].to_string());
    home.write("rota.toml", &text);
    home.rota(&["start", "--env", "production"]).ok();
    for port in &ports {
        assert!(get(port.number, "/").body.starts_with("hello from process"));
    }
    assert_eq!(
        super::variable(&home, "hello", "NODE_ENV").as_deref(),
        Some("production")
    );
}
