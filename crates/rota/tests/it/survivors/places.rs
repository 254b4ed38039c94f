//! Workers that serve on are replaced without a gap.

use crate::support::{Connection, Home, app_path, free_port, get, get_unix, load_on};

use super::{LIMIT, SERVE};

/// Starts `http.js` with these flags, kills the daemon, and has `next` start another one, under load from before to
/// after.
fn takes_over(flags: &[&str], next: impl Fn(&Home, &str)) {
    let (home, port) = (Home::new(), free_port());
    let env = env(port.number);
    let all = [&["-i", "2", "--env", &env], &SERVE[..], flags].concat();
    let started = home.start("http.js", &all);
    home.lose_daemon();
    assert!(started.pids.iter().all(|pid| home.is_there(*pid)));
    let load = load_on(started.port)
        .keep_alive(4)
        .one_shot(4)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(200, LIMIT), "they serve on");
    next(&home, &env);
    home.until_replaced(&started);
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 200, LIMIT));
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{flags:?}: {report}");
    let app = home.app("app");
    assert_eq!((app.online(), app.restarts()), (2, 0));
    assert_eq!(app.port(), Some(started.port));
    // It is an app like any other.
    let before = app.pids();
    home.rota(&["reload", "app"]).ok();
    assert!(
        home.app("app")
            .pids()
            .iter()
            .all(|pid| !before.contains(pid))
    );
    home.rota(&["stop", "app"]).ok();
    assert!(Connection::open(started.port).is_err(), "the port is free");
}

fn by_name(home: &Home, _: &str) {
    home.rota(&["start", "app"])
        .ok()
        .says("app: 2 workers live on without a daemon");
}

#[test]
fn with_round_robin() {
    takes_over(&[], by_name);
}

#[test]
fn with_ip_hash() {
    takes_over(&["--balance", "ip-hash"], by_name);
}

#[test]
fn with_shared() {
    takes_over(&["--balance", "shared"], by_name);
}

#[test]
fn with_reuseport() {
    takes_over(&["--balance", "reuseport"], by_name);
}

#[test]
fn by_the_same_command_as_before() {
    takes_over(&[], |home, env| {
        home.start("http.js", &["-i", "2", "--env", env]);
    });
}

#[test]
fn by_a_command_about_something_else() {
    let home = Home::new();
    let port = free_port();
    let started = home.start(
        "http.js",
        &["-i", "2", "--env", &env(port.number), SERVE[0], SERVE[1]],
    );
    home.lose_daemon();
    let load = load_on(started.port)
        .keep_alive(2)
        .one_shot(2)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(50, LIMIT));
    let other = app_path("http.js").display().to_string();
    home.rota(&["start", &other, "--name", "other"]).ok();
    home.until_replaced(&started);
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
    assert_eq!(home.app("app").online(), 2);
    assert_eq!(home.app("other").online(), 1);
}

#[test]
fn in_the_foreground() {
    let home = Home::new();
    let port = free_port();
    let started = home.start(
        "http.js",
        &["-i", "2", "--env", &env(port.number), SERVE[0], SERVE[1]],
    );
    home.lose_daemon();
    let load = load_on(started.port)
        .keep_alive(2)
        .one_shot(2)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(50, LIMIT));
    let script = app_path("http.js").display().to_string();
    let mut run = home.run(&[
        &script,
        "--name",
        "app",
        "-i",
        "2",
        "--env",
        &env(port.number),
    ]);
    run.until_says("the workers of the daemon before have gone");
    home.until_replaced(&started);
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
    run.signal(rustix::process::Signal::TERM);
    assert_eq!(run.wait(), 0);
}

fn env(port: u16) -> String {
    format!("PORT={port}")
}

#[test]
fn a_unix_socket_stays_the_same_file() {
    use std::os::unix::fs::MetadataExt as _;
    let home = Home::new();
    let path = home.path().join("app.sock");
    let script = home.write(
        "unix.js",
        &format!(
            "require('http').createServer((q, s) => s.end(JSON.stringify({{ pid: process.pid }}))).listen('{}')",
            path.display()
        ),
    );
    let started = home.start_script(&script, &["-i", "2", SERVE[0], SERVE[1]]);
    let file = path.metadata().unwrap().ino();
    home.lose_daemon();
    assert!(started.pids.contains(&get_unix(&path, "/").pid()));
    home.rota(&["start", "app"]).ok();
    home.until_replaced(&started);
    assert_eq!(path.metadata().unwrap().ino(), file);
    assert!(home.app("app").pids().contains(&get_unix(&path, "/").pid()));
    home.rota(&["stop", "app"]).ok();
    assert!(!path.exists());
}

#[test]
fn in_fork_mode_with_a_socket_of_rotas() {
    let (home, port) = (Home::new(), free_port());
    let listen = format!("127.0.0.1:{port}");
    let script = home.write(
        "app.js",
        "require('http').createServer((q, s) => s.end(JSON.stringify({ pid: process.pid }))).listen({ fd: 3 })",
    );
    let flags = ["--fork", "-i", "2", "--listen", &listen, SERVE[0], SERVE[1]];
    let started = home.start_script(&script, &flags);
    home.lose_daemon();
    assert!(started.pids.contains(&get(port.number, "/").pid()));
    home.rota(&["start", "app"]).ok();
    home.until_replaced(&started);
    assert!(
        home.app("app")
            .pids()
            .contains(&get(port.number, "/").pid())
    );
}

#[test]
fn what_they_print_meanwhile_does_not_end_them() {
    for mode in [&["-i", "2"][..], &["--fork"]] {
        let (home, port) = (Home::new(), free_port());
        let script = home.write(
            "app.js",
            "require('http').createServer((q, s) => { process.stdout.write('a'); process.stderr.write('b');
            setImmediate(() => s.end(JSON.stringify({ pid: process.pid }))) }).listen(process.env.PORT)",
        );
        let (env, probe) = (env(port.number), format!("tcp://127.0.0.1:{port}"));
        let more = ["--env", &env, "--probe", &probe, SERVE[0], SERVE[1]];
        let started = home.start_script(&script, &[mode, &more].concat());
        home.lose_daemon();
        for _ in 0..20 {
            assert!(started.pids.contains(&get(port.number, "/").pid()));
        }
        assert_eq!(home.processes().len(), started.pids.len());
        home.rota(&["start", "app"]).ok();
        home.until_replaced(&started);
    }
}

#[test]
fn a_program_that_binds_its_port_by_itself_ends_first() {
    let (home, port) = (Home::new(), free_port());
    let flags = ["--fork", "--env", &env(port.number), SERVE[0], SERVE[1]];
    let probe = format!("tcp://127.0.0.1:{port}");
    let started = home.start("http.js", &[&flags[..], &["--probe", &probe]].concat());
    home.lose_daemon();
    assert_eq!(get(port.number, "/").pid(), started.pids[0]);
    home.rota(&["start", "app"]).ok();
    assert!(!home.is_there(started.pids[0]));
    assert_eq!(get(port.number, "/").pid(), home.app("app").pids()[0]);
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn running_requests_are_finished() {
    let (home, port) = (Home::new(), free_port());
    let env = env(port.number);
    let started = home.start("http.js", &["--env", &env, SERVE[0], SERVE[1]]);
    home.lose_daemon();
    let mut slow = Connection::open(started.port).unwrap();
    slow.send("/slow?ms=3000").unwrap();
    home.rota(&["start", "app"]).ok();
    let answer = slow.receive().unwrap();
    assert_eq!(answer.pid(), started.pids[0]);
    home.until_replaced(&started);
}
