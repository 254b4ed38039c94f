//! The ways to hand out connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use rustix::process::Signal;

use crate::support::{Connection, Home, eventually, get, get_from, signal};

const MODES: [&str; 4] = ["round-robin", "ip-hash", "shared", "reuseport"];

/// How many of the connections each worker has.
fn spread(connections: &mut [Connection]) -> BTreeMap<u32, usize> {
    let mut by_worker = BTreeMap::new();
    for connection in connections {
        *by_worker
            .entry(connection.get("/").unwrap().pid())
            .or_default() += 1;
    }
    by_worker
}

#[test]
fn every_mode_serves_reloads_scales_and_survives_a_crash() {
    for mode in MODES {
        let home = Home::new();
        let started = home.start("http.js", &["-i", "3", "--balance", mode]);
        assert_eq!(home.app("app").0["balance"], mode);
        for source in 1..=10 {
            get_from(
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)),
                started.port,
                "/",
            );
        }
        home.rota(&["reload", "app"]).ok();
        get(started.port, "/");
        home.rota(&["scale", "app", "1"]).ok();
        for source in 1..=10 {
            get_from(
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)),
                started.port,
                "/",
            );
        }
        home.rota(&["scale", "app", "4"]).ok();
        signal(home.app("app").pids()[2], Signal::KILL);
        for source in 1..=20 {
            get_from(
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)),
                started.port,
                "/",
            );
        }
        home.until("four again", |app| app.online() == 4);
    }
}

#[test]
fn round_robin_is_even_over_kept_connections() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "4"]);
    let mut connections: Vec<_> = (0..200)
        .map(|_| Connection::open(started.port).unwrap())
        .collect();
    let by_worker = spread(&mut connections);
    assert_eq!(
        by_worker.values().copied().collect::<Vec<_>>(),
        [50; 4],
        "{by_worker:?}"
    );
}

#[test]
fn round_robin_prefers_the_worker_with_the_fewest() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let mut connections: Vec<_> = (0..40)
        .map(|_| Connection::open(started.port).unwrap())
        .collect();
    let by_worker = spread(&mut connections);
    assert_eq!(by_worker.values().copied().collect::<Vec<_>>(), [20, 20]);
    // All of one worker's connections close; the next twenty are its own.
    let emptied = *by_worker.keys().next().unwrap();
    connections.retain_mut(|connection| connection.get("/").unwrap().pid() != emptied);
    let mut fresh = Vec::new();
    let back = eventually("the kernel's count is seen", || {
        // What is closed is learnt lazily, when new connections come.
        fresh.push(Connection::open(started.port).unwrap());
        let by_worker = spread(&mut fresh);
        let missing = 20usize.saturating_sub(by_worker.get(&emptied).copied().unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(50));
        (missing == 0).then_some(by_worker)
    });
    let others: usize = back
        .iter()
        .filter(|(pid, _)| **pid != emptied)
        .map(|(_, count)| count)
        .sum();
    assert!(others <= 20, "the other worker got as many: {back:?}");
}

#[test]
fn ip_hash_is_sticky_and_stays_so_when_workers_come_and_go() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "4", "--balance", "ip-hash"]);
    let sources: Vec<IpAddr> = (1..=40)
        .map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)))
        .collect();
    let slots = || -> Vec<String> {
        sources
            .iter()
            .map(|source| {
                get_from(*source, started.port, "/").json()["slot"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    let first = slots();
    assert_eq!(slots(), first, "the same client, the same worker");
    let used: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(used.len(), 4, "clients are spread");

    home.rota(&["reload", "app"]).ok();
    assert_eq!(slots(), first, "the slot's new worker takes over");
    home.rota(&["scale", "app", "3"]).ok();
    for (before, after) in first.iter().zip(slots()) {
        assert!(
            *before == after || before == "3",
            "only the clients of the slot that left have moved"
        );
    }
    home.rota(&["scale", "app", "4"]).ok();
    assert_eq!(slots(), first, "and back");
}
