//! TLS has a state in its worker that cannot move: clients are told, and left the time to hear it.

use std::time::{Duration, Instant};

use super::wire::Wire;
use super::{Beside, until_drains, until_running};
use crate::support::{Home, Started, tls_dir};

/// `drain.js` over TLS.
fn serve(home: &Home, flags: &[&str]) -> Started {
    let env = format!("TLS_DIR={}", tls_dir().display());
    home.start("drain.js", &[&["-i", "2", "--env", &env], flags].concat())
}

fn open_used(port: u16, count: usize) -> Vec<Wire> {
    let open = |_| {
        let mut wire = Wire::open_tls(port);
        assert_eq!(wire.ask("/").status, 200);
        wire
    };
    (0..count).map(open).collect()
}

#[test]
fn answers_tell_that_they_are_the_last() {
    let home = Home::new();
    let started = serve(&home, &["--idle-grace", "30s"]);
    let mut busy = Wire::open_tls(started.port);
    busy.send("/wait");
    let old = until_running(&home, "/wait");
    let mut idle = open_used(started.port, 4);
    let reload = Beside::reload(&home);
    for pid in &started.pids {
        until_drains(&home, *pid);
    }
    home.write("go", "");
    let answer = busy.answer();
    assert_eq!(answer.pid(), old);
    assert!(answer.says_close(), "{answer:?}");
    busy.until_closed();
    for wire in &mut idle {
        assert!(wire.is_open());
        let answer = wire.ask("/");
        assert!(answer.says_close(), "{answer:?}");
        wire.until_closed();
    }
    reload.ok();
}

#[test]
fn pipelined_requests_are_all_answered() {
    let home = Home::new();
    let started = serve(&home, &[]);
    let mut wire = Wire::open_tls(started.port);
    wire.send("/wait");
    let old = until_running(&home, "/wait");
    let reload = Beside::reload(&home);
    until_drains(&home, old);
    for path in ["/slow?ms=40", "/slow?ms=50"] {
        wire.send(path);
    }
    until_running(&home, "/slow?ms=50");
    home.write("go", "");
    for url in ["/wait", "/slow?ms=40", "/slow?ms=50"] {
        let answer = wire.answer();
        assert_eq!(answer.json()["url"], url);
        assert_eq!(answer.says_close(), url == "/slow?ms=50", "{answer:?}");
    }
    wire.until_closed();
    reload.ok();
}

#[test]
fn idle_connections_are_closed_after_the_grace() {
    let home = Home::new();
    let started = serve(&home, &["--idle-grace", "3s"]);
    let mut idle = open_used(started.port, 2);
    // It has done nothing but shake hands.
    let mut unused = Wire::open_tls(started.port);
    assert!(unused.stays_open(Duration::from_millis(500)));
    // And this one not even that.
    let mut silent = Wire::open(started.port);
    let reload = Beside::reload(&home);
    let begin = Instant::now();
    assert!(idle[0].stays_open(Duration::from_secs(2)));
    for wire in &mut idle {
        wire.until_closed();
    }
    unused.until_closed();
    silent.until_closed();
    reload.ok();
    let took = begin.elapsed();
    assert!(
        took < Duration::from_secs(15),
        "not the drain's limit: {took:?}"
    );
}

#[test]
fn a_stopped_app_does_not_wait_for_idle_clients() {
    let home = Home::new();
    let started = serve(&home, &["--idle-grace", "60s"]);
    let mut idle = open_used(started.port, 2);
    let begin = Instant::now();
    home.rota(&["stop", "app"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(20), "{begin:?}");
    for wire in &mut idle {
        wire.until_closed();
    }
}
