//! No request is lost by anything planned, whatever the client, in every balance mode.

use std::time::Duration;

use rota_bench::load::Running;

use crate::support::{Home, Started, heavy, load_on};

/// Every kind of client at once.
fn all_kinds(started: &Started) -> Running {
    let load = load_on(started.port)
        .keep_alive(10)
        .one_shot(10)
        .idle(20, 50..500)
        .slow(5, "/slow?ms=300");
    let running = load.start().unwrap();
    assert!(running.until_answered_blocking(200, Duration::from_secs(60)));
    running
}

fn nothing_lost(running: Running) {
    let before = running.answered();
    assert!(
        running.until_answered_blocking(before + 200, Duration::from_secs(60)),
        "it still serves"
    );
    let report = running.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
    println!("{report}");
}

fn reloads_in(mode: &str) {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "3", "--balance", mode]);
    let load = all_kinds(&started);
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
    }
    nothing_lost(load);
}

#[test]
fn by_reload_with_round_robin() {
    reloads_in("round-robin");
}

#[test]
fn by_reload_with_ip_hash() {
    reloads_in("ip-hash");
}

#[test]
fn by_reload_with_shared() {
    reloads_in("shared");
}

#[test]
fn by_reload_with_reuseport() {
    reloads_in("reuseport");
}

#[test]
fn by_scaling() {
    for mode in ["round-robin", "ip-hash", "shared", "reuseport"] {
        let home = Home::new();
        let _alone = heavy();
        let started = home.start("http.js", &["-i", "3", "--balance", mode]);
        let load = all_kinds(&started);
        for to in ["1", "4", "2"] {
            home.rota(&["scale", "app", to]).ok();
        }
        nothing_lost(load);
    }
}

#[test]
fn by_restart_of_one_worker_and_reload_of_a_lone_one() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &[]);
    let load = all_kinds(&started);
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
    }
    nothing_lost(load);
}

#[test]
fn by_stopping_one_slot() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "2"]);
    let load = all_kinds(&started);
    home.rota(&["stop", "app:0"]).ok();
    home.rota(&["start", "app:0"]).ok();
    home.rota(&["restart", "app:1"]).ok();
    nothing_lost(load);
}

#[test]
fn by_a_worker_that_leaves() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("disconnect.js", &["-i", "2"]);
    let load = load_on(started.port).one_shot(10).start().unwrap();
    assert!(load.until_answered_blocking(200, Duration::from_secs(60)));
    for _ in 0..3 {
        let left = crate::support::get(started.port, "/worker-disconnect").pid();
        home.until("a replacement", |app| {
            app.online() == 2 && !app.pids().contains(&left)
        });
    }
    nothing_lost(load);
}
