//! WebSockets and other connections that are no longer HTTP: left alone until the time is over, then told properly.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::wire::Wire;
use super::{Beside, reports, until_drains};
use crate::support::{Foreground, Home, client_path};

const LIMIT: &str = "3s";

/// A client with so many WebSockets, all of them open.
fn sockets(home: &Home, port: u16, count: usize, more: &[&str]) -> Foreground {
    let mut client = home.program("node");
    client
        .arg(client_path("websocket-life.js"))
        .args([port.to_string(), count.to_string()])
        .args(more);
    let mut client = Foreground::start(&mut client);
    client.until_says("open");
    client
}

/// They work until the limit, the app hears of it before, and then each is told 1001.
fn goodbye(mode: &str, more: &[&str]) {
    let home = Home::new();
    let env = format!("MODE={mode}");
    let started = home.start(
        "long.js",
        &["-i", "2", "--env", &env, "--drain-timeout", LIMIT],
    );
    let mut client = sockets(&home, started.port, 8, more);
    let begin = Instant::now();
    let reload = Beside::reload(&home);
    client.until_says("closed");
    assert!(begin.elapsed() >= Duration::from_secs(2), "{begin:?}");
    let line = client.until_says("{");
    assert_eq!(client.wait(), 0);
    reload.ok();
    let json: Value = serde_json::from_str(&line).unwrap();
    for life in json["lives"].as_array().unwrap() {
        assert_eq!(life["code"], 1001, "going away: {line}");
        assert_eq!(life["error"], Value::Null, "{line}");
        if more.is_empty() {
            let (sent, echoed) = (life["sent"].as_u64(), life["echoed"].as_u64());
            // What is sent in the last moment crosses the goodbye.
            assert!(echoed.unwrap() >= 20, "{line}");
            assert!(echoed.unwrap() + 2 >= sent.unwrap(), "{line}");
        }
    }
    for pid in started.pids {
        let said = home.report();
        let mine = |what: &str| said.iter().any(|l| l["pid"] == pid && l["what"] == what);
        assert!(mine("drain") && mine("goodbye"), "{said:?}");
    }
    let said = home.report();
    let goodbye = said.iter().find(|line| line["what"] == "goodbye").unwrap();
    assert!(
        (1..=1000).contains(&goodbye["left"].as_i64().unwrap()),
        "{goodbye}"
    );
}

#[test]
fn websockets_by_ws() {
    goodbye("ws", &[]);
}

#[test]
fn websockets_by_hand() {
    goodbye("hand", &[]);
}

#[test]
fn websockets_by_socketio() {
    goodbye(
        "socketio",
        &["/socket.io/?EIO=4&transport=websocket", "quiet"],
    );
}

#[test]
fn a_stop_says_goodbye_at_once() {
    let home = Home::new();
    let flags = ["-i", "2", "--env", "MODE=ws", "--drain-timeout", "10m"];
    let started = home.start("long.js", &flags);
    let mut client = sockets(&home, started.port, 8, &[]);
    home.rota(&["stop", "app"]).ok();
    let line = client.until_says("{");
    let json: Value = serde_json::from_str(&line).unwrap();
    for life in json["lives"].as_array().unwrap() {
        assert_eq!(life["code"], 1001, "going away: {line}");
    }
}

#[test]
fn without_websockets_nobody_waits() {
    let home = Home::new();
    let started = home.start("long.js", &["-i", "2", "--env", "MODE=ws"]);
    let mut wires = Wire::open_used(started.port, 4);
    let begin = Instant::now();
    home.rota(&["reload", "app"]).ok();
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(reports(&home, "goodbye"), 0);
    super::all_moved(&mut wires, &started.pids);
}

#[test]
fn what_is_not_http_is_left_alone_until_the_limit() {
    let home = Home::new();
    let started = home.start(
        "long.js",
        &["-i", "1", "--env", "MODE=tcp", "--drain-timeout", "3s"],
    );
    let mut wire = Wire::open(started.port);
    wire.until(b"\n").unwrap();
    let begin = Instant::now();
    let reload = Beside::reload(&home);
    until_drains(&home, started.pids[0]);
    for _ in 0..10 {
        wire.write("hello\n");
        assert_eq!(wire.until(b"\n").unwrap(), b"hello\n");
        assert!(wire.stays_open(Duration::from_millis(100)));
    }
    wire.until_closed();
    // The agent is done a moment before its time is over.
    assert!(begin.elapsed() >= Duration::from_millis(2_500));
    reload.ok();
}
