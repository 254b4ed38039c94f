//! What is started when.

use super::write;
use crate::support::{Home, app_path, eventually, get};

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
    let other = Home::new();
    write(
        &other,
        "[apps.a]\nscript = \"{http.js}\"\n[apps.b]\nscript = \"{http.js}\"\ndepends_on = [\"a\"]\n",
    );
    other
        .rota(&["run", "rota.toml"])
        .fails(2)
        .says("b depends on others");
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
