//! Crashes, restarts and giving up.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Home, app_path, get, heavy, load_on, signal, try_get};

#[test]
fn a_crashed_worker_is_started_again() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    signal(started.pids[1], Signal::SEGV);
    let app = home.until("two again", |app| {
        app.online() == 2 && !app.pids().contains(&started.pids[1])
    });
    assert_eq!((app.pids()[0], app.restarts()), (started.pids[0], 1));
    let worker = &app.workers()[1].0;
    assert_eq!(worker["last_exit"]["signal"], "SIGSEGV");
    get(started.port, "/exit?code=3");
    home.until("an exit code", |app| {
        app.workers()
            .iter()
            .any(|worker| worker.0["last_exit"]["code"] == 3)
    });
    home.until("two again", |app| app.online() == 2);
}

#[test]
fn an_uncaught_exception_is_a_crash_with_its_last_words() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    try_get(started.port, "/throw").ok();
    home.until("a replacement", |app| {
        app.online() == 2 && app.restarts() == 1
    });
    home.rota(&["describe", "app"])
        .ok()
        .says("thrown on request");
}

#[test]
fn a_worker_killed_under_load_costs_only_its_own_connections() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "4"]);
    let load = load_on(started.port)
        .keep_alive(20)
        .one_shot(10)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(500, Duration::from_secs(60)));
    let victim = started.pids[2];
    signal(victim, Signal::KILL);
    let begin = Instant::now();
    home.until("four again", |app| {
        app.online() == 4 && !app.pids().contains(&victim)
    });
    println!("replaced after {:?}", begin.elapsed());
    let before = load.answered();
    assert!(load.until_answered_blocking(before + 500, Duration::from_secs(60)));
    let report = load.stop_blocking();
    // What was running in the killed process is lost: at most one request per connection that it had.
    assert!(report.failed() <= 15, "{report}");
    for failure in &report.failures {
        if let Some(worker) = &failure.worker {
            assert_eq!(
                *worker,
                victim.to_string(),
                "a connection of another worker failed: {failure:?}"
            );
        }
    }
    assert_eq!(
        home.app("app")
            .pids()
            .iter()
            .filter(|pid| started.pids.contains(pid))
            .count(),
        3
    );
}

#[test]
fn a_lone_workers_crash_refuses_no_connection() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    for _ in 0..5 {
        let pid = get(started.port, "/").pid();
        signal(pid, Signal::KILL);
        // The kernel may complete this connection before the death is noticed, but never refuse it.
        for _ in 0..5 {
            match try_get(started.port, "/") {
                Ok(answer) => assert_eq!(answer.status, 200),
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::ConnectionRefused),
            }
        }
        home.until("again", |app| {
            app.online() == 1 && !app.pids().contains(&pid)
        });
    }
}

#[test]
fn too_many_crashes_make_it_errored_with_the_reason() {
    let home = Home::new();
    let script = app_path("exit-code.js").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--fork",
        "--env",
        "CODE=7",
        "--max-restarts",
        "3",
    ])
    .fails(1)
    .says("leaving with 7");
    let app = home.until_status("errored");
    assert!(app.pids().is_empty());
    home.rota(&["describe", "app"])
        .ok()
        .says("errored")
        .says("leaving with 7")
        .says("7");
    let runs = home.report().len();
    assert_eq!(runs, 4, "the first and three more");
    // Not given up for good: the next command tries again.
    home.rota(&["restart", "app"]).fails(1);
    home.until_status("errored");
    assert!(home.report().len() > runs);
}

#[test]
fn crash_loops_slow_down() {
    let home = Home::new();
    let script = app_path("exit-code.js").display().to_string();
    let begin = Instant::now();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--fork",
        "--env",
        "CODE=1",
        "--max-restarts",
        "4",
    ])
    .fails(1);
    home.until_status("errored");
    // 100 + 200 + 400 + 800 ms, less 20 % jitter.
    assert!(
        begin.elapsed() > Duration::from_millis(1200),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_fixed_delay_is_kept() {
    let home = Home::new();
    let script = app_path("exit-code.js").display().to_string();
    let begin = Instant::now();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--fork",
        "--env",
        "CODE=1",
        "--max-restarts",
        "2",
        "--restart-delay",
        "700",
    ])
    .fails(1);
    home.until_status("errored");
    assert!(
        begin.elapsed() > Duration::from_millis(1400),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn exit_codes_that_mean_done() {
    let home = Home::new();
    let script = app_path("exit-code.js").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--fork",
        "--env",
        "CODE=0",
        "--stop-exit-codes",
        "0,42",
        "--no-wait",
    ])
    .ok();
    home.until_status("stopped");
    assert_eq!(home.report().len(), 1);
    home.rota(&["delete", "app"]).ok();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--fork",
        "--env",
        "CODE=9",
        "--no-autorestart",
        "--no-wait",
    ])
    .ok();
    home.until_status("stopped");
    assert_eq!(home.report().len(), 2);
    assert_eq!(home.app("app").workers()[0].0["last_exit"]["code"], 9);
}

#[test]
fn a_queue_consumer_that_never_listens_is_accepted() {
    let home = Home::new();
    home.start("queue.js", &["-i", "2", "--listen-timeout", "500"]);
    assert_eq!(
        (home.app("app").status(), home.app("app").online()),
        ("online", 2)
    );
    home.rota(&["reload", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
}
