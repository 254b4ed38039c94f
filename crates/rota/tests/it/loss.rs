//! No request on a connection of its own is lost by anything planned, in every balance mode.
//!
//! Clients that keep their connections are served by the old worker as long as it drains; handing them over is the
//! agent's part.

use std::time::Duration;

use rota_bench::load::Running;

use crate::support::{Connection, Home, Started, get, heavy, load_on, node_bin};

/// Clients with a connection for every request: short requests, and such that take 300 ms.
struct Clients {
    short: Running,
    slow: Running,
}

fn clients_of(started: &Started) -> Clients {
    let short = load_on(started.port).one_shot(10).start().unwrap();
    let slow = load_on(started.port)
        .path("/slow?ms=300")
        .one_shot(10)
        .start()
        .unwrap();
    let clients = Clients { short, slow };
    clients.go_on();
    clients
}

impl Clients {
    fn go_on(&self) {
        for (load, requests) in [(&self.short, 200), (&self.slow, 20)] {
            let before = load.answered();
            assert!(
                load.until_answered_blocking(before + requests, Duration::from_secs(60)),
                "it serves"
            );
        }
    }

    fn nothing_lost(self) {
        self.go_on();
        for load in [self.short, self.slow] {
            let report = load.stop_blocking();
            assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
        }
    }
}

fn reloads_in(mode: &str) {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "3", "--balance", mode]);
    let load = clients_of(&started);
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
    }
    load.nothing_lost();
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
        let load = clients_of(&started);
        for to in ["1", "4", "2"] {
            home.rota(&["scale", "app", to]).ok();
        }
        load.nothing_lost();
    }
}

#[test]
fn by_restart_of_one_worker_and_reload_of_a_lone_one() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &[]);
    let load = clients_of(&started);
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
    }
    load.nothing_lost();
}

#[test]
fn by_stopping_one_slot() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "2"]);
    let load = clients_of(&started);
    home.rota(&["stop", "app:0"]).ok();
    home.rota(&["start", "app:0"]).ok();
    home.rota(&["restart", "app:1"]).ok();
    load.nothing_lost();
}

#[test]
fn by_a_worker_that_leaves() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("disconnect.js", &["-i", "2"]);
    let load = load_on(started.port).one_shot(10).start().unwrap();
    for round in 1..=3 {
        assert!(load.until_answered_blocking(200 * round, Duration::from_secs(60)));
        let left = get(started.port, "/worker-disconnect").pid();
        home.until("a replacement", |app| {
            app.online() == 2 && !app.pids().contains(&left)
        });
    }
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
}

#[test]
fn without_agent_kept_connections_are_served_while_their_worker_drains() {
    let home = Home::new();
    // Later versions close idle connections when a worker is told to disconnect, which is a second later.
    let node = node_bin("18").display().to_string();
    let flags = [
        "-i",
        "2",
        "--drain-timeout",
        "60s",
        "--no-agent",
        "--interpreter",
        &node,
    ];
    let started = home.start("http.js", &flags);
    let mut kept: Vec<_> = (0..4)
        .map(|_| Connection::open(started.port).unwrap())
        .collect();
    for connection in &mut kept {
        connection.get("/").unwrap();
    }
    home.rota(&["reload", "app", "--no-wait"]).ok();
    home.until("all new workers serve, the old ones drain", |app| {
        app.online() == 2
            && app.workers().len() == 4
            && !app
                .workers()
                .iter()
                .any(|worker| worker.status() == "launching")
    });
    assert!(
        !started.pids.contains(&get(started.port, "/").pid()),
        "new connections go to the new"
    );
    for connection in &mut kept {
        assert!(
            started.pids.contains(&connection.get("/").unwrap().pid()),
            "kept ones stay where they are"
        );
    }
    drop(kept);
    home.until("with their last connection the old ones leave", |app| {
        app.workers().len() == 2
    });
}
