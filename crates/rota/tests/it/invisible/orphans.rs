//! What workers do when every process of rota is gone, beyond the cases of `guard_loss`: fork mode, connections that rota
//! dealt, and workers that have left the channel.

use rustix::process::Signal;

use crate::support::{Connection, Home, Started, eventually, free_port, get, signal};

/// Kills the keeper and the supervisor as nothing could that is planned.
fn lose_rota(home: &Home) {
    let (keeper, supervisor) = home.daemon_pids();
    // The keeper first: it would start the supervisor again.
    signal(keeper, Signal::KILL);
    signal(supervisor, Signal::KILL);
    eventually("rota is gone", || {
        let left = home.processes();
        (!left
            .iter()
            .any(|(pid, _)| *pid == keeper || *pid == supervisor))
        .then_some(())
    });
    // A socket that nobody listens on is what such an end leaves behind.
    std::fs::remove_file(home.rota_home().join("rota.sock")).ok();
}

fn end_of_all(home: &Home) {
    eventually("every worker is gone", || {
        home.processes().is_empty().then_some(())
    });
}

fn kill_orphans(home: &Home, started: &Started) {
    let left: Vec<_> = home.processes().iter().map(|(pid, _)| *pid).collect();
    for pid in &started.pids {
        assert!(left.contains(pid), "worker {pid} lives on");
        signal(*pid, Signal::KILL);
    }
    end_of_all(home);
}

#[test]
fn they_exit() {
    for flags in [
        &["-i", "2"][..],
        &["-i", "2", "--balance", "shared"],
        &["-i", "2", "--no-agent"],
        &["--fork"],
    ] {
        let home = Home::new();
        let port = free_port();
        let env = format!("PORT={port}");
        home.start("http.js", &[flags, &["--env", &env]].concat());
        lose_rota(&home);
        end_of_all(&home);
    }
}

#[test]
fn an_app_that_has_left_the_channel_is_not_forgotten() {
    let home = Home::new();
    let script = home.write(
        "left.js",
        "process.disconnect(); require('http').createServer().listen(0)",
    );
    home.start_script(&script, &["--fork"]);
    lose_rota(&home);
    end_of_all(&home);
}

#[test]
fn they_serve_their_open_connections_and_new_ones() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2", "--guard-loss", "serve"]);
    let mut kept = Connection::open(started.port).unwrap();
    let pid = kept.get("/").unwrap().pid();
    lose_rota(&home);
    assert_eq!(kept.get("/").unwrap().pid(), pid);
    for _ in 0..20 {
        assert!(started.pids.contains(&get(started.port, "/").pid()));
    }
    assert_eq!(kept.get("/slow?ms=500").unwrap().pid(), pid);
    kill_orphans(&home, &started);
}

#[test]
fn an_app_in_fork_mode_serves_on() {
    let home = Home::new();
    let port = free_port();
    let env = format!("PORT={port}");
    let probe = format!("tcp://127.0.0.1:{port}");
    let started = home.start(
        "http.js",
        &[
            "--fork",
            "--guard-loss",
            "serve",
            "--env",
            &env,
            "--probe",
            &probe,
        ],
    );
    lose_rota(&home);
    for _ in 0..20 {
        assert_eq!(get(port.number, "/").pid(), started.pids[0]);
    }
    kill_orphans(&home, &started);
}

#[test]
fn a_worker_that_leaves_by_itself_ends_although_it_would_serve_on() {
    let home = Home::new();
    let started = home.start("disconnect.js", &["-i", "2", "--guard-loss", "serve"]);
    let left = get(started.port, "/process-disconnect").pid();
    home.until("a replacement", |app| {
        app.online() == 2 && !app.pids().contains(&left)
    });
}
