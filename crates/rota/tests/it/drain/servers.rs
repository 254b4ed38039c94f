//! Several servers in a process, and servers that frameworks make.

use crate::support::{App, Connection, Home, Worker, eventually, get};

use super::wire::Wire;
use super::{Beside, all_moved};

#[test]
fn connections_stay_with_their_server() {
    let home = Home::new();
    let started = home.start("servers.js", &["-i", "2"]);
    let lines = eventually("all servers are up", || {
        Some(home.report()).filter(|lines| lines.len() == 8)
    });
    let port = |name: &str| -> u16 {
        let line = lines.iter().find(|line| line["name"] == name).unwrap();
        u16::try_from(line["address"]["port"].as_u64().unwrap()).unwrap()
    };
    let mut first = Wire::open_used(port("first"), 6);
    let mut second = Wire::open_used(port("second"), 6);
    let path = home.path().join("web.sock");
    let mut unix: Vec<_> = (0..6).map(|_| Connection::unix(&path).unwrap()).collect();
    for connection in &mut unix {
        assert_eq!(connection.get("/").unwrap().json()["name"], "unix");
    }
    home.rota(&["reload", "app"]).ok();
    for wire in &mut first {
        assert_eq!(wire.ask("/").json()["name"], "first");
    }
    for wire in &mut second {
        assert_eq!(wire.ask("/").json()["name"], "second");
    }
    for connection in &mut unix {
        let answer = connection.get("/").unwrap();
        assert_eq!(answer.json()["name"], "unix");
        assert!(!started.pids.contains(&answer.pid()));
    }
    all_moved(&mut first, &started.pids);
    all_moved(&mut second, &started.pids);
}

/// Its kept connections move, twice.
fn moves(app: &str) {
    let home = Home::new();
    let mut started = home.start(app, &["-i", "2"]);
    let mut wires = Wire::open_used(started.port, 10);
    for _ in 0..2 {
        home.rota(&["reload", "app"]).ok();
        all_moved(&mut wires, &started.pids);
        started.pids = home.app("app").pids();
    }
    assert!(started.pids.contains(&get(started.port, "/").pid()));
}

#[test]
fn express() {
    moves("express.js");
}

#[test]
fn fastify() {
    moves("fastify.js");
}

#[test]
fn http() {
    moves("http.js");
}

#[test]
fn a_module_app() {
    let home = Home::new();
    let started = home.start("esm.mjs", &["-i", "2"]);
    let app: App = home.app("app");
    assert_eq!(app.0["mode"], "cluster");
    let mut wires = Wire::open_used(started.port, 4);
    home.rota(&["reload", "app"]).ok();
    all_moved(&mut wires, &started.pids);
}

#[test]
fn a_server_that_passes_connections_on() {
    let home = Home::new();
    let script = home.write(
        "front.js",
        "const http = require('http')
        const web = http.createServer((req, res) => res.end(JSON.stringify({ pid: process.pid })))
        require('net').createServer((socket) => web.emit('connection', socket)).listen(0)",
    );
    let started = home.start_script(&script, &["-i", "2", "--idle-grace", "30s"]);
    let mut wires = Wire::open_used(started.port, 4);
    let reload = Beside::start(&home, &["reload", "app"]);
    home.until("both drain", |app| {
        let draining = |worker: &&Worker| worker.status() == "draining";
        app.workers().iter().filter(draining).count() == 2
    });
    // We do not know what such a server has seen of its connections: they stay, and are told.
    for wire in &mut wires {
        let answer = wire.ask("/");
        assert!(started.pids.contains(&answer.pid()));
        assert!(answer.says_close(), "{answer:?}");
        wire.until_closed();
    }
    reload.ok();
}
