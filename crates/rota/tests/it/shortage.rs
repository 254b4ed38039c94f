//! No descriptors left for another worker: no fault of the app's, and over when there are some again.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::support::{App, Home, eventually, signal};

/// Fewer descriptors than any supervisor has open.
const FEW: u64 = 8;

/// Sets the number of descriptors that the supervisor may have; gives what it was.
fn limit(home: &Home, most: u64) -> u64 {
    let (_, supervisor) = home.daemon_pids();
    limit_of(supervisor, most)
}

fn limit_of(pid: u32, most: u64) -> u64 {
    let pid = Pid::from_raw(pid.cast_signed());
    let limit = Rlimit {
        current: Some(most),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(pid, Resource::Nofile, limit).unwrap();
    before.current.unwrap_or(most)
}

fn until_told(home: &Home) {
    eventually("word of the shortage", || {
        let log = home.daemon_log();
        log.contains("cannot be started for the moment")
            .then_some(())
    });
}

#[test]
fn a_worker_that_cannot_be_started_for_the_moment_is_not_unstable() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2", "--max-restarts", "1"]);
    let (_, supervisor) = home.daemon_pids();
    let before = limit(&home, FEW);
    signal(started.pids[0], Signal::KILL);
    // More often than the app could fail.
    eventually("several tries", || {
        let log = home.daemon_log();
        (log.matches("cannot be started for the moment").count() > 3).then_some(())
    });
    limit_of(supervisor, before);
    let app = home.until("it serves again", |app| app.online() == 2);
    assert_eq!(
        app.restarts(),
        1,
        "only the process that could be made counts"
    );
    let log = home.daemon_log();
    assert!(
        log.contains("no pipe or socket could be had for it"),
        "{log}"
    );
    let unstable = &app.workers()[0].0["unstable_restarts"];
    assert!(
        unstable.as_u64() <= Some(1),
        "its own end at most: {unstable}"
    );
    assert!(!log.contains("giving up"), "{log}");
}

/// Leaves the keeper nothing for another worker; the API has what it needs. Gives its process and what it had.
fn exhaust_keeper(home: &Home) -> (u32, u64) {
    let (keeper, _) = home.daemon_pids();
    // It polls as many as it has open.
    let open = std::fs::read_dir(format!("/proc/{keeper}/fd")).unwrap();
    let before = limit_of(keeper, u64::try_from(open.count()).unwrap());
    (keeper, before)
}

#[test]
fn describe_says_what_is_lacking() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let (keeper, before) = exhaust_keeper(&home);
    let scale = home.in_background(&["scale", "app", "4"]);
    until_told(&home);
    let shortages = |app: &App| {
        let workers = app.workers().into_iter();
        let reasons = workers.filter_map(|it| it.0["shortage"].as_str().map(str::to_owned));
        reasons.collect::<Vec<_>>()
    };
    let app = home.until("the reason is shown", |app| {
        let reasons = shortages(app);
        reasons.iter().any(|reason| reason.contains("open files"))
    });
    assert!(app.pids().starts_with(&started.pids));
    home.rota(&["describe", "app"]).ok().says("cannot start");
    limit_of(keeper, before);
    // The command has waited for that.
    scale.join().unwrap().ok();
    let app = home.app("app");
    assert_eq!((app.online(), app.restarts()), (4, 0));
    assert!(shortages(&app).is_empty());
}

#[test]
fn a_reload_waits_for_resources_and_goes_on() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let (keeper, before) = exhaust_keeper(&home);
    let reload = home.in_background(&["reload", "app"]);
    until_told(&home);
    assert_eq!(home.app("app").pids(), started.pids);
    limit_of(keeper, before);
    reload.join().unwrap().ok();
    let app = home.app("app");
    assert!(app.pids().iter().all(|pid| !started.pids.contains(pid)));
}

#[test]
fn a_reload_that_gets_none_keeps_the_old_workers_and_says_why() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2", "--listen-timeout", "2s"]);
    let (keeper, before) = exhaust_keeper(&home);
    let output = home.rota(&["reload", "app"]).fails(1);
    output.says("for lack of resources and not because of the app");
    limit_of(keeper, before);
    let app = home.app("app");
    assert_eq!((app.pids(), app.restarts()), (started.pids, 0));
}
