//! The other ways to share connections out, and less than the whole drain.

use std::time::{Duration, Instant};

use serde_json::json;

use super::wire::Wire;
use super::{Beside, all_moved, serve, until_drains, until_running};
use crate::support::{Home, load_on};

/// Nothing lost, nothing closed.
fn reloads_under_load(balance: &str) {
    let home = Home::new();
    let mut started = serve(&home, &json!({}), &["--balance", balance]);
    let mut wires = Wire::open_used(started.port, 10);
    let load = load_on(started.port)
        .keep_alive(4)
        .idle(4, 1..50)
        .one_shot(4)
        .start()
        .unwrap();
    for _ in 0..3 {
        let answered = load.answered();
        assert!(load.until_answered_blocking(answered + 100, Duration::from_secs(60)));
        home.rota(&["reload", "app"]).ok();
        all_moved(&mut wires, &started.pids);
        started.pids = home.app("app").pids();
    }
    let report = load.stop_blocking();
    let closed = (report.closed_idle(), report.closed_politely());
    assert_eq!(
        (report.failed(), closed),
        (0, (0, 0)),
        "{balance}: {report}"
    );
}

#[test]
fn round_robin() {
    reloads_under_load("round-robin");
}

#[test]
fn ip_hash() {
    reloads_under_load("ip-hash");
}

#[test]
fn shared() {
    reloads_under_load("shared");
}

#[test]
fn reuseport() {
    reloads_under_load("reuseport");
}

#[test]
fn without_handover_clients_are_told() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["--no-handover", "--idle-grace", "3s"]);
    let mut idle = Wire::open_used(started.port, 4);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::reload(&home);
    for pid in &started.pids {
        until_drains(&home, *pid);
    }
    let begin = Instant::now();
    home.write("go", "");
    let answer = busy.answer();
    assert!(answer.pid() == old && answer.says_close(), "{answer:?}");
    busy.until_closed();
    let mut asks = idle.split_off(2);
    for wire in &mut asks {
        assert!(wire.is_open());
        let answer = wire.ask("/");
        assert!(answer.says_close(), "{answer:?}");
        wire.until_closed();
    }
    for wire in &mut idle {
        wire.until_closed();
    }
    assert!(begin.elapsed() >= Duration::from_secs(2), "{begin:?}");
    reload.ok();
}

#[test]
fn without_agent_running_requests_are_finished() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["--no-agent"]);
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::start(&home, &["reload", "app"]);
    home.until("the worker drains", |app| {
        let workers = app.workers();
        workers
            .iter()
            .any(|w| w.pid() == Some(old) && w.status() == "draining")
    });
    home.write("go", "");
    assert_eq!(busy.answer().pid(), old);
    drop(busy);
    reload.ok();
    assert_eq!(super::reports(&home, "drain"), 0);
}
