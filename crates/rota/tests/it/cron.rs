//! Apps that are started anew at times.

use rustix::process::Signal;

use crate::support::{App, Home, app_path, eventually, signal};

fn every_second(flags: &[&str]) -> (Home, Vec<u32>) {
    let home = Home::new();
    let mut all = vec!["--cron", "* * * * * *", "--cron-zone", "UTC"];
    all.extend(flags);
    let pids = home.start("http.js", &all).pids;
    (home, pids)
}

fn renewed(old: &[u32]) -> impl Fn(&App) -> bool {
    move |app| app.online() >= 1 && app.pids().iter().all(|pid| !old.contains(pid))
}

#[test]
fn a_time_that_comes_is_a_reload() {
    let (home, pids) = every_second(&[]);
    let app = home.until("a new worker", renewed(&pids));
    let why = app.0["renewal"]["last"]["why"].as_str().unwrap();
    assert!(why.starts_with("it is ") && why.ends_with(" UTC"), "{why}");
    home.rota(&["describe", "app"]).ok().says("next ");
    assert!(home.daemon_log().contains(": reloading"));
}

#[test]
fn a_schedule_survives_the_supervisor_and_rests_with_its_app() {
    let (home, pids) = every_second(&["--cron-action", "restart"]);
    let app = home.until("a new worker", renewed(&pids));
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    eventually("another supervisor", || {
        (home.daemon_pids().1 != supervisor).then_some(())
    });
    home.until("another new worker", renewed(&app.pids()));
    home.rota(&["stop", "app"]).ok();
    let stopped = home.app("app");
    assert_eq!(stopped.status(), "stopped");
    assert!(stopped.0["renewal"]["cron"]["next_at"].is_null());
    home.rota(&["describe", "app"])
        .ok()
        .says("not while it is stopped");
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--cron", "0 3 *"])
        .fails(2)
        .says("3 fields");
    let zone = ["--cron", "0 3 * * *", "--cron-zone", "Europe/Berlim"];
    let output = home.rota(&[&["start", &script, "--name", "app"][..], &zone].concat());
    assert_ne!(output.code, 0);
    output.says("no time zone `Europe/Berlim`");
    assert!(home.find_quietly("app").is_none());
}

#[test]
fn a_job_that_is_done_runs_again_at_its_time() {
    let home = Home::new();
    let job = home.write("job.sh", "#!/bin/sh\necho \"$$\" >> \"$REPORT\"\n");
    let flags = ["--name", "app", "--no-autorestart", "--cron", "* * * * * *"];
    home.rota(&[&["start", &job][..], &flags].concat()).ok();
    let runs = || {
        let text = std::fs::read_to_string(home.report_path()).unwrap_or_default();
        text.lines().count()
    };
    eventually("three runs", || (runs() >= 3).then_some(()));
    home.rota(&["stop", "app"]).ok();
    assert!(home.app("app").0["renewal"]["cron"]["next_at"].is_null());
}
