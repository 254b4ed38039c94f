//! Every verb, and every flag of start.

use crate::support::{Home, app_path, eventually, get};

fn http() -> String {
    app_path("http.js").display().to_string()
}

#[test]
fn an_app_is_started_listed_described_stopped_and_deleted() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let answer = get(started.port, "/").json();
    assert_eq!(answer["isWorker"], true);
    assert_eq!(answer["isPrimary"], false);
    let app = home.app("app");
    assert_eq!(
        (app.status(), app.pids().len(), app.0["mode"].as_str()),
        ("online", 2, Some("cluster"))
    );
    for alias in ["list", "ls", "ps", "status"] {
        home.rota(&[alias]).ok().says("app").says("online");
    }
    home.rota(&["describe", "app"])
        .ok()
        .says("app")
        .says("http.js")
        .says(&started.pids[0].to_string());
    assert!(
        home.rota(&["describe", "app", "--json"])
            .ok()
            .json()
            .to_string()
            .contains("\"app\"")
    );
    home.rota(&["stop", "app"]).ok();
    assert_eq!(
        (home.app("app").status(), home.app("app").pids().len()),
        ("stopped", 0)
    );
    home.rota(&["start", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
    home.rota(&["delete", "app"]).ok();
    assert!(home.apps().is_empty());
}

#[test]
fn restart_replaces_all_processes() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    home.rota(&["restart", "app"]).ok();
    let app = home.app("app");
    assert_eq!((app.status(), app.online()), ("online", 2));
    assert!(
        app.pids().iter().all(|pid| !started.pids.contains(pid)),
        "{:?} {:?}",
        app.pids(),
        started.pids
    );
    get(app.port().unwrap(), "/");
}

#[test]
fn targets_are_names_ids_slots_several_and_all() {
    let home = Home::new();
    for name in ["one", "two", "three"] {
        home.rota(&[
            "start",
            &http(),
            "--name",
            name,
            "-i",
            "2",
            "--observe",
            "0",
        ])
        .ok();
    }
    let pids = |name: &str| home.app(name).pids();
    let (one, two, three) = (pids("one"), pids("two"), pids("three"));
    let ids: Vec<u64> = home
        .apps()
        .iter()
        .flat_map(|app| app.workers())
        .map(|worker| worker.id())
        .collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);

    home.rota(&["restart", "2"]).ok();
    assert_ne!(
        pids("two")[0],
        two[0],
        "the worker with the id 2 is the first of two"
    );
    assert_eq!(pids("two")[1], two[1]);
    home.rota(&["restart", "three:1"]).ok();
    assert_eq!(pids("three")[0], three[0]);
    assert_ne!(pids("three")[1], three[1]);
    assert_eq!(pids("one"), one);

    home.rota(&["stop", "one", "two"]).ok();
    assert_eq!(
        (home.app("one").status(), home.app("two").status()),
        ("stopped", "stopped")
    );
    assert_eq!(home.app("three").status(), "online");
    home.rota(&["start", "all"]).ok();
    assert!(home.apps().iter().all(|app| app.status() == "online"));
    home.rota(&["delete", "all"]).ok();
    assert!(home.apps().is_empty());
}

#[test]
fn several_scripts_in_one_start_become_several_apps() {
    let home = Home::new();
    let esm = app_path("esm.mjs").display().to_string();
    home.rota(&["start", &http(), &esm, "--observe", "0"]).ok();
    let mut names: Vec<String> = home
        .apps()
        .iter()
        .map(|app| app.name().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["esm", "http"]);
    for app in home.apps() {
        get(app.port().unwrap(), "/");
    }
}

#[test]
fn scale_goes_to_a_number_up_and_down() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    for (to, expected) in [
        ("4", 4),
        ("+1", 5),
        ("-3", 2),
        ("1", 1),
        ("max", std::thread::available_parallelism().unwrap().get()),
    ] {
        home.rota(&["scale", "app", to]).ok();
        let app = home.app("app");
        assert_eq!(
            (app.online(), app.workers().len()),
            (expected, expected),
            "scale {to}"
        );
        assert_eq!(app.pids()[0], started.pids[0], "the lowest slot stays");
        get(started.port, "/");
    }
    home.rota(&["scale", "app", "0"]).fails(1).says("stop");
    home.rota(&["scale", "app", "many"]).fails(2);
}

#[test]
fn starting_what_runs_is_an_error_unless_forced() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    home.rota(&["start", &http(), "--name", "app"])
        .fails(6)
        .says("app");
    assert_eq!(home.app("app").pids(), started.pids);
    home.rota(&[
        "start",
        &http(),
        "--name",
        "app",
        "--force",
        "--observe",
        "0",
    ])
    .ok();
    assert_ne!(home.app("app").pids(), started.pids);
}

#[test]
fn no_wait_returns_at_acceptance() {
    let home = Home::new();
    let ready = app_path("ready.js").display().to_string();
    home.rota(&[
        "start",
        &ready,
        "--name",
        "app",
        "--wait-ready",
        "--observe",
        "0",
        "--no-wait",
    ])
    .ok();
    assert_eq!(home.app("app").status(), "launching");
    home.write("go", "");
    home.until_status("online");
}

#[test]
fn wait_ready_waits_for_the_word() {
    let home = Home::new();
    let ready = app_path("ready.js").display().to_string();
    let mut start = home
        .command(&[
            "start",
            &ready,
            "--name",
            "app",
            "--wait-ready",
            "--observe",
            "0",
        ])
        .spawn()
        .unwrap();
    eventually("a port of the app", || {
        home.find_quietly("app").and_then(|app| app.port())
    });
    assert_eq!(home.app("app").status(), "launching");
    assert!(start.try_wait().unwrap().is_none(), "start waits");
    home.write("go", "");
    assert!(start.wait().unwrap().success());
    assert_eq!(home.app("app").status(), "online");
}

#[test]
fn signal_reaches_the_workers() {
    let home = Home::new();
    let started = home.start("handlers.js", &["-i", "2"]);
    home.rota(&["signal", "SIGUSR2", "app"]).ok();
    for pid in &started.pids {
        home.until_reported("SIGUSR2", |line| {
            line["signal"] == "SIGUSR2" && line["pid"] == *pid
        });
    }
    home.rota(&["signal", "WINCH", "0"]).ok();
    let line = home.until_reported("SIGWINCH", |line| line["signal"] == "SIGWINCH");
    assert_eq!(line["pid"], started.pids[0]);
    home.rota(&["signal", "SIGNONSENSE", "app"])
        .fails(2)
        .says("SIGNONSENSE");
}

#[test]
fn ping_version_and_kill() {
    let home = Home::new();
    home.rota(&["ping"]).fails(3).says("start");
    home.rota(&["version"]).ok().says(env!("CARGO_PKG_VERSION"));
    home.rota(&["--version"])
        .ok()
        .says(env!("CARGO_PKG_VERSION"));
    let started = home.start("http.js", &["-i", "2"]);
    home.rota(&["ping"]).ok();
    let (keeper, supervisor) = home.daemon_pids();
    home.rota(&["kill"]).ok();
    let alive = |pid: &u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert!(
        !started.pids.iter().any(alive),
        "workers are gone when kill returns"
    );
    eventually("keeper and supervisor are gone", || {
        (!alive(&keeper) && !alive(&supervisor)).then_some(())
    });
    home.rota(&["ping"]).fails(3);
    // Nothing is in the way of the next one.
    home.start("http.js", &[]);
}
