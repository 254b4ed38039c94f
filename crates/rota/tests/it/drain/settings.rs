//! What the app has set for its HTTP server holds on connections that have moved, too.
//!
//! Times are the subject here, so these tests wait for them; what is asked is far from what a busy machine adds.

use std::time::{Duration, Instant};

use serde_json::json;

use super::wire::Wire;
use super::{all_moved, serve};
use crate::support::{Home, node_bin};

/// All settings that say how long something may take.
fn timeouts_hold(version: &str) {
    let home = Home::new();
    let settings = json!({
        "keepAliveTimeout": 60_000,
        "headersTimeout": 1_000,
        "requestTimeout": 2_000,
        "connectionsCheckingInterval": 100,
    });
    let node = node_bin(version).display().to_string();
    let started = serve(&home, &settings, &["--interpreter", &node]);
    let mut idle = Wire::open_used(started.port, 3);
    let mut slow_head = Wire::open_used(started.port, 1).remove(0);
    let mut slow_body = Wire::open_used(started.port, 1).remove(0);
    home.rota(&["reload", "app"]).ok();
    let begin = Instant::now();
    slow_head.write("GET / HTTP/1.1\r\nHo");
    slow_body.write("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    assert_eq!(slow_head.answer().status, 408);
    assert!(begin.elapsed() >= Duration::from_millis(900));
    slow_head.until_closed();
    assert_eq!(slow_body.answer().status, 408);
    assert!(begin.elapsed() >= Duration::from_millis(1_900));
    slow_body.until_closed();
    // They have been idle for longer than a head may take.
    all_moved(&mut idle, &started.pids);
}

#[test]
fn timeouts_hold_with_node_18() {
    timeouts_hold("18");
}

#[test]
fn timeouts_hold_with_node_20() {
    timeouts_hold("20");
}

#[test]
fn timeouts_hold_with_node_22() {
    timeouts_hold("22");
}

#[test]
fn timeouts_hold_with_node_24() {
    timeouts_hold("24");
}

#[test]
fn idle_time_counts_from_the_last_answer() {
    let home = Home::new();
    let started = serve(&home, &json!({ "keepAliveTimeout": 6_000 }), &[]);
    let mut wire = Wire::open(started.port);
    wire.ask("/");
    let answered = Instant::now();
    // An idle client; the reload comes in the middle of its time.
    assert!(wire.stays_open(Duration::from_secs(3)));
    home.rota(&["reload", "app"]).ok();
    let reloaded = answered.elapsed();
    wire.until_closed();
    let closed = answered.elapsed();
    // Node itself adds a second. Counted anew it would be 9 s at least.
    assert!(closed >= Duration::from_millis(5_900), "{closed:?}");
    assert!(
        closed < Duration::from_millis(8_900) || reloaded > Duration::from_secs(6),
        "{closed:?}, reloaded {reloaded:?}"
    );
}

#[test]
fn idle_time_begins_anew_with_the_next_answer() {
    let home = Home::new();
    let started = serve(&home, &json!({ "keepAliveTimeout": 4_000 }), &[]);
    let mut wires = Wire::open_used(started.port, 1);
    home.rota(&["reload", "app"]).ok();
    // Longer than what was left of the first time, in steps.
    for _ in 0..4 {
        all_moved(&mut wires, &started.pids);
        assert!(wires[0].stays_open(Duration::from_millis(1_500)));
    }
    // A slow answer is not idle time.
    assert_eq!(wires[0].ask("/slow?ms=6000").status, 200);
    wires[0].until_closed();
}

#[test]
fn without_a_limit_of_idle_time_there_is_none() {
    let home = Home::new();
    let settings = json!({ "keepAliveTimeout": 0, "connectionsCheckingInterval": 100 });
    let started = serve(&home, &settings, &[]);
    let mut wires = Wire::open_used(started.port, 2);
    home.rota(&["reload", "app"]).ok();
    assert!(wires[0].stays_open(Duration::from_secs(7)));
    all_moved(&mut wires, &started.pids);
}

#[test]
fn the_servers_own_timeout_holds() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["--env", "INACTIVITY=1500"]);
    let mut wires = Wire::open_used(started.port, 2);
    home.rota(&["reload", "app"]).ok();
    let mut busy = wires.remove(0);
    busy.send("/slow?ms=60000");
    let took = busy.until_closed();
    assert!(took >= Duration::from_millis(1_400), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn unused_connections_are_still_timed() {
    let home = Home::new();
    let settings = json!({ "headersTimeout": 1_500, "connectionsCheckingInterval": 100 });
    let started = serve(&home, &settings, &[]);
    let mut wire = Wire::open(started.port);
    home.rota(&["reload", "app"]).ok();
    // Node closes such a one; whether it says why first differs between its versions.
    while wire.try_answer().is_ok() {}
}

fn requests_are_counted(version: &str) {
    let home = Home::new();
    let settings = json!({ "properties": { "maxRequestsPerSocket": 4 } });
    let node = node_bin(version).display().to_string();
    let started = serve(&home, &settings, &["--interpreter", &node]);
    let mut wires = Wire::open_used(started.port, 2);
    let mut old = started.pids;
    for wire in &mut wires {
        assert!(!wire.ask("/").says_close());
    }
    home.rota(&["reload", "app"]).ok();
    all_moved(&mut wires, &old);
    old.extend(home.app("app").pids());
    home.rota(&["reload", "app"]).ok();
    for wire in &mut wires {
        let answer = wire.ask("/");
        assert!(!old.contains(&answer.pid()));
        assert!(answer.says_close(), "{answer:?}");
    }
}

#[test]
fn requests_are_counted_across_workers_with_node_18() {
    requests_are_counted("18");
}

#[test]
fn requests_are_counted_across_workers_with_node_20() {
    requests_are_counted("20");
}

#[test]
fn requests_are_counted_across_workers_with_node_24() {
    requests_are_counted("24");
}
