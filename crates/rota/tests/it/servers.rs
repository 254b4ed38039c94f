//! Real servers from npm, unchanged, reloaded under their own clients.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Foreground, Home, app_path, client_path, get, heavy, load_on, run};

fn pids_of(client: &str, port: u16, args: &[&str]) -> BTreeSet<u32> {
    let output = run(Command::new("node")
        .arg(client_path(client))
        .arg(port.to_string())
        .args(args))
    .ok();
    let json = output.json();
    json["pids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pid| u32::try_from(pid.as_u64().unwrap()).unwrap())
        .collect()
}

/// Serves, spreads, and loses nothing in a reload.
fn serves_and_reloads(app: &str) {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start(app, &["-i", "2"]);
    let load = load_on(started.port).one_shot(10).start().unwrap();
    assert!(load.until_answered_blocking(200, Duration::from_secs(60)));
    home.rota(&["reload", "app"]).ok();
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 200, Duration::from_secs(60)));
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
    assert!(!started.pids.contains(&get(started.port, "/").pid()));
}

#[test]
fn express() {
    serves_and_reloads("express.js");
}

#[test]
fn fastify() {
    serves_and_reloads("fastify.js");
}

/// Runs undici with this pipelining (0 = a connection for every request) until `during` has ended.
fn undici(home: &Home, port: u16, pipelining: &str, during: impl FnOnce()) -> serde_json::Value {
    let stop = home.path().join("stop");
    let mut client = home.program("node");
    client.arg(client_path("undici.js")).args([
        &port.to_string(),
        &stop.display().to_string(),
        pipelining,
    ]);
    let mut client = Foreground::start(&mut client);
    client.until_says("running");
    during();
    home.write("stop", "");
    assert_eq!(client.wait(), 0);
    let line = client.until_says("{");
    std::fs::remove_file(stop).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn undici_clients_lose_nothing() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("express.js", &["-i", "2"]);
    let result = undici(&home, started.port, "0", || {
        for _ in 0..3 {
            home.rota(&["reload", "app"]).ok();
        }
    });
    assert_eq!(result["failed"], 0, "{result}");
    assert!(
        result["pids"].as_array().unwrap().len() >= 4,
        "it has met old and new workers: {result}"
    );
    for pipelining in ["1", "8"] {
        let result = undici(&home, started.port, pipelining, || {
            home.rota(&["scale", "app", "4"]).ok();
        });
        assert_eq!(result["failed"], 0, "pipelining {pipelining}: {result}");
        assert!(result["ok"].as_u64().unwrap() > 0);
    }
}

#[test]
fn websockets() {
    let home = Home::new();
    let started = home.start("ws.js", &["-i", "2", "--drain-timeout", "1s"]);
    assert_eq!(pids_of("websocket.js", started.port, &["8"]).len(), 2);
    // An open one has the drain time, then it is closed; the reload does not wait for ever.
    let mut hold = home.program("node");
    hold.arg(client_path("websocket-hold.js"))
        .arg(started.port.to_string());
    let mut hold = Foreground::start(&mut hold);
    hold.until_says("open");
    home.rota(&["reload", "app"]).ok();
    hold.until_says("closed");
    assert_eq!(hold.wait(), 0);
    assert!(
        pids_of("websocket.js", started.port, &["8"])
            .is_disjoint(&started.pids.iter().copied().collect())
    );
}

#[test]
fn socketio_by_long_polling_with_ip_hash() {
    let home = Home::new();
    let started = home.start("socketio.js", &["-i", "3", "--balance", "ip-hash"]);
    assert_eq!(
        pids_of("socketio.js", started.port, &[]).len(),
        1,
        "one client address, one worker"
    );
    home.rota(&["reload", "app"]).ok();
    assert_eq!(pids_of("socketio.js", started.port, &[]).len(), 1);
}

#[test]
fn socketio_by_websocket_with_round_robin() {
    let home = Home::new();
    let started = home.start("socketio.js", &["-i", "2"]);
    assert_eq!(
        pids_of("socketio.js", started.port, &["websocket"]).len(),
        2
    );
}

#[test]
fn next_start() {
    let home = Home::new();
    let _alone = heavy();
    let folder = app_path("next");
    let next = Path::new(&folder)
        .join("../../node_modules/next/dist/bin/next")
        .display()
        .to_string();
    let port = crate::support::free_port();
    let env = format!("PORT={port}");
    let cwd = folder.display().to_string();
    home.rota(&[
        "start",
        &next,
        "--name",
        "app",
        "-i",
        "2",
        "--cwd",
        &cwd,
        "--env",
        &env,
        "--observe",
        "0",
        "--",
        "start",
    ])
    .ok();
    assert_eq!(home.app("app").0["mode"], "cluster");
    let answer = get(port.number, "/");
    assert!(
        answer.status == 200 && answer.body.contains("worker "),
        "{answer:?}"
    );
    let load = load_on(port.number).one_shot(4).start().unwrap();
    assert!(load.until_answered_blocking(50, Duration::from_secs(60)));
    home.rota(&["reload", "app"]).ok();
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
    assert_eq!(get(port.number, "/").status, 200);
}
