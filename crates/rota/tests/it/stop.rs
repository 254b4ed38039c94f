//! The stop ladder: drain, stop signal, kill timeout, SIGKILL; nothing is left behind.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Connection, Home, eventually, get};

fn alive(pid: &Value) -> bool {
    // A zombie is dead: it only waits for whoever is its parent.
    let Ok(stat) = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
    else {
        return false;
    };
    !stat.rsplit(") ").next().unwrap().starts_with('Z')
}

#[test]
fn the_apps_own_handlers_run() {
    let home = Home::new();
    let started = home.start("handlers.js", &["-i", "2"]);
    home.rota(&["stop", "app"]).ok();
    let lines = home.report();
    for pid in started.pids {
        assert!(
            lines
                .iter()
                .any(|line| line["pid"] == pid && line["signal"] == "SIGTERM"),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line["pid"] == pid && line["cleaned"] == true),
            "{lines:?}"
        );
    }
}

#[test]
fn the_stop_signal_can_be_another() {
    let home = Home::new();
    home.start(
        "handlers.js",
        &["--stop-signal", "SIGINT", "--env", "STOP_ON=SIGINT"],
    );
    home.rota(&["stop", "app"]).ok();
    let lines = home.report();
    assert!(
        lines.iter().any(|line| line["signal"] == "SIGINT"),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line["signal"] == "SIGTERM"),
        "{lines:?}"
    );
}

#[test]
fn who_ignores_the_signal_is_killed() {
    let home = Home::new();
    let started = home.start(
        "stubborn.js",
        &["-i", "2", "--drain-timeout", "300", "--kill-timeout", "500"],
    );
    let begin = Instant::now();
    home.rota(&["stop", "app"]).ok();
    assert!(
        begin.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begin.elapsed()
    );
    assert!(!started.pids.iter().any(|pid| alive(&Value::from(*pid))));
    home.rota(&["start", "app"]).ok();
    home.rota(&["reload", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
}

#[test]
fn running_requests_are_finished_before_the_signal() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let mut slow: Vec<_> = (0..6)
        .map(|_| Connection::open(started.port).unwrap())
        .collect();
    for connection in &mut slow {
        connection.send("/slow?ms=1500").unwrap();
    }
    // They are with the workers when a later one has been answered by each.
    for _ in 0..10 {
        get(started.port, "/");
    }
    home.rota(&["stop", "app"]).ok();
    for connection in &mut slow {
        assert_eq!(connection.receive().unwrap().status, 200);
    }
}

#[test]
fn the_drain_has_a_limit() {
    let home = Home::new();
    let started = home.start(
        "http.js",
        &["--drain-timeout", "300", "--kill-timeout", "300"],
    );
    let mut endless = Connection::open(started.port).unwrap();
    endless.send("/slow?ms=600000").unwrap();
    get(started.port, "/");
    home.rota(&["stop", "app"]).ok();
    assert!(home.app("app").pids().is_empty());
}

#[test]
fn grandchildren_go_with_their_worker() {
    let home = Home::new();
    home.start("children.js", &["-i", "2"]);
    let report = || {
        let lines = home.report();
        lines
            .iter()
            .flat_map(|line| line["pids"].as_array().unwrap().clone())
            .collect::<Vec<_>>()
    };
    let first = eventually("both have told their children", || {
        Some(report()).filter(|pids| pids.len() == 6)
    });
    assert!(first.iter().all(alive), "they run: {first:?}");

    rustix::process::kill_process(
        rustix::process::Pid::from_raw(home.app("app").pids()[0].cast_signed()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let dead = home.report()[..]
        .iter()
        .find(|line| !alive(&line["pid"]))
        .cloned();
    let dead = dead.unwrap_or_else(|| {
        eventually("the death", || {
            home.report().into_iter().find(|line| !alive(&line["pid"]))
        })
    });
    eventually("its children are gone, those in other sessions too", || {
        (!dead["pids"].as_array().unwrap().iter().any(alive)).then_some(())
    });
    home.until("two again", |app| app.online() == 2);

    home.rota(&["stop", "app"]).ok();
    eventually("no child is left", || {
        (!report().iter().any(alive)).then_some(())
    });
}

#[test]
fn stop_of_one_slot_leaves_the_others() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "3"]);
    home.rota(&["stop", "app:1"]).ok();
    assert_eq!(home.app("app").pids(), [started.pids[0], started.pids[2]]);
    for _ in 0..6 {
        get(started.port, "/");
    }
    home.rota(&["start", "app:1"]).ok();
    assert_eq!(home.app("app").online(), 3);
}

#[test]
fn deleting_frees_name_ids_and_port() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    home.rota(&["delete", "app"]).ok();
    std::net::TcpListener::bind(("127.0.0.1", started.port)).expect("the port is free");
    home.start("http.js", &["-i", "2"]);
    let ids: Vec<u64> = home
        .app("app")
        .workers()
        .iter()
        .map(crate::support::Worker::id)
        .collect();
    assert_eq!(ids, [0, 1]);
}

#[test]
fn a_stopped_app_holds_no_port() {
    let home = Home::new();
    let port = home.start("http.js", &["-i", "2"]).port;
    home.rota(&["stop", "app"]).ok();
    eventually("the port is free", || {
        std::net::TcpListener::bind(("0.0.0.0", port)).ok()
    });
    home.rota(&["start", "app"]).ok();
    let port = home.until("it listens", |app| app.port().is_some()).port();
    assert_eq!(get(port.unwrap(), "/").status, 200);
}
