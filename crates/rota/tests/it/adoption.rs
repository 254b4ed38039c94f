//! The supervisor dies, and the next one takes over: no worker, no connection, no answer is lost.

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    App, Connection, Home, Started, app_path, eventually, free_port, get, heavy, load_on, signal,
};

impl Home {
    /// Kills the supervisor; returns when the next one answers.
    #[track_caller]
    pub fn kill_supervisor(&self) -> u32 {
        let (keeper, supervisor) = self.daemon_pids();
        signal(supervisor, Signal::KILL);
        let next = eventually("another supervisor", || {
            let output = self.rota(&["version", "--json"]);
            if output.code != 0 {
                return None;
            }
            let pid = output.json()["daemon"]["supervisor_pid"].as_u64()?;
            (pid != u64::from(supervisor)).then_some(pid)
        });
        assert_eq!(self.daemon_pids().0, keeper, "the keeper stays");
        u32::try_from(next).unwrap()
    }

    /// Starts an app whose reloads watch the first new worker for so long; gives its processes.
    fn start_watched(&self, script: &str, workers: &str, observe: &str) -> Vec<u32> {
        let script = app_path(script).display().to_string();
        let args = ["start", &script, "--name", "app", "-i", workers];
        let observe = ["--observe", observe];
        self.rota(&[&args[..], &observe].concat()).ok();
        self.app("app").pids()
    }

    /// A command that goes on while the test does something else.
    fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

#[track_caller]
fn succeeds(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{:?}: {said}", output.status);
    said
}

fn pids_are(home: &Home, started: &Started) -> App {
    let app = home.app("app");
    assert_eq!(app.pids(), started.pids, "workers keep their processes");
    assert_eq!((app.restarts(), app.online()), (0, started.pids.len()));
    app
}

fn keeps_everything(flags: &[&str]) {
    let home = Home::new();
    let mut all = vec!["-i", "2"];
    all.extend(flags);
    let started = home.start("http.js", &all);
    let mut kept = Connection::open(started.port).unwrap();
    let pid = kept.get("/").unwrap().pid();
    for _ in 0..3 {
        home.kill_supervisor();
        pids_are(&home, &started);
        assert_eq!(kept.get("/").unwrap().pid(), pid, "the connection stays");
        assert!(started.pids.contains(&get(started.port, "/").pid()));
    }
    assert_eq!(home.app("app").port(), Some(started.port));
    // And it can still do all that one does with an app.
    home.rota(&["reload", "app"]).ok();
    let app = home.app("app");
    assert!(app.pids().iter().all(|pid| !started.pids.contains(pid)));
    home.rota(&["scale", "app", "3"]).ok();
    assert_eq!(home.app("app").online(), 3);
    home.rota(&["stop", "app"]).ok();
    assert!(Connection::open(started.port).is_err(), "the port is free");
}

#[test]
fn workers_and_connections_stay_with_round_robin() {
    keeps_everything(&[]);
}

#[test]
fn workers_and_connections_stay_with_ip_hash() {
    keeps_everything(&["--balance", "ip-hash"]);
}

#[test]
fn workers_and_connections_stay_with_shared() {
    keeps_everything(&["--balance", "shared"]);
}

#[test]
fn workers_and_connections_stay_with_reuseport() {
    keeps_everything(&["--balance", "reuseport"]);
}

#[test]
fn workers_and_connections_stay_without_an_agent() {
    keeps_everything(&["--no-agent"]);
}

#[test]
fn what_was_stopped_stays_stopped_and_numbers_go_on() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let script = home.copy("http.js");
    home.rota(&["start", &script, "--name", "resting"]).ok();
    home.rota(&["stop", "resting"]).ok();
    home.kill_supervisor();
    pids_are(&home, &started);
    assert_eq!(home.app("resting").status(), "stopped");
    home.rota(&["start", &script, "--name", "third"]).ok();
    home.rota(&["start", "resting"]).ok();
    home.kill_supervisor();
    for name in ["app", "resting", "third"] {
        assert_eq!(home.app(name).status(), "online", "{name}");
    }
    home.rota(&["delete", "all"]).ok();
    assert!(home.apps().is_empty());
    home.kill_supervisor();
    assert!(home.apps().is_empty(), "what was deleted stays deleted");
}

#[test]
fn a_reload_goes_on_and_is_answered() {
    let home = Home::new();
    let pids = home.start_watched("http.js", "3", "1s");
    let reload = home.begin(&["reload", "app"]);
    home.until("the first new worker", |app| {
        app.pids().iter().any(|pid| !pids.contains(pid))
    });
    home.kill_supervisor();
    let said = succeeds(reload);
    let app = home.app("app");
    assert_eq!(app.online(), 3, "{said}");
    assert!(app.pids().iter().all(|pid| !pids.contains(pid)), "{said}");
}

#[test]
fn a_reload_with_changes_goes_on_with_them() {
    let home = Home::new();
    let pids = home.start_watched("http.js", "3", "1s");
    let first = home.begin(&["reload", "app", "--env", "COLOUR=red"]);
    home.until("the first new worker", |app| {
        app.pids().iter().any(|pid| !pids.contains(pid))
    });
    let second = home.begin(&["reload", "app", "--env", "COLOUR=green"]);
    eventually("the second one waits", || {
        home.daemon_log()
            .contains("the reload waits for the one")
            .then_some(())
    });
    home.kill_supervisor();
    succeeds(first);
    succeeds(second);
    let port = home.app("app").port().unwrap();
    for _ in 0..6 {
        assert_eq!(get(port, "/env").json()["COLOUR"], "green");
    }
}

#[test]
fn a_bad_reload_is_taken_back_all_the_same() {
    let home = Home::new();
    home.copy("http.js");
    let script = home.path().join("http.js");
    let pids = home.start_watched(&script.display().to_string(), "2", "5s");
    home.deploy("http.js", "crash-late.js");
    let reload = home.begin(&["reload", "app"]);
    home.until("the first new worker", |app| {
        app.pids().iter().any(|pid| !pids.contains(pid))
    });
    home.kill_supervisor();
    let output = reload.wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let app = home.until("the old workers alone", |app| app.pids().len() == 2);
    assert_eq!(app.pids(), pids);
}

#[test]
fn a_running_request_outlives_the_drain_of_two_supervisors() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "1"]);
    let mut slow = Connection::open(started.port).unwrap();
    slow.send("/slow?ms=3000").unwrap();
    let reload = home.begin(&["reload", "app"]);
    home.until("it drains", |app| {
        app.workers()
            .iter()
            .any(|worker| worker.pid() == Some(started.pids[0]) && worker.status() != "online")
    });
    home.kill_supervisor();
    assert_eq!(slow.receive().unwrap().pid(), started.pids[0]);
    succeeds(reload);
    let app = home.until("the old worker has gone", |app| app.pids().len() == 1);
    assert_ne!(app.pids(), started.pids);
}

#[test]
fn a_worker_that_dies_unseen_is_replaced() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let (_, supervisor) = home.daemon_pids();
    // Stopped, it hears of nothing any more.
    signal(supervisor, Signal::STOP);
    signal(started.pids[0], Signal::KILL);
    signal(supervisor, Signal::KILL);
    let app = home.until("both again", |app| {
        app.online() == 2 && !app.pids().contains(&started.pids[0])
    });
    assert_eq!(app.pids()[1], started.pids[1]);
    assert_eq!(app.restarts(), 1);
    assert_eq!(app.workers()[0].0["last_exit"]["signal"], "SIGKILL");
}

#[test]
fn starting_workers_become_ready() {
    let home = Home::new();
    let script = app_path("ready.js").display().to_string();
    let start = home.begin(&["start", &script, "--name", "app", "-i", "2", "--wait-ready"]);
    eventually("they are starting", || {
        home.find_quietly("app").filter(|app| app.pids().len() == 2)
    });
    home.kill_supervisor();
    home.write("go", "");
    succeeds(start);
    assert_eq!(home.app("app").online(), 2);
}

#[test]
fn programs_with_a_notify_socket_are_heard_on() {
    let home = Home::new();
    home.start(
        "notify.py",
        &["--wait-ready", "--env", "PLAN=ready,go,status:heard again"],
    );
    let pids = home.app("app").pids();
    home.kill_supervisor();
    assert_eq!(home.app("app").pids(), pids);
    home.write("go", "");
    home.until("its status", |app| {
        app.workers()[0].0["status_text"] == "heard again"
    });
}

#[test]
fn sockets_of_listen_stay_with_the_app() {
    let home = Home::new();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    home.start("activated.py", &["--listen", &address]);
    let pids = home.app("app").pids();
    home.kill_supervisor();
    assert_eq!(home.app("app").pids(), pids);
    get(port.number, "/");
    home.rota(&["restart", "app"]).ok();
    get(port.number, "/");
}

#[test]
fn records_and_changes_of_the_specification_survive() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    signal(started.pids[0], Signal::SEGV);
    let app = home.until("two again", |app| app.online() == 2 && app.restarts() == 1);
    home.rota(&["reload", "app", "--env", "COLOUR=green"]).ok();
    let before = home.app("app").pids();
    home.kill_supervisor();
    assert_eq!(home.app("app").pids(), before);
    home.rota(&["describe", "app"]).ok().says("SIGSEGV");
    signal(before[1], Signal::KILL);
    home.until("another", |app| {
        app.online() == 2 && !app.pids().contains(&before[1])
    });
    for _ in 0..4 {
        let env = get(app.port().unwrap(), "/env").json();
        assert_eq!(env["COLOUR"], "green");
    }
}

#[test]
fn hangs_are_found_by_the_next_supervisor() {
    let home = Home::new();
    let started = home.start(
        "http.js",
        &[
            "-i",
            "2",
            "--heartbeat-interval",
            "200ms",
            "--heartbeat-timeout",
            "200ms",
        ],
    );
    home.kill_supervisor();
    let mut stuck = Connection::open(started.port).unwrap();
    let pid = stuck.get("/").unwrap().pid();
    stuck.send("/block?ms=60000").unwrap();
    let app = home.until("it is replaced", |app| {
        app.online() == 2 && !app.pids().contains(&pid)
    });
    assert_eq!(app.restarts(), 1);
    home.rota(&["describe", "app"]).ok().says("hung");
}

#[test]
fn under_load_nothing_is_lost_and_nobody_is_started_anew() {
    let home = Home::new();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "4"]);
    let load = load_on(started.port)
        .keep_alive(20)
        .one_shot(10)
        .start()
        .unwrap();
    for _ in 0..10 {
        let before = load.answered();
        assert!(load.until_answered_blocking(before + 300, Duration::from_secs(60)));
        home.kill_supervisor();
    }
    let before = load.answered();
    assert!(load.until_answered_blocking(before + 300, Duration::from_secs(60)));
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
    pids_are(&home, &started);
}

#[test]
fn run_in_the_foreground_goes_on_too() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    let mut run = home.run(&[&script, "--name", "app", "-i", "2"]);
    let app = home.until_run_online();
    home.kill_supervisor();
    assert_eq!(home.app("app").pids(), app.pids());
    run.signal(Signal::TERM);
    assert_eq!(run.wait(), 0);
}

#[test]
fn supervisors_that_die_again_and_again_set_aside_what_was_under_way() {
    let home = Home::new();
    let pids = home.start_watched("http.js", "2", "60s");
    let reload = home.begin(&["reload", "app"]);
    home.until("the first new worker", |app| {
        app.pids().iter().any(|pid| !pids.contains(pid))
    });
    // As one that falls over what it finds: each as soon as it is there.
    eventually("it is set aside", || {
        let (_, supervisor) = home.daemon_pids();
        if home.daemon_log().contains("set aside") {
            return Some(());
        }
        // Not SIGSEGV, of which the first one only takes Rust's handler away.
        signal(supervisor, Signal::ABORT);
        eventually("another supervisor", || {
            let output = home.rota(&["version", "--json"]);
            let other = output.code == 0 && !output.out.contains(&supervisor.to_string());
            other.then_some(())
        });
        None
    });
    let output = reload.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("set aside"), "{said}");
    // Both slots are served, and everything can be done again.
    let app = home.until("two workers", |app| {
        app.pids().len() == 2 && app.online() == 2
    });
    get(app.port().unwrap(), "/");
    home.rota(&["restart", "app"]).ok();
    assert_eq!(home.app("app").online(), 2);
}
