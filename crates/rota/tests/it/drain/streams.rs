//! Long answers have the drain time.

use std::time::{Duration, Instant};

use serde_json::json;

use super::wire::Wire;
use super::{Beside, all_moved, serve, until_drains, until_running};
use crate::support::Home;

#[test]
fn events_are_sent_to_the_last() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &[]);
    let mut wires: Vec<_> = (0..4).map(|_| Wire::open(started.port)).collect();
    for wire in &mut wires {
        wire.send("/events?count=30");
        wire.until(b"data: 29").unwrap();
    }
    let reload = Beside::reload(&home);
    for wire in &mut wires {
        wire.until(b"data: 0\n\n\r\n0\r\n\r\n").unwrap();
    }
    reload.ok();
    all_moved(&mut wires, &started.pids);
}

#[test]
fn events_without_end_are_cut_at_the_limit() {
    let home = Home::new();
    let started = serve(&home, &json!({}), &["--drain-timeout", "2s"]);
    let mut wire = Wire::open(started.port);
    wire.send("/events?count=100000");
    let old = until_running(&home, "/events?count=100000");
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    let begin = Instant::now();
    while wire.until(b"data: ").is_ok() {}
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(1_500), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    reload.ok();
}

#[test]
fn a_long_download_is_finished() {
    const BYTES: usize = 30_000_000;
    let home = Home::new();
    let started = serve(&home, &json!({}), &[]);
    let path = format!("/big?bytes={BYTES}");
    let mut wire = Wire::open(started.port);
    wire.send(&path);
    let old = until_running(&home, &path);
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    wire.until(b"\r\n\r\n").unwrap();
    for _ in 0..30 {
        wire.exactly(BYTES / 30).unwrap();
        // A reader that takes about three seconds.
        std::thread::sleep(Duration::from_millis(100));
    }
    reload.ok();
    all_moved(&mut [wire], &started.pids);
}
