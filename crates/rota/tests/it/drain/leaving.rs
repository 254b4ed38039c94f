//! Apps that end themselves, workers that leave without a successor, workers that die on the way.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::wire::Wire;
use super::{Beside, all_moved, reports, serve, serve_plain, until_drains, until_running};
use crate::support::{Home, load_on, signal};

/// An app that closes its server itself, at this word, with these flags.
fn closes_itself(on: &str, flags: &[&str]) {
    let home = Home::new();
    let close_on = format!("CLOSE_ON={on}");
    let flags = [&["--env", &close_on], flags].concat();
    let started = serve(&home, &json!({}), &flags);
    let mut wires = Wire::open_used(started.port, 20);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let load = load_on(started.port)
        .keep_alive(4)
        .idle(4, 1..50)
        .one_shot(2)
        .start()
        .unwrap();
    let begin = Instant::now();
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    home.write("go", "");
    assert_eq!(busy.answer().pid(), old);
    reload.ok();
    // Nothing waits for a limit.
    assert!(begin.elapsed() < Duration::from_secs(20));
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 100, Duration::from_secs(60)));
    let report = load.stop_blocking();
    let closed = (report.closed_idle(), report.closed_politely());
    assert_eq!((report.failed(), closed), (0, (0, 0)), "{report}");
    all_moved(&mut wires, &started.pids);
    all_moved(&mut [busy], &started.pids);
    assert_eq!(reports(&home, "closed"), 2, "{:#?}", home.report());
}

#[test]
fn an_app_may_close_its_server_when_the_drain_begins() {
    closes_itself("rota:drain", &[]);
}

#[test]
fn an_app_may_close_its_server_at_the_signal() {
    closes_itself("SIGTERM", &[]);
}

#[test]
fn an_app_may_close_its_server_at_both() {
    closes_itself("rota:drain,SIGTERM", &[]);
}

#[test]
fn an_app_may_close_its_server_at_another_signal() {
    closes_itself("SIGINT", &["--stop-signal", "SIGINT"]);
}

#[test]
fn an_app_may_say_that_it_is_ready() {
    closes_itself("SIGTERM", &["--wait-ready", "--env", "READY=1"]);
}

#[test]
fn connections_move_after_the_limit_too() {
    let home = Home::new();
    let flags = [
        "--env",
        "CLOSE_ON=SIGTERM",
        "--drain-timeout",
        "1s",
        "--kill-timeout",
        "60s",
    ];
    let started = serve(&home, &json!({}), &flags);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::reload(&home);
    home.until_reported("the signal", |line| {
        line["what"] == "SIGTERM" && line["pid"] == old
    });
    let begin = Instant::now();
    home.write("go", "");
    let answer = busy.answer();
    assert!(answer.pid() == old && !answer.says_close(), "{answer:?}");
    reload.ok();
    // The app waits for its connections, and gets rid of this one.
    assert!(begin.elapsed() < Duration::from_secs(20), "{begin:?}");
    assert_eq!(reports(&home, "closed"), 2);
    all_moved(&mut [busy], &started.pids);
}

#[test]
fn a_stopped_app_finishes_its_requests_and_does_not_wait_for_idle_clients() {
    for instances in ["1", "3"] {
        let home = Home::new();
        let started = serve(&home, &json!({}), &["-i", instances]);
        let mut idle = Wire::open_used(started.port, 20);
        let mut busy = Wire::open(started.port);
        busy.send("/wait");
        let old = until_running(&home, "/wait");
        let stop = Beside::start(&home, &["stop", "app"]);
        until_drains(&home, old);
        let begin = Instant::now();
        for wire in &mut idle {
            wire.until_closed();
        }
        assert!(begin.elapsed() < Duration::from_secs(4), "{begin:?}");
        home.write("go", "");
        let answer = busy.answer();
        assert_eq!(answer.pid(), old);
        assert!(answer.says_close(), "{answer:?}");
        busy.until_closed();
        stop.ok();
        assert!(begin.elapsed() < Duration::from_secs(8), "{begin:?}");
    }
}

#[test]
fn a_stop_tells_clients_under_load() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["-i", "1"]);
    let mut clients: Vec<_> = Wire::open_used(started.port, 8);
    let stop = Beside::draining(&home, &["stop", "app"]);
    // Each has an answer to every request until one says that it is the last.
    for wire in &mut clients {
        wire.send("/");
    }
    let told = clients.iter_mut().filter_map(|wire| wire.try_answer().ok());
    let told: Vec<_> = told.collect();
    assert!(told.iter().all(super::wire::Answer::says_close), "{told:?}");
    stop.ok();
}

#[test]
fn fewer_workers_take_over_from_more() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["-i", "4"]);
    let mut wires = Wire::open_used(started.port, 40);
    let load = load_on(started.port)
        .keep_alive(4)
        .idle(4, 1..50)
        .start()
        .unwrap();
    home.rota(&["scale", "app", "1"]).ok();
    let report = load.stop_blocking();
    let closed = (report.closed_idle(), report.closed_politely());
    assert_eq!((report.failed(), closed), (0, (0, 0)), "{report}");
    let left = home.app("app").pids();
    let gone: Vec<_> = started
        .pids
        .into_iter()
        .filter(|p| !left.contains(p))
        .collect();
    assert_eq!((left.len(), gone.len()), (1, 3));
    all_moved(&mut wires, &gone);
}

#[test]
fn restart_drains_too() {
    let home = Home::new();
    let started = serve_plain(&home);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let restart = Beside::draining(&home, &["restart", "app"]);
    until_drains(&home, old);
    home.write("go", "");
    assert_eq!(busy.answer().pid(), old);
    restart.ok();
    assert!(!home.app("app").pids().contains(&old));
}

#[test]
fn what_has_moved_survives_the_death_of_its_former_worker() {
    let home = Home::new();
    let started = serve_plain(&home);
    let mut idle = Wire::open_used(started.port, 50);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    // None is with the worker any more that cannot leave because of its slow request.
    for wire in &mut idle {
        while wire.ask("/").pid() == old {}
    }
    signal(old, Signal::KILL);
    busy.until_closed();
    reload.ok();
    all_moved(&mut idle, &started.pids);
    home.until("two serve", |app| app.online() == 2);
}
