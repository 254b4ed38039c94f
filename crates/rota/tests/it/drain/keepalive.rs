//! Kept connections of plain HTTP/1.1 move to a new worker between two requests.

use serde_json::json;

use super::wire::{Wire, request};
use super::{Beside, all_moved, reports, serve, serve_plain, until_drains, until_running};
use crate::support::{Home, node_bin};

/// Idle, unused, busy, pipelining: all of them, by this Node.
fn everything_moves(version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    let started = serve(&home, &json!({}), &["--interpreter", &node]);
    let mut idle = Wire::open_used(started.port, 10);
    let mut unused: Vec<_> = (0..4).map(|_| Wire::open(started.port)).collect();
    let mut busy = Wire::open(started.port);
    busy.send("/wait");
    let slow = until_running(&home, "/wait");
    let mut pipeline = Wire::open(started.port);
    let requests = ["/wait?1", "/?2", "/?3"].map(request).concat();
    pipeline.write(requests);
    until_running(&home, "/wait?1");
    let reload = Beside::reload(&home);
    until_drains(&home, slow);
    home.write("go", "");
    assert_eq!(busy.answer().pid(), slow);
    for url in ["/wait?1", "/?2", "/?3"] {
        let answer = pipeline.answer();
        assert_eq!(answer.json()["url"], url);
        assert!(!answer.says_close(), "{answer:?}");
    }
    reload.ok();
    all_moved(&mut idle, &started.pids);
    all_moved(&mut unused, &started.pids);
    all_moved(&mut [busy, pipeline], &started.pids);
}

#[test]
fn everything_moves_with_node_18() {
    everything_moves("18");
}

#[test]
fn everything_moves_with_node_20() {
    everything_moves("20");
}

#[test]
fn everything_moves_with_node_22() {
    everything_moves("22");
}

#[test]
fn everything_moves_with_node_24() {
    everything_moves("24");
}

#[test]
fn idle_connections_move_again_and_again() {
    let home = Home::new();
    let mut started = serve_plain(&home);
    let mut wires = Wire::open_used(started.port, 50);
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
        all_moved(&mut wires, &started.pids);
        started.pids = home.app("app").pids();
    }
}

#[test]
fn a_lone_worker_hands_over_to_its_successor() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["-i", "1"]);
    let mut wires = Wire::open_used(started.port, 5);
    home.rota(&["reload", "app"]).ok();
    all_moved(&mut wires, &started.pids);
}

#[test]
fn a_slow_reader_gets_all_of_a_big_answer() {
    const BYTES: usize = 10_000_000;
    let home = Home::new();
    let started = serve_plain(&home);
    let mut wire = Wire::open(started.port);
    let path = format!("/big?bytes={BYTES}");
    wire.send(&path);
    let old = until_running(&home, &path);
    let head = wire.until(b"\r\n\r\n").unwrap();
    assert!(String::from_utf8_lossy(&head).contains(&BYTES.to_string()));
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    for _ in 0..10 {
        assert!(wire.exactly(BYTES / 10).unwrap().iter().all(|b| *b == b'x'));
    }
    reload.ok();
    all_moved(&mut [wire], &started.pids);
}

#[test]
fn requests_written_while_another_is_running_are_answered_in_order() {
    let home = Home::new();
    let started = serve_plain(&home);
    let mut wire = Wire::open(started.port);
    wire.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    for path in ["/?1", "/slow?ms=50", "/?3"] {
        wire.send(path);
    }
    until_running(&home, "/slow?ms=50");
    home.write("go", "");
    for url in ["/wait", "/?1", "/slow?ms=50", "/?3"] {
        let answer = wire.answer();
        assert_eq!(answer.json()["url"], url);
        assert!(!answer.says_close(), "{answer:?}");
    }
    reload.ok();
    all_moved(&mut [wire], &started.pids);
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let home = Home::new();
    let started = serve_plain(&home);
    // Half a head on a new connection, half a head on a used one, half a body.
    let mut wires = Wire::open_used(started.port, 3);
    wires[0] = Wire::open(started.port);
    let text = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n0123456789";
    let halves = [20, 20, text.len() - 5];
    for (wire, half) in wires.iter_mut().zip(halves) {
        wire.write(&text[..half]);
    }
    // The body's worker has seen the head; of the others nothing can be seen but that it makes no difference.
    until_running(&home, "/echo");
    let reload = Beside::reload(&home);
    for pid in &started.pids {
        until_drains(&home, *pid);
    }
    for (wire, half) in wires.iter_mut().zip(halves) {
        assert!(wire.is_open());
        wire.write(&text[half..]);
        let answer = wire.answer();
        assert_eq!(answer.json()["bytes"], 10);
        assert!(!answer.says_close(), "{answer:?}");
    }
    reload.ok();
    all_moved(&mut wires, &started.pids);
}

#[test]
fn a_request_at_any_moment_of_a_reload_is_answered() {
    let home = Home::new();
    let started = serve_plain(&home);
    let load = crate::support::load_on(started.port)
        .keep_alive(8)
        .idle(8, 1..50)
        .slow(4, "/slow?ms=30")
        .start()
        .unwrap();
    for _ in 0..5 {
        let answered = load.answered();
        assert!(load.until_answered_blocking(answered + 100, std::time::Duration::from_secs(60)));
        home.rota(&["reload", "app"]).ok();
    }
    let report = load.stop_blocking();
    let closed = (report.closed_idle(), report.closed_politely());
    assert_eq!((report.failed(), closed), (0, (0, 0)), "{report}");
    assert!(reports(&home, "drain") >= 10);
}
