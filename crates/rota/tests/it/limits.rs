//! Healthy workers that reach a limit are replaced: the new one first, one at a time, and nobody notices.

use std::time::Duration;

use rota_load::Running;

use crate::support::{App, Home, eventually, free_port, get, heavy, load_on};

/// Clients that keep their connections, and such that come for one request.
fn clients_of(port: u16) -> Running {
    let load = load_on(port).keep_alive(8).one_shot(4).start().unwrap();
    assert!(load.until_answered_blocking(200, Duration::from_secs(60)));
    load
}

fn nothing_lost(load: Running) {
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
}

/// Waits for so many replacements; at no time fewer than all workers serve, or more than one is coming.
#[track_caller]
fn until_replaced(home: &Home, instances: usize, replacements: u64) {
    home.until("workers are replaced", |app| {
        floor(app, instances);
        app.restarts() >= replacements
    });
}

#[track_caller]
fn floor(app: &App, instances: usize) {
    let coming = app
        .workers()
        .iter()
        .filter(|worker| worker.status() == "launching")
        .count();
    assert!(app.online() >= instances, "below the floor: {:#}", app.0);
    assert!(coming <= 1, "{coming} at a time: {:#}", app.0);
}

#[test]
fn a_worker_that_uses_too_much_memory() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("figures.js", &["-i", "2", "--max-memory", "250M"]);
    let load = clients_of(started.port);
    let grown = get(started.port, "/leak?mb=250").pid();
    home.until("it is replaced", |app| {
        floor(app, 2);
        app.online() == 2 && !app.pids().contains(&grown)
    });
    nothing_lost(load);
    let log = home.daemon_log();
    assert!(log.contains("recycling worker"), "{log}");
    assert!(log.contains(" MiB, more than 250 MiB"), "{log}");
    assert_eq!(
        home.app("app").restarts(),
        1,
        "the other one is left alone: {log}"
    );
}

#[test]
fn after_a_number_of_requests() {
    let home = Home::new();
    let _alone = heavy();
    let flags = ["-i", "3", "--max-requests", "50"];
    let started = home.start(
        "figures.js",
        &[&flags[..], &["--heartbeat-interval", "200ms"]].concat(),
    );
    let load = clients_of(started.port);
    until_replaced(&home, 3, 6);
    nothing_lost(load);
    let log = home.daemon_log();
    assert!(log.contains(" requests, its limit is "), "{log}");
}

#[test]
fn after_a_time() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("figures.js", &["-i", "2", "--max-age", "2s"]);
    let load = clients_of(started.port);
    until_replaced(&home, 2, 4);
    nothing_lost(load);
    assert!(home.daemon_log().contains("ran for "));
}

#[test]
fn a_lone_worker_leaves_no_gap() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("figures.js", &["--max-age", "2s"]);
    let load = clients_of(started.port);
    until_replaced(&home, 1, 3);
    nothing_lost(load);
}

#[test]
fn when_new_code_is_broken_the_old_worker_stays_and_is_not_replaced_in_a_loop() {
    let home = Home::new();
    let script = home.copy("figures.js");
    let started = home.start_script(&script, &["--max-memory", "250M"]);
    home.deploy("figures.js", "crash-start.js");
    get(started.port, "/leak?mb=250");
    let failed = "the replacement of worker 0 failed, the old one stays and the next try is in 1m";
    eventually("the replacement fails", || {
        home.daemon_log().contains(failed).then_some(())
    });
    // Looked at twice more, it is still known and not asked for again.
    for _ in 0..2 {
        let before = home.daemon_log().matches("starting worker").count();
        assert_eq!(before, 2, "{}", home.daemon_log());
        assert_eq!(get(started.port, "/").pid(), started.pids[0]);
    }
    home.deploy("figures.js", "figures.js");
    home.rota(&["reload", "app"]).ok();
    assert_ne!(get(started.port, "/").pid(), started.pids[0]);
}

#[test]
fn a_program_of_another_kind_is_restarted() {
    let home = Home::new();
    let script = home.write(
        "grow.py",
        "import os, signal, time\n\
         kept = []\n\
         signal.signal(signal.SIGUSR2, lambda *_: kept.append(b'x' * 200_000_000))\n\
         open(os.environ['GO'], 'w')\n\
         while True: time.sleep(60)\n",
    );
    let started = home.start_script(&script, &["--max-memory", "100M"]);
    eventually("it handles the signal", || {
        home.path().join("go").exists().then_some(())
    });
    home.rota(&["signal", "SIGUSR2", "app"]).ok();
    home.until("it is restarted", |app| {
        app.online() == 1 && app.pids() != started.pids
    });
    let log = home.daemon_log();
    assert!(log.contains(" MiB, more than 100 MiB"), "{log}");
    assert_eq!(home.app("app").restarts(), 1);
}

#[test]
fn several_programs_of_another_kind_are_restarted_one_after_the_other() {
    let home = Home::new();
    let _alone = heavy();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let flags = ["-i", "2", "--listen", &listen, "--max-age", "2s"];
    let _ = home.start("activated.py", &flags);
    home.until("workers are restarted", |app| {
        let missing = 2 - app.online().min(2);
        assert!(missing <= 1, "both at once: {:#}", app.0);
        app.restarts() >= 4
    });
}
