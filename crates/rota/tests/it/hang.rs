//! Workers that do not answer: what is a hang, and what is not.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    App, Connection, Home, Started, eventually, get, heavy, load_on, signal, try_get,
};

/// Hung after 1.4 s without an answer: short, and long enough for a machine that is busy with other tests.
const QUICK: &[&str] = &[
    "--heartbeat-interval",
    "400ms",
    "--heartbeat-timeout",
    "600ms",
    "--heartbeat-misses",
    "3",
];
const LIMIT: Duration = Duration::from_millis(1400);
const INTERVAL: Duration = Duration::from_millis(400);

fn start(home: &Home, flags: &[&str]) -> Started {
    start_with(home, QUICK, flags)
}

/// The same with more misses until a worker is hung.
fn start_patient(home: &Home, misses: &str) -> Started {
    let but_misses = &QUICK[..QUICK.len() - 1];
    start_with(home, but_misses, &[misses, "-i", "2"])
}

fn start_with(home: &Home, heartbeat: &[&str], flags: &[&str]) -> Started {
    let all = [heartbeat, flags].concat();
    let started = home.start("hang.js", &all);
    until_watched(home);
    started
}

/// Waits until each worker has answered once.
fn until_watched(home: &Home) {
    home.until("figures of all workers", |app| {
        app.workers().iter().all(|worker| has_figures(&worker.0))
    });
}

fn has_figures(worker: &serde_json::Value) -> bool {
    !worker["inside"].is_null()
}

/// Sends a request that will never be answered; gives the process that got it.
fn poison(started: &Started, path: &str) -> (Connection, u32) {
    let mut connection = Connection::open(started.port).unwrap();
    let pid = connection.get("/").unwrap().pid();
    connection.send(path).unwrap();
    (connection, pid)
}

fn until_replaced(home: &Home, pid: u32, workers: usize) -> App {
    home.until("a replacement", |app| {
        app.online() == workers && !app.pids().contains(&pid)
    })
}

fn hangs_in(path: &str, says: &[&str]) {
    let home = Home::new();
    let _alone = heavy();
    let started = start(&home, &["-i", "2"]);
    let load = load_on(started.port).one_shot(4).start().unwrap();
    assert!(load.until_answered_blocking(50, Duration::from_secs(60)));
    let begin = Instant::now();
    let (connection, victim) = poison(&started, path);
    until_replaced(&home, victim, 2);
    println!("{path}: replaced after {:?}", begin.elapsed());
    assert!(begin.elapsed() >= LIMIT, "{:?}", begin.elapsed());
    let before = load.answered();
    assert!(load.until_answered_blocking(before + 50, Duration::from_secs(60)));
    drop(connection);
    let report = load.stop_blocking();
    // Those that it had taken before it hung are in it, and end with it: at most one of each client.
    assert!(report.failed() <= 4, "{report}");
    let described = home.rota(&["describe", "app"]).ok().says("no answer for");
    for text in says {
        described.clone().says(text);
    }
    let log = home.daemon_log();
    assert!(log.contains("does not answer (1 missed beat)"), "{log}");
    assert_eq!(home.app("app").restarts(), 1, "{log}");
}

#[test]
fn an_endless_loop_is_replaced_and_its_function_named() {
    hangs_in("/spin", &["spinForever", "hang.js:7"]);
}

#[test]
fn a_catastrophic_regular_expression_is_replaced_and_its_function_named() {
    hangs_in("/regex", &["catastrophe", "hang.js:8"]);
}

#[test]
fn a_wait_without_an_end_is_replaced_and_its_function_named() {
    hangs_in("/wait", &["waitForNobody", "hang.js:10"]);
}

#[test]
fn a_synchronous_child_is_replaced_and_named() {
    hangs_in("/sync", &["where it was is not known", "sleep 1000"]);
}

#[test]
fn a_huge_document_is_replaced() {
    hangs_in("/json", &["no answer for"]);
}

#[test]
fn a_handler_of_the_stop_signal_that_cannot_run_costs_no_time() {
    let home = Home::new();
    let started = start(
        &home,
        &[
            "-i",
            "2",
            "--env",
            "HANG_ON_SIGTERM=1",
            "--kill-timeout",
            "60s",
        ],
    );
    let begin = Instant::now();
    let (_connection, victim) = poison(&started, "/spin");
    until_replaced(&home, victim, 2);
    // The limit, the time until the next beat, and a new process: far from the kill timeout.
    assert!(begin.elapsed() < LIMIT + INTERVAL + Duration::from_secs(30));
    eventually("the hung process is gone", || {
        (!home.processes().iter().any(|(pid, _)| *pid == victim)).then_some(())
    });
    assert!(
        begin.elapsed() < Duration::from_secs(50),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_lone_worker_that_hangs_is_replaced_and_waiting_clients_are_served() {
    let home = Home::new();
    let started = start(&home, &[]);
    let (_connection, victim) = poison(&started, "/spin");
    // It waits in the backlog, or with the worker that never took it: the next one answers.
    let answer = get(started.port, "/");
    assert_ne!(answer.pid(), victim);
    until_replaced(&home, victim, 1);
}

#[test]
fn a_short_block_is_warned_of_and_nothing_else() {
    let home = Home::new();
    let started = start(&home, &["--block-warning", "300ms"]);
    // A machine that is busy with other tests is to blame for a part of the first one, perhaps.
    let log = eventually("a warning", || {
        get(started.port, "/block?ms=900");
        let log = home.daemon_log();
        log.contains("event loop of worker 0 was blocked for")
            .then_some(log)
    });
    assert_eq!(get(started.port, "/").pid(), started.pids[0], "{log}");
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn a_late_worker_gets_its_connections_back_when_it_answers() {
    let home = Home::new();
    let flags = [
        "--heartbeat-interval",
        "200ms",
        "--heartbeat-timeout",
        "300ms",
        "--heartbeat-misses",
        "100",
    ];
    let started = home.start("hang.js", &flags);
    until_watched(&home);
    let mut blocked = Connection::open(started.port).unwrap();
    blocked.get("/").unwrap();
    blocked.send("/block?ms=2000").unwrap();
    let out = || {
        home.daemon_log()
            .contains("does not answer (1 missed beat)")
            .then_some(())
    };
    eventually("out of rotation", out);
    let pid = blocked.receive().unwrap().pid();
    let back = || {
        home.daemon_log()
            .contains("worker 0 answers again after")
            .then_some(())
    };
    eventually("back in rotation", back);
    assert_eq!(get(started.port, "/").pid(), pid);
}

#[test]
fn a_stopped_process_is_not_hung() {
    let home = Home::new();
    let started = start(&home, &["-i", "2"]);
    let victim = started.pids[0];
    signal(victim, Signal::STOP);
    eventually("it is noticed", || {
        home.daemon_log()
            .contains("is stopped, by a signal or a debugger")
            .then_some(())
    });
    // Other clients are served by the other one, for far longer than the limit.
    let end = Instant::now() + 3 * LIMIT;
    while Instant::now() < end {
        assert_eq!(get(started.port, "/").pid(), started.pids[1]);
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(victim, Signal::CONT);
    eventually("it is back", || {
        home.daemon_log()
            .contains("answers again after")
            .then_some(())
    });
    assert_eq!(home.app("app").restarts(), 0);
    assert!(home.app("app").pids().contains(&victim));
}

#[test]
fn a_stopped_supervisor_calls_nobody_hung() {
    let home = Home::new();
    let started = start(&home, &["-i", "2"]);
    let (_, supervisor) = home.daemon_pids();
    for _ in 0..3 {
        signal(supervisor, Signal::STOP);
        std::thread::sleep(2 * LIMIT);
        signal(supervisor, Signal::CONT);
        get(started.port, "/");
    }
    until_watched(&home);
    assert_eq!(home.app("app").pids(), started.pids);
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn a_start_that_blocks_for_long_is_not_a_hang() {
    let home = Home::new();
    let mut flags = QUICK.to_vec();
    flags.extend(["--env", "BLOCK_AT_START=4000"]);
    let started = home.start("hang.js", &flags);
    until_watched(&home);
    assert_eq!(home.app("app").pids(), started.pids);
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn zero_misses_switch_it_off() {
    let home = Home::new();
    let flags = [
        "--heartbeat-interval",
        "400ms",
        "--heartbeat-misses",
        "0",
        "--block-warning",
        "300ms",
    ];
    let started = home.start("hang.js", &flags);
    until_watched(&home);
    let answer = get(
        started.port,
        &format!("/block?ms={}", 3 * LIMIT.as_millis()),
    );
    eventually("a warning", || {
        home.daemon_log().contains("was blocked for").then_some(())
    });
    assert_eq!(get(started.port, "/").pid(), answer.pid());
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn a_worker_without_processor_time_is_not_hung() {
    let home = Home::new();
    let _alone = heavy();
    let started = start(&home, &[]);
    let pid = started.pids[0].to_string();
    // One processor for the worker, and for eight loops that leave it a ninth at most.
    let pinned = std::process::Command::new("taskset")
        .args(["-acp", "0", &pid])
        .output();
    if !pinned.is_ok_and(|output| output.status.success()) {
        println!("no taskset here");
        return;
    }
    let script =
        "for i in 1 2 3 4 5 6 7 8; do taskset -c 0 sh -c 'while :; do :; done' & done; wait";
    let mut loops = home
        .program("setsid")
        .args(["sh", "-c", script])
        .spawn()
        .unwrap();
    let end = Instant::now() + 4 * LIMIT;
    while Instant::now() < end {
        try_get(started.port, "/block?ms=300").ok();
    }
    for (pid, line) in home.processes() {
        if line.contains("while :") {
            signal(pid, Signal::KILL);
        }
    }
    loops.kill().ok();
    loops.wait().unwrap();
    get(started.port, "/");
    assert_eq!(home.app("app").restarts(), 0, "{}", home.daemon_log());
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn a_worker_with_an_open_inspector_is_not_hung() {
    let home = Home::new();
    let started = start(&home, &[]);
    signal(started.pids[0], Signal::USR1);
    // Told with the next answer.
    let opened = || {
        let log = home.rota(&["logs", "app", "--lines", "50"]);
        log.out.contains("Debugger listening").then_some(())
    };
    eventually("the inspector is open", opened);
    get(started.port, "/");
    let answer = get(
        started.port,
        &format!("/block?ms={}", 3 * LIMIT.as_millis()),
    );
    assert_eq!(answer.pid(), started.pids[0]);
    assert_eq!(get(started.port, "/").pid(), started.pids[0]);
    assert_eq!(home.app("app").restarts(), 0, "{}", home.daemon_log());
}

#[test]
fn a_fork_mode_worker_that_hangs_is_replaced_when_it_is_gone() {
    let home = Home::new();
    let port = crate::support::free_port();
    let number = format!("PORT={}", port.number);
    let mut flags = QUICK.to_vec();
    flags.extend(["--fork", "--env", &number]);
    home.start("hang.js", &flags);
    until_watched(&home);
    let begin = eventually("it listens", || try_get(port.number, "/").ok());
    let mut connection = Connection::open(port.number).unwrap();
    connection.send("/spin").unwrap();
    until_replaced(&home, begin.pid(), 1);
    eventually("the new one listens", || {
        try_get(port.number, "/")
            .ok()
            .filter(|answer| answer.pid() != begin.pid())
    });
    home.rota(&["describe", "app"]).ok().says("spinForever");
}

/// Six misses after the timeout: longer than any supervisor lives here.
#[test]
fn a_hang_is_found_although_every_supervisor_dies_before_the_limit() {
    let home = Home::new();
    let started = start_patient(&home, "7");
    // It waits, so that a machine with much else to do does not slow its limit down.
    let (_poisoned, pid) = poison(&started, "/wait");
    let mut deaths = 0;
    while home.app("app").pids().contains(&pid) {
        assert!(deaths < 30, "{deaths} supervisors did not find it");
        // As long as a supervisor may live: a third of the limit.
        std::thread::sleep(Duration::from_millis(1000));
        home.kill_supervisor();
        deaths += 1;
    }
    assert!(deaths > 1, "one supervisor found it before it died");
    until_replaced(&home, pid, 2);
    let failure = home.app("app").0["last_failure"].clone();
    assert_eq!(failure["kind"], "hung");
}

#[test]
fn nobody_is_wronged_however_often_supervisors_die() {
    let home = Home::new();
    let started = start_patient(&home, "60");
    // Out of the rotation when its supervisor dies, and back by the word of the next one.
    let (mut blocked, pid) = poison(&started, "/block?ms=8000");
    eventually("its first missed beat", || {
        home.daemon_log().contains("does not answer").then_some(())
    });
    home.kill_supervisor();
    blocked.receive().unwrap();
    let served = |connection: &mut Connection| connection.get("/").map(|answer| answer.pid());
    eventually("it gets connections again", || {
        let mut connection = Connection::open(started.port).ok()?;
        (served(&mut connection).ok()? == pid).then_some(())
    });
    for _ in 0..4 {
        home.kill_supervisor();
    }
    let app = home.app("app");
    assert_eq!((app.restarts(), app.pids()), (0, started.pids));
}
