//! Rollouts that go well.

use std::time::{Duration, Instant};

use crate::support::{Connection, Home, app_path, eventually, get, node_bin};

#[test]
fn new_code_serves_and_the_old_is_gone() {
    let home = Home::new();
    let script = home.copy("http.js");
    home.write("version.txt", "1");
    let started = home.start_script(&script, &["-i", "3"]);
    assert_eq!(get(started.port, "/").json()["version"], "1");
    home.write("version.txt", "2");
    home.rota(&["reload", "app"]).ok();
    let app = home.app("app");
    assert_eq!(
        (app.status(), app.online(), app.port()),
        ("online", 3, Some(started.port))
    );
    assert!(app.pids().iter().all(|pid| !started.pids.contains(pid)));
    for _ in 0..9 {
        assert_eq!(get(started.port, "/").json()["version"], "2");
    }
}

#[test]
fn serving_workers_never_fall_below_the_wanted_number() {
    let home = Home::new();
    home.start("http.js", &["-i", "3"]);
    let mut reload = home.command(&["reload", "app"]).spawn().unwrap();
    let mut looks = 0;
    while reload.try_wait().unwrap().is_none() {
        let app = home.app("app");
        assert!(app.online() >= 3, "{:#}", app.0);
        assert!(app.online() <= 4, "one extra at most: {:#}", app.0);
        looks += 1;
    }
    assert!(reload.wait().unwrap().success());
    assert!(looks > 0);
}

#[test]
fn the_first_new_worker_is_watched() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "1s",
    ])
    .ok();
    let begin = Instant::now();
    home.rota(&["reload", "app"]).ok();
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn one_slot_can_be_reloaded_alone() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "3"]);
    home.rota(&["reload", "app:1"]).ok();
    let pids = home.app("app").pids();
    assert_eq!((pids[0], pids[2]), (started.pids[0], started.pids[2]));
    assert_ne!(pids[1], started.pids[1]);
}

#[test]
fn reload_all_reloads_every_app() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    for name in ["one", "two"] {
        home.rota(&[
            "start",
            &script,
            "--name",
            name,
            "-i",
            "2",
            "--observe",
            "0",
        ])
        .ok();
    }
    let before: Vec<u32> = home
        .apps()
        .iter()
        .flat_map(crate::support::App::pids)
        .collect();
    home.rota(&["reload", "all"]).ok();
    let after: Vec<u32> = home
        .apps()
        .iter()
        .flat_map(crate::support::App::pids)
        .collect();
    assert_eq!(after.len(), 4);
    assert!(after.iter().all(|pid| !before.contains(pid)));
}

#[test]
fn a_reload_may_change_node_itself() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    for version in ["18", "24", "22"] {
        home.rota(&[
            "reload",
            "app",
            "--interpreter",
            &node_bin(version).display().to_string(),
        ])
        .ok();
        let node = get(started.port, "/").json()["node"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(node.starts_with(&format!("{version}.")), "{node}");
    }
    home.rota(&["reload", "app", "--node-args", "--max-old-space-size=99"])
        .ok();
    assert_eq!(
        get(started.port, "/argv").json()["execArgv"].to_string(),
        r#"["--max-old-space-size=99"]"#
    );
}

#[test]
fn a_stopped_app_is_started_by_reload() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    home.rota(&["stop", "app"]).ok();
    home.rota(&["reload", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
}

#[test]
fn reloads_at_the_same_time_are_all_answered() {
    let home = Home::new();
    let script = home.copy("http.js");
    home.write("version.txt", "1");
    let started = home.start_script(&script, &["-i", "2"]);
    let mut reloads: Vec<_> = (0..5)
        .map(|_| home.command(&["reload", "app"]).spawn().unwrap())
        .collect();
    // Whoever asks after the code has changed gets the changed code, whatever is running.
    home.write("version.txt", "2");
    home.rota(&["reload", "app"]).ok();
    for _ in 0..6 {
        assert_eq!(get(started.port, "/").json()["version"], "2");
    }
    for reload in &mut reloads {
        assert!(reload.wait().unwrap().success());
    }
    home.until("calm", |app| {
        app.status() == "online" && app.workers().len() == 2
    });
}

#[test]
fn scale_during_a_reload_is_not_lost() {
    let home = Home::new();
    home.start("http.js", &["-i", "3"]);
    for (to, expected) in [("5", 5), ("2", 2)] {
        let mut reload = home.command(&["reload", "app"]).spawn().unwrap();
        eventually("the rollout runs", || {
            (home.app("app").status() == "reloading" || reload.try_wait().unwrap().is_some())
                .then_some(())
        });
        home.rota(&["scale", "app", to]).ok();
        assert!(reload.wait().unwrap().success());
        home.until(&format!("{to} workers"), |app| {
            app.online() == expected && app.workers().len() == expected
        });
    }
}

#[test]
fn stop_during_a_reload_wins() {
    let home = Home::new();
    let script = home.copy("http.js");
    home.start_script(&script, &["-i", "2"]);
    home.deploy("http.js", "never-listens.js");
    let mut reload = home.command(&["reload", "app"]).spawn().unwrap();
    home.until_status("reloading");
    home.rota(&["stop", "app"]).ok();
    assert_eq!(
        reload.wait().unwrap().code(),
        Some(1),
        "the reload has been superseded, and is told so"
    );
    let app = home.app("app");
    assert_eq!((app.status(), app.pids().len()), ("stopped", 0));
}

#[test]
fn delete_during_a_reload_leaves_nothing() {
    let home = Home::new();
    let script = home.copy("http.js");
    home.start_script(&script, &["-i", "2"]);
    home.deploy("http.js", "never-listens.js");
    let mut reload = home.command(&["reload", "app"]).spawn().unwrap();
    home.until_status("reloading");
    home.rota(&["delete", "app"]).ok();
    assert_eq!(reload.wait().unwrap().code(), Some(1));
    assert!(home.apps().is_empty());
}

#[test]
fn slow_requests_of_the_old_workers_are_finished() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let mut slow: Vec<_> = (0..8)
        .map(|_| Connection::open(started.port).unwrap())
        .collect();
    for (index, connection) in slow.iter_mut().enumerate() {
        connection
            .send(if index % 2 == 0 {
                "/slow?ms=2000"
            } else {
                "/stream?ms=2000"
            })
            .unwrap();
    }
    for _ in 0..10 {
        get(started.port, "/");
    }
    home.rota(&["reload", "app"]).ok();
    for connection in &mut slow {
        let answer = connection.receive().unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.ends_with("end") || started.pids.contains(&answer.pid()),
            "{answer:?}"
        );
    }
}
