//! Workers that have to leave before they are ready: what they have been given they finish.

use std::process::{Child, Stdio};

use crate::support::{Connection, Home, Port, eventually, free_port, signal};

/// Listens at once, and is ready only if the file GO was there when it started.
const SERVER: &str = r"
const fs = require('fs'), http = require('http');
http.createServer((req, res) => {
  const about = JSON.stringify({ pid: process.pid });
  const slow = /ms=([0-9]+)/.exec(req.url);
  setTimeout(() => res.end(about), slow ? Number(slow[1]) : 0);
}).listen(Number(process.env.PORT || 0), () => {
  if (fs.existsSync(process.env.GO)) process.send('ready');
});
";

/// An app that is starting, with a client whose request is running.
struct Unready {
    start: Child,
    client: Connection,
    _port: Port,
}

/// Starts an app that will not become ready; gives a client whose request is running.
fn start_unready(home: &Home, flags: &[&str], request: &str) -> Unready {
    let port = free_port();
    let script = home.write("server.js", SERVER);
    let variable = format!("PORT={}", port.number);
    let mut args = vec!["start", &script, "--name", "app", "--env", &variable];
    args.extend(["--observe", "0"]);
    args.extend(flags);
    let mut start = home.command(&args);
    let start = start.stdout(Stdio::null()).stderr(Stdio::null());
    let start = start.spawn().unwrap();
    let mut client = eventually("a connection", || Connection::open(port.number).ok());
    client.send(request).unwrap();
    home.until("the request is there", |app| {
        app.workers().iter().any(|it| it.0["connections"] == 1)
    });
    Unready {
        start,
        client,
        _port: port,
    }
}

fn finishes_when_stopped(flags: &[&str]) {
    let home = Home::new();
    let mut all = vec!["--wait-ready", "--listen-timeout", "5m"];
    all.extend(flags);
    let mut app = start_unready(&home, &all, "/slow?ms=2000");
    assert_eq!(home.app("app").status(), "launching");
    let stop = home.in_background(&["stop", "app"]);
    assert!(app.client.receive().unwrap().pid() > 0, "the whole answer");
    stop.join().unwrap().ok();
    app.start.wait().unwrap();
}

#[test]
fn one_that_listens_and_is_not_ready_finishes_when_it_is_stopped() {
    finishes_when_stopped(&[]);
}

#[test]
fn it_does_without_an_agent_too() {
    finishes_when_stopped(&["--no-agent"]);
}

#[test]
fn it_does_when_its_time_to_become_ready_is_over() {
    let home = Home::new();
    let flags = ["--wait-ready", "--listen-timeout", "3s"];
    let mut app = start_unready(&home, &flags, "/slow?ms=6000");
    assert!(app.client.receive().unwrap().pid() > 0, "the whole answer");
    assert!(!app.start.wait().unwrap().success());
    assert!(home.daemon_log().contains("was not ready within"));
}

#[test]
fn it_does_when_its_rollout_fails() {
    let home = Home::new();
    let go = home.path().join("go");
    std::fs::write(&go, "").unwrap();
    let script = home.write("server.js", SERVER);
    let flags = ["-i", "2", "--wait-ready", "--listen-timeout", "3s"];
    let started = home.start_script(&script, &flags);
    std::fs::remove_file(go).unwrap();
    let reload = home.in_background(&["reload", "app"]);
    home.until("the new worker listens", |app| app.workers().len() == 3);
    // Until one has come to the new worker: those with the fewest connections get the next.
    let mut clients = Vec::new();
    eventually("it has a request", || {
        let mut client = Connection::open(started.port).ok()?;
        client.send("/slow?ms=6000").unwrap();
        clients.push(client);
        let new = |pid: u32| !started.pids.contains(&pid);
        let workers = home.app("app").workers();
        let mut new = workers.iter().filter(|it| it.pid().is_some_and(new));
        let given = new.any(|it| it.0["connections"].as_u64() > Some(0));
        given.then_some(())
    });
    let answers = clients
        .iter_mut()
        .map(|client| client.receive().unwrap().pid());
    let answers: Vec<u32> = answers.collect();
    assert!(
        answers.iter().any(|pid| !started.pids.contains(pid)),
        "{answers:?}"
    );
    reload.join().unwrap().fails(1).says("was not ready within");
    assert_eq!(
        home.app("app").pids(),
        started.pids,
        "the old ones serve on"
    );
}

/// Its event loop cannot answer anybody, and whoever waited for it would wait for ten minutes.
fn goes_at_once(script: &str) {
    let home = Home::new();
    let script = home.write("blocked.js", script);
    let mut args = vec!["start", &script, "--name", "app", "--drain-timeout", "10m"];
    args.extend([
        "--wait-ready",
        "--listen-timeout",
        "10m",
        "--kill-timeout",
        "1s",
    ]);
    let mut command = home.command(&args);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut start = command.spawn().unwrap();
    home.until_reported("it is blocked", |line| line["blocked"] == true);
    home.rota(&["stop", "app"]).ok();
    start.wait().unwrap();
}

#[test]
fn one_that_is_blocked_by_its_start_goes_at_once() {
    goes_at_once(
        "require('fs').appendFileSync(process.env.REPORT, '{\"blocked\":true}\\n'); for (;;);",
    );
}

#[test]
fn so_does_one_that_listens_and_was_never_given_anything() {
    goes_at_once(
        "require('http').createServer(() => {}).listen(0, () => {
           require('fs').appendFileSync(process.env.REPORT, '{\"blocked\":true}\\n');
           for (;;);
         });",
    );
}

/// The next supervisor knows what the dispatcher of the dead one knew.
#[test]
fn it_finishes_when_its_supervisor_dies_in_the_middle_of_that() {
    let home = Home::new();
    let flags = ["--wait-ready", "--listen-timeout", "5m"];
    let mut app = start_unready(&home, &flags, "/slow?ms=5000");
    let stop = home.in_background(&["stop", "app"]);
    eventually("it drains", || {
        home.daemon_log()
            .contains("draining worker 0")
            .then_some(())
    });
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, rustix::process::Signal::KILL);
    assert!(app.client.receive().unwrap().pid() > 0, "the whole answer");
    stop.join().unwrap().ok();
    app.start.wait().unwrap();
}
