//! What cannot stay is cleaned up, what can stays until it is not needed, and nobody else is touched.

use std::fs;

use rustix::process::Signal;

use crate::support::{Connection, Home, app_path, eventually, free_port, get, signal};

use super::SERVE;

#[test]
fn a_hung_worker_is_killed_at_the_next_start() {
    let home = Home::new();
    let port = free_port();
    let env = format!("PORT={port}");
    let flags = [
        "--env",
        &env,
        "--balance",
        "shared",
        "--kill-timeout",
        "300ms",
    ];
    let script = home.write(
        "app.js",
        "process.on('SIGTERM', () => {});
        require('http').createServer((q, s) => { while (q.url === '/block'); s.end(JSON.stringify({ pid: process.pid })) }).listen(process.env.PORT)",
    );
    let started = home.start_script(&script, &flags);
    let mut blocked = Connection::open(started.port).unwrap();
    blocked.send("/block").unwrap();
    home.lose_daemon();
    assert!(home.is_there(started.pids[0]), "it cannot notice");
    let again = home.start_script(&script, &flags);
    assert!(!home.is_there(started.pids[0]));
    assert_eq!(get(port.number, "/").pid(), again.pids[0]);
    assert_eq!(home.app("app").restarts(), 0, "the port was free");
    let log = home.daemon_log();
    assert!(log.contains("1 of its workers are still there"), "{log}");
    assert!(log.contains("have been ended, 1 of them killed"), "{log}");
}

#[test]
fn what_a_worker_has_started_is_cleaned_up_too() {
    let home = Home::new();
    let script = home.write(
        "app.js",
        "const child = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }); child.unref();
        require('http').createServer((q, s) => s.end(JSON.stringify({ pid: child.pid }))).listen(0)",
    );
    let started = home.start_script(&script, &[]);
    let child = get(started.port, "/").pid();
    home.lose_daemon();
    eventually("the worker has ended", || {
        (!home.is_there(started.pids[0])).then_some(())
    });
    assert!(home.is_there(child));
    home.start_script(&script, &["--force"]);
    assert!(!home.is_there(child));
}

#[test]
fn an_app_whose_workers_have_ended_is_known_and_stopped() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    home.lose_daemon();
    eventually("they have ended", || {
        home.processes().is_empty().then_some(())
    });
    let other = app_path("http.js").display().to_string();
    home.rota(&["start", &other, "--name", "other"]).ok();
    assert_eq!(home.until_status("stopped").online(), 0);
    home.rota(&["start", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
}

#[test]
fn it_starts_again_by_name() {
    let home = Home::new();
    home.start("http.js", &["-i", "1", "--env", "COLOUR=green"]);
    home.rota(&["scale", "app", "2"]).ok();
    home.lose_daemon();
    eventually("they have ended", || {
        home.processes().is_empty().then_some(())
    });
    home.rota(&["start", "app"]).ok();
    let app = home.app("app");
    assert_eq!(app.online(), 2, "as many as it had last");
    let env = get(app.port().unwrap(), "/env").json();
    assert_eq!(env["COLOUR"], "green");
}

#[test]
fn without_good_new_workers_the_old_ones_serve_on() {
    let home = Home::new();
    let port = free_port();
    let env = format!("PORT={port}");
    let script = home.copy("http.js");
    let started = home.start_script(&script, &["-i", "2", "--env", &env, SERVE[0], SERVE[1]]);
    home.lose_daemon();
    home.deploy("http.js", "crash-start.js");
    assert_ne!(home.rota(&["start", "app"]).code, 0);
    let list = home.rota(&["list"]).ok().out;
    assert!(
        list.contains("2 workers live on without a daemon"),
        "{list}"
    );
    assert!(started.pids.contains(&get(port.number, "/").pid()));
    // The supervisor's death makes no difference, nor does that of one more keeper.
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    eventually("the next supervisor knows of them", || {
        let list = home.rota(&["list"]);
        let knows = list.out.contains("2 workers live on without a daemon");
        (knows && home.daemon_pids().1 != supervisor).then_some(())
    });
    home.lose_daemon();
    assert!(started.pids.contains(&get(port.number, "/").pid()));
    home.deploy("http.js", "http.js");
    home.rota(&["start", "app"]).ok();
    home.until_replaced(&started);
    assert!(!started.pids.contains(&get(port.number, "/").pid()));
}

#[test]
fn they_go_with_their_app() {
    for verb in ["stop", "delete", "kill"] {
        let home = Home::new();
        let script = home.copy("http.js");
        let started = home.start_script(&script, &[SERVE[0], SERVE[1]]);
        home.lose_daemon();
        home.deploy("http.js", "crash-start.js");
        assert_ne!(home.rota(&["start", "app"]).code, 0);
        assert!(home.is_there(started.pids[0]));
        let targets: &[&str] = if verb == "kill" { &[] } else { &["app"] };
        home.rota(&[&[verb], targets].concat()).ok();
        eventually("they have gone", || {
            (!home.is_there(started.pids[0])).then_some(())
        });
    }
}

#[test]
fn nobody_elses_workers_are_touched() {
    let (one, two) = (Home::new(), Home::new());
    let first = one.start("http.js", &SERVE);
    let second = two.start("http.js", &SERVE);
    two.lose_daemon();
    // A copy of a home speaks of a daemon that lives, another one of workers that are not its own.
    for of in [&one, &two] {
        let copy = Home::new();
        fs::create_dir(copy.rota_home()).unwrap();
        for file in ["apps.json", "workers.json"] {
            fs::copy(of.rota_home().join(file), copy.rota_home().join(file)).unwrap();
        }
        copy.start("http.js", &[]);
        assert_eq!(copy.apps().len(), 1);
        assert!(
            copy.rota(&["list", "--json"])
                .ok()
                .json()
                .get("survivors")
                .is_none()
        );
    }
    assert_eq!(get(first.port, "/").pid(), first.pids[0]);
    assert_eq!(get(second.port, "/").pid(), second.pids[0]);
    two.rota(&["start", "app"]).ok();
    two.until_replaced(&second);
    assert_eq!(get(first.port, "/").pid(), first.pids[0]);
}

#[test]
fn the_supervisor_of_a_dead_keeper_is_ended() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2", SERVE[0], SERVE[1]]);
    let (keeper, supervisor) = home.daemon_pids();
    // It holds the workers' channels, so that they do not notice.
    signal(supervisor, Signal::STOP);
    signal(keeper, Signal::KILL);
    home.rota(&["start", "app"]).ok();
    assert!(!home.is_there(supervisor));
    home.until_replaced(&started);
    assert_eq!(home.app("app").online(), 2);
}
