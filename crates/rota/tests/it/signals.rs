//! Signals to `rota run` and to the daemon.

use rustix::process::Signal;

use crate::support::{App, Connection, Home, app_path, eventually, get, signal};

fn script(name: &str) -> String {
    app_path(name).display().to_string()
}

#[test]
fn run_serves_in_the_foreground_and_ends_with_sigterm() {
    let home = Home::new();
    let mut run = home.run(&[
        &script("http.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    run.until_says("up");
    let app = home.until_run_online();
    get(app.port().unwrap(), "/print?out=hello-from-a-worker");
    run.until_says("hello-from-a-worker");
    let (keeper, _) = home.daemon_pids();
    assert_eq!(keeper, run.child.id(), "the user's process is the keeper");
    run.signal(Signal::TERM);
    assert_eq!(run.wait(), 0);
    eventually("the other processes have ended, too", || {
        home.processes().is_empty().then_some(())
    });
}

#[test]
fn run_fails_when_the_app_cannot_be_run() {
    let home = Home::new();
    let mut run = home.run(&["no-such.js"]);
    assert_eq!(run.wait(), 5);
    assert!(run.rest().join("\n").contains("no-such.js"));
}

#[test]
fn run_gives_back_control_by_the_command_line_too() {
    let home = Home::new();
    let mut run = home.run(&[&script("http.js"), "--name", "app", "--observe", "0"]);
    home.until_run_online();
    home.rota(&["reload", "app"]).ok();
    home.rota(&["kill"]).ok();
    run.wait();
}

fn pids(home: &Home) -> Vec<u32> {
    home.apps().iter().flat_map(App::pids).collect()
}

/// All workers are replaced by a signal to `keeper`.
fn reloads(home: &Home, keeper: u32, number: Signal) {
    let before = pids(home);
    signal(keeper, number);
    eventually("all workers are new", || {
        let calm = home
            .apps()
            .iter()
            .all(|app| app.status() == "online" && app.workers().len() == app.online());
        let after = pids(home);
        (calm && after.len() == before.len() && after.iter().all(|pid| !before.contains(pid)))
            .then_some(())
    });
}

#[test]
fn hup_and_usr2_reload_all_apps_of_the_daemon() {
    let home = Home::new();
    for name in ["one", "two"] {
        home.rota(&[
            "start",
            &script("http.js"),
            "--name",
            name,
            "-i",
            "2",
            "--observe",
            "0",
        ])
        .ok();
    }
    let (keeper, _) = home.daemon_pids();
    reloads(&home, keeper, Signal::HUP);
    reloads(&home, keeper, Signal::USR2);
}

#[test]
fn hup_and_usr2_reload_the_app_of_run() {
    let home = Home::new();
    let run = home.run(&[
        &script("http.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    home.until_run_online();
    reloads(&home, run.child.id(), Signal::USR2);
    reloads(&home, run.child.id(), Signal::HUP);
}

#[test]
fn ttin_and_ttou_scale_by_one() {
    let home = Home::new();
    let run = home.run(&[
        &script("http.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    home.until_run_online();
    for (number, expected) in [
        (Signal::TTIN, 3),
        (Signal::TTIN, 4),
        (Signal::TTOU, 3),
        (Signal::TTOU, 2),
        (Signal::TTOU, 1),
    ] {
        run.signal(number);
        home.until(&format!("{expected} workers"), |app| {
            app.online() == expected && app.workers().len() == expected
        });
    }
    run.signal(Signal::TTOU);
    // The kernel does not keep two signals in order: the first has to have been seen.
    assert_eq!(home.app("app").online(), 1);
    run.signal(Signal::TTIN);
    home.until("two, for one stays in any case", |app| app.online() == 2);
}

#[test]
fn usr1_reopens_the_logs() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    let log = home.rota_home().join("logs/app-out-0.log");
    let moved = home.path().join("moved.log");
    let contains = |path: &std::path::Path, text: &str| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .contains(text)
    };
    get(started.port, "/print?out=before");
    eventually("the line is in the file", || {
        contains(&log, "before").then_some(())
    });
    std::fs::rename(&log, &moved).unwrap();
    get(started.port, "/print?out=between");
    eventually("still the old file", || {
        contains(&moved, "between").then_some(())
    });
    signal(home.daemon_pids().0, Signal::USR1);
    eventually("a new file", || {
        get(started.port, "/print?out=after");
        contains(&log, "after").then_some(())
    });
    assert!(!contains(&log, "between"));
}

#[test]
fn term_is_graceful_and_the_second_is_at_once() {
    let home = Home::new();
    let mut run = home.run(&[
        &script("http.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    let port = home.until_run_online().port().unwrap();
    let mut slow = Connection::open(port).unwrap();
    slow.send("/slow?ms=1000").unwrap();
    get(port, "/");
    run.signal(Signal::INT);
    assert_eq!(
        slow.receive().unwrap().status,
        200,
        "a running request is finished"
    );
    assert_eq!(run.wait(), 0);

    let mut run = home.run(&[
        &script("http.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    let port = home.until_run_online().port().unwrap();
    let mut endless = Connection::open(port).unwrap();
    endless.send("/slow?ms=600000").unwrap();
    get(port, "/");
    run.signal(Signal::TERM);
    // The first is being dealt with once the API says so, or is gone.
    eventually("it is stopping", || {
        let output = home.rota(&["list", "--json"]);
        (output.code != 0 || !output.out.contains("\"online\"") || output.out.contains("draining"))
            .then_some(())
    });
    run.signal(Signal::TERM);
    run.wait();
    assert!(endless.receive().is_err());
    assert!(home.processes().is_empty());
}

#[test]
fn quit_stops_at_once() {
    let home = Home::new();
    let mut run = home.run(&[
        &script("stubborn.js"),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    home.until_run_online();
    run.signal(Signal::QUIT);
    run.wait();
    // The shadow notices the end of its supervisor a moment later than everybody else.
    eventually("all is gone", || home.processes().is_empty().then_some(()));
}

#[test]
fn term_stops_the_daemon_with_everything_in_it() {
    let home = Home::new();
    home.start("handlers.js", &["-i", "2"]);
    signal(home.daemon_pids().0, Signal::TERM);
    eventually("all is gone", || home.processes().is_empty().then_some(()));
    assert_eq!(
        home.report()
            .iter()
            .filter(|line| line["cleaned"] == true)
            .count(),
        2
    );
}
