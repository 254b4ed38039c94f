//! What verbs may be told to act on, and `reset`.

use crate::support::{Home, app_path};

/// `api-a` and `api-b` in the namespace `shop`, an app that is called like it, and `other`.
fn shop() -> Home {
    let home = Home::new();
    let script = app_path("queue.js").display().to_string();
    for (name, namespace) in [
        ("api-a", "shop"),
        ("api-b", "shop"),
        ("other", "default"),
        ("shop", "default"),
    ] {
        let flags = ["--fork", "--observe", "0", "--min-uptime", "0"];
        let start = ["start", &script, "--name", name, "--namespace", namespace];
        home.rota(&[&start[..], &flags[..]].concat()).ok();
    }
    home
}

fn stopped(home: &Home) -> Vec<String> {
    let apps = home.apps().into_iter();
    let rest = apps.filter(|app| app.status() == "stopped");
    let mut names: Vec<_> = rest.map(|app| app.name().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn expressions_namespaces_and_several_at_once() {
    let home = shop();
    home.rota(&["stop", "/^api-/"]).ok();
    assert_eq!(stopped(&home), ["api-a", "api-b"]);
    home.rota(&["start", "namespace:shop"]).ok();
    assert!(stopped(&home).is_empty());
    // The app comes before the namespace, and that is told.
    home.rota(&["stop", "shop"]).ok().says("namespace:shop");
    assert_eq!(stopped(&home), ["shop"]);
    home.rota(&["stop", "/API-B/i", "other"]).ok();
    assert_eq!(stopped(&home), ["api-b", "other", "shop"]);
    home.rota(&["start", "all"]).ok();
    assert!(stopped(&home).is_empty());
    let listed = home.rota(&["list", "--json", "namespace:shop"]).ok();
    assert_eq!(listed.json()["apps"].as_array().unwrap().len(), 2);
    for verb in ["describe", "logs"] {
        home.rota(&[verb, "/api-/"]).ok();
    }
    home.rota(&["env", "/api-a/"]).ok();
    home.rota(&["env", "/api-/"]).fails(2).says("several apps");
    home.rota(&["scale", "namespace:shop", "2"]).ok();
    assert_eq!(home.app("api-a").pids().len(), 2);
    home.rota(&["delete", "/api-./", "other"]).ok();
    assert_eq!(home.apps().len(), 1);
}

#[test]
fn what_is_not_meant_is_told() {
    let home = shop();
    home.rota(&["stop", "api_a"]).fails(4).says("`api-a`");
    home.rota(&["stop", "shpo"]).fails(4).says("`shop`");
    home.rota(&["stop", "api-*"]).fails(4).says("'/api-.*/'");
    home.rota(&["stop", "/zzz/"]).fails(4).says("matches");
    let bad = home.rota(&["stop", "/(/"]);
    assert_ne!(bad.code, 0);
    bad.says("regular expression");
    home.rota(&["scale", "other", "-1"])
        .fails(1)
        .says("other has 1 worker, and -1 would leave none");
    assert!(stopped(&home).is_empty());
}

#[test]
fn a_reset_forgets_restarts_and_failures_and_touches_nothing_else() {
    let home = Home::new();
    let started = home.start("queue.js", &["--fork", "--backoff", "50ms"]);
    home.rota(&["signal", "KILL", "app"]).ok();
    let app = home.until("a restart", |app| {
        app.restarts() == 1 && app.online() == 1 && app.pids() != started.pids
    });
    assert!(app.0["last_failure"].is_object(), "{:#}", app.0);
    assert_eq!(app.0["settings"]["backoff_ms"], 50);
    home.rota(&["reset", "app"]).ok();
    let after = home.app("app");
    assert_eq!(after.restarts(), 0);
    assert!(after.0["last_failure"].is_null(), "{:#}", after.0);
    assert_eq!(after.pids(), app.pids());
}
