//! sd_notify: READY=1, STATUS=, MAINPID=, WATCHDOG=1, STOPPING=1.

use crate::support::{Home, app_path, eventually};

fn start(home: &Home, plan: &str, flags: &[&str]) {
    let env = format!("PLAN={plan}");
    let mut all = vec!["--wait-ready", "--env", &env];
    all.extend(flags);
    home.start("notify.py", &all);
}

#[test]
fn ready_is_when_it_says_so() {
    let home = Home::new();
    let script = app_path("notify.py").display().to_string();
    let mut begin = home
        .command(&[
            "start",
            &script,
            "--name",
            "app",
            "--observe",
            "0",
            "--wait-ready",
            "--env",
            "PLAN=go,ready",
        ])
        .spawn()
        .unwrap();
    let app = eventually("it is starting", || {
        home.find_quietly("app")
            .filter(|app| !app.pids().is_empty())
    });
    assert_eq!(app.status(), "launching");
    assert!(begin.try_wait().unwrap().is_none());
    home.write("go", "");
    assert!(begin.wait().unwrap().success());
    assert_eq!(home.app("app").status(), "online");
}

#[test]
fn its_status_is_shown() {
    let home = Home::new();
    start(&home, "status:warming the cache,ready", &[]);
    eventually("the status", || {
        let text = home.app("app").workers()[0].0["status_text"].clone();
        (text == "warming the cache").then_some(())
    });
    home.rota(&["describe", "app"])
        .ok()
        .says("warming the cache");
}

#[test]
fn the_main_process_may_become_another() {
    let home = Home::new();
    for plan in ["mainpid", "mainpid:own-group"] {
        start(&home, plan, &[]);
        let line = home.until_reported("the parent has left", |line| line["main"].is_number());
        let app = home.app("app");
        assert_eq!(
            app.pids(),
            [u32::try_from(line["main"].as_u64().unwrap()).unwrap()]
        );
        assert_eq!(
            (app.status(), app.restarts()),
            ("online", 0),
            "the parent's exit is not the worker's end"
        );
        std::fs::remove_file(home.report_path()).unwrap();
        let main = app.pids()[0];
        crate::support::signal(main, rustix::process::Signal::KILL);
        home.until("its death is noticed", |app| app.restarts() > 0);
        home.rota(&["delete", "app"]).ok();
    }
}

#[test]
fn a_worker_that_stops_feeding_the_watchdog_is_replaced() {
    let home = Home::new();
    let script = app_path("notify.py").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--observe",
        "0",
        "--wait-ready",
        "--env",
        "PLAN=ready,starve",
        "--watchdog",
        "500ms",
    ])
    .ok();
    let first = home.app("app").pids();
    home.until("it was replaced", |app| {
        app.restarts() > 0 && app.pids() != first
    });
    home.rota(&["describe", "app"]).ok().says("watchdog");
}

#[test]
fn a_worker_that_feeds_the_watchdog_is_left_alone() {
    let home = Home::new();
    let script = app_path("notify.py").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--observe",
        "0",
        "--wait-ready",
        "--env",
        "PLAN=ready,watchdog",
        "--watchdog",
        "500ms",
    ])
    .ok();
    let first = home.app("app").pids();
    eventually("it has been told the interval", || {
        home.rota(&["logs", "app"])
            .out
            .contains("watchdog 500000")
            .then_some(())
    });
    // Several intervals have to pass: that is what is tested.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(
        (home.app("app").pids(), home.app("app").restarts()),
        (first, 0)
    );
}

#[test]
fn a_worker_that_is_stopping_is_replaced_without_counting_as_a_crash() {
    let home = Home::new();
    let script = app_path("notify.py").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--observe",
        "0",
        "--wait-ready",
        "--env",
        "PLAN=ready,go,stopping,exit:0",
    ])
    .ok();
    let first = home.app("app").pids();
    // Only the first is to stop: the next ones find no file.
    home.write("go", "");
    home.until("a replacement", |app| {
        app.pids() != first && !app.pids().is_empty()
    });
    std::fs::remove_file(home.path().join("go")).ok();
    home.until_status("online");
}
