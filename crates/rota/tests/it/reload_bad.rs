//! Rollouts of broken code: the service goes on with the old workers, and the command says why.

use std::time::Duration;

use rota_bench::load::ClientKind;

use crate::support::{Home, Output, get, load_on};

/// Clients that connect for every request.
const ONE_SHOT: usize = 2;

/// Deploys `broken` over a running server, reloads, and looks at everything that must have stayed. `served`:
/// the broken code serves before it breaks.
fn rollout(broken: &str, flags: &[&str], served: bool) -> (Home, Output) {
    let home = Home::new();
    let script = home.copy("http.js");
    let mut all = vec!["start", &script, "--name", "app", "-i", "2"];
    all.extend(flags);
    home.rota(&all).ok();
    let before = home.app("app");
    let port = before.port().unwrap();
    let load = load_on(port)
        .keep_alive(4)
        .one_shot(ONE_SHOT)
        .idle(4, 20..200)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(100, Duration::from_secs(60)));
    home.deploy("http.js", broken);
    let output = home.rota(&["reload", "app"]).fails(1);
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 100, Duration::from_secs(60)));
    let report = load.stop_blocking();
    // A new worker that crashes takes with it what is inside it: at most one request of each client that
    // connects anew, and nothing of those whose connections the old workers have.
    let lost_inside = if served { ONE_SHOT } else { 0 };
    assert!(report.failed() <= lost_inside as u64, "{report}");
    assert!(
        report
            .failures
            .iter()
            .all(|f| f.client == ClientKind::OneShot),
        "{report}"
    );
    let after = home.app("app");
    assert_eq!(after.pids(), before.pids(), "the old workers are untouched");
    assert_eq!((after.status(), after.online()), ("online", 2));
    (home, output)
}

/// Code that breaks before it serves.
fn rollout_of(broken: &str, flags: &[&str]) -> (Home, Output) {
    rollout(broken, flags, false)
}

#[test]
fn code_that_throws_at_start() {
    let (home, output) = rollout_of("crash-start.js", &["--observe", "0"]);
    let output = output.says("broken at start");
    assert!(
        output.err.to_lowercase().contains("exit code 1") || output.err.contains("code 1"),
        "{output}"
    );
    home.rota(&["describe", "app"]).ok().says("broken at start");
    // And once it is mended, all is well.
    let port = home.app("app").port().unwrap();
    let old = home.app("app").pids();
    home.deploy("http.js", "http.js");
    home.rota(&["reload", "app"]).ok();
    assert!(home.app("app").pids().iter().all(|pid| !old.contains(pid)));
    get(port, "/");
}

#[test]
fn code_that_never_listens() {
    let (_home, output) = rollout_of(
        "never-listens.js",
        &["--observe", "0", "--listen-timeout", "1500ms"],
    );
    output.says("ready");
}

#[test]
fn code_that_crashes_after_two_seconds() {
    let (_home, output) = rollout("crash-late.js", &[], true);
    output.says("broken after two seconds");
}

#[test]
fn code_that_exits_at_once_with_zero() {
    let (_home, output) = rollout_of("exit-code.js", &["--observe", "0"]);
    output.says("exit");
}

#[test]
fn a_script_that_has_vanished() {
    let home = Home::new();
    let script = home.copy("http.js");
    let started = home.start_script(&script, &["-i", "2"]);
    std::fs::remove_file(&script).unwrap();
    home.rota(&["reload", "app"]).says("http.js");
    assert_eq!(home.app("app").pids(), started.pids);
    get(started.port, "/");
}

#[test]
fn an_interpreter_that_does_not_exist() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let output = home
        .rota(&["reload", "app", "--interpreter", "/no/such/node"])
        .says("/no/such/node");
    assert_ne!(output.code, 0);
    assert_eq!(home.app("app").pids(), started.pids);
    // The refused change is not kept: a crash brings back what ran before.
    home.rota(&["reload", "app"]).ok();
    get(started.port, "/");
}

#[test]
fn a_late_failure_undoes_the_steps_that_went_well() {
    // The new code is fine in slots 0 and 1 and broken in slot 2: what was replaced is put back.
    let home = Home::new();
    let script = home.copy("http.js");
    home.write("version.txt", "1");
    let started = home.start_script(&script, &["-i", "3"]);
    home.write("version.txt", "2");
    let good = std::fs::read_to_string(&script).unwrap();
    home.write(
        "http.js",
        &format!(
            "if (process.env.NODE_APP_INSTANCE === '2') throw new Error('broken in slot 2')\n{good}"
        ),
    );
    let load = load_on(started.port).one_shot(6).start().unwrap();
    assert!(load.until_answered_blocking(100, Duration::from_secs(60)));
    home.rota(&["reload", "app"])
        .fails(1)
        .says("broken in slot 2");
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
    let app = home.until("calm", |app| app.online() == 3 && app.workers().len() == 3);
    assert_eq!(
        app.pids()[2],
        started.pids[2],
        "the last old worker was never touched"
    );
    let generations: std::collections::BTreeSet<u64> = app
        .workers()
        .iter()
        .map(|worker| worker.0["generation"].as_u64().unwrap())
        .collect();
    assert_eq!(
        generations.len(),
        1,
        "all of the old generation: {:#}",
        app.0
    );
}
