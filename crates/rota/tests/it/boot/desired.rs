//! Which apps come back, and which do not.

use rustix::process::Signal;

use crate::support::{Home, app_path, get};

fn script(name: &str) -> String {
    app_path(name).display().to_string()
}

/// Two apps: `app` runs with two workers and a variable, `rest` was stopped.
fn two(home: &Home) {
    home.start("http.js", &["-i", "1", "--env", "COLOUR=green"]);
    home.rota(&["scale", "app", "2"]).ok();
    let rest = script("http.js");
    home.rota(&["start", &rest, "--name", "rest", "--observe", "0"])
        .ok();
    home.rota(&["stop", "rest"]).ok();
    home.until_written("the apps", |file| {
        let apps = file["apps"].as_array().unwrap();
        let wanted = |app: &serde_json::Value| {
            let slots = app["slots"].as_array().unwrap();
            slots.iter().filter(|slot| slot["wanted"] == true).count()
        };
        apps.iter().map(wanted).collect::<Vec<_>>() == [2, 0]
    });
}

#[track_caller]
fn as_before(home: &Home) {
    home.until_back(2);
    let app = home.app("app");
    let env = get(app.port().unwrap(), "/env").json();
    assert_eq!(env["COLOUR"], "green");
    assert_eq!(home.app("rest").status(), "stopped");
    assert_eq!(home.apps().len(), 2);
}

#[test]
fn after_a_loss_of_power_a_daemon_brings_back_what_ran() {
    let home = Home::new();
    two(&home);
    home.lose_power();
    let mut daemon = home.daemon();
    as_before(&home);
    // Not a second time, by nobody.
    let pids = home.app("app").pids();
    let again = home.rota(&["resurrect"]).ok();
    assert!(
        again.out.contains("nothing is to be brought back"),
        "{again}"
    );
    let twice = home.rota(&["daemon"]);
    assert_eq!(twice.code, 6, "{twice}");
    assert_eq!(home.app("app").pids(), pids);
    home.rota(&["kill"]).ok();
    assert_eq!(daemon.wait(), 0);
}

#[test]
fn the_end_of_the_machine_is_no_wish_to_stop_anything() {
    let home = Home::new();
    two(&home);
    let (keeper, _) = home.daemon_pids();
    crate::support::signal(keeper, Signal::TERM);
    crate::support::eventually("the daemon has ended", || {
        home.processes().is_empty().then_some(())
    });
    for _ in 0..2 {
        let mut daemon = home.daemon();
        as_before(&home);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait(), 0);
    }
}

#[test]
fn the_last_word_before_the_end_counts() {
    let home = Home::new();
    two(&home);
    home.rota(&["stop", "app", "--no-wait"]).ok();
    home.rota(&["start", "rest", "--no-wait"]).ok();
    home.rota(&["kill"]).ok();
    home.rota(&["resurrect"]).ok();
    assert_eq!(home.app("app").status(), "stopped");
    assert_eq!(home.app("rest").online(), 1);
}

#[test]
fn after_kill_they_are_known_and_wait_to_be_asked_for() {
    let home = Home::new();
    two(&home);
    home.rota(&["kill"]).ok();
    let list = home.rota(&["list"]);
    assert_eq!(list.code, 3);
    assert!(list.err.contains("`rota resurrect` starts"), "{list}");
    assert!(list.err.contains(": app"), "{list}");
    // Another app is no reason to start them.
    let other = script("http.js");
    home.rota(&["start", &other, "--name", "other"]).ok();
    assert_eq!(home.app("app").status(), "stopped");
    assert_eq!(home.apps().len(), 3);
    // Whatever happens to the daemon meanwhile.
    let (_, supervisor) = home.daemon_pids();
    crate::support::signal(supervisor, Signal::KILL);
    crate::support::another_supervisor(&home, supervisor);
    home.rota(&["kill"]).ok();
    let said = home.rota(&["resurrect"]).ok();
    assert!(
        said.out.contains("app:") && said.out.contains("other:"),
        "{said}"
    );
    assert!(!said.out.contains("rest"), "{said}");
    home.until_back(2);
    assert_eq!(home.app("other").online(), 1);
    assert_eq!(home.app("rest").status(), "stopped");
}

#[test]
fn what_somebody_has_said_since_counts() {
    let home = Home::new();
    two(&home);
    home.rota(&["kill"]).ok();
    let other = script("http.js");
    home.rota(&["start", &other, "--name", "other"]).ok();
    home.rota(&["stop", "app"]).ok();
    home.rota(&["delete", "rest"]).ok();
    let said = home.rota(&["resurrect"]).ok();
    assert!(said.out.contains("nothing is to be brought back"), "{said}");
    home.rota(&["kill"]).ok();
    home.rota(&["resurrect"]).ok();
    assert_eq!(home.app("app").status(), "stopped");
    assert_eq!(home.app("other").online(), 1);
    assert!(home.find("rest").is_none());
}

#[test]
fn single_workers_that_were_stopped_stay_stopped() {
    let home = Home::new();
    home.start("http.js", &["-i", "3"]);
    home.rota(&["stop", "app:1"]).ok();
    home.rota(&["kill"]).ok();
    home.rota(&["resurrect"]).ok();
    let app = home.app("app");
    let stopped: Vec<bool> = app
        .workers()
        .iter()
        .map(|worker| worker.status() == "stopped")
        .collect();
    assert_eq!(stopped, [false, true, false]);
}

#[test]
fn an_app_with_sockets_of_ours_has_them_again() {
    let home = Home::new();
    let port = crate::support::free_port();
    let address = format!("127.0.0.1:{port}");
    home.start("activated.py", &["--listen", &address]);
    home.rota(&["kill"]).ok();
    // Known, but not started: by name as well as by `resurrect`.
    let other = script("http.js");
    home.rota(&["start", &other, "--name", "other"]).ok();
    home.rota(&["start", "app"]).ok();
    assert_eq!(get(port.number, "/").status, 200);
    home.rota(&["kill"]).ok();
    home.rota(&["resurrect"]).ok();
    assert_eq!(get(port.number, "/").status, 200);
}

#[test]
fn an_interpreter_that_has_gone_is_looked_for_again() {
    let home = Home::new();
    let node = |folder: &str| {
        let bin = home.path().join(folder);
        std::fs::create_dir_all(&bin).unwrap();
        let real = crate::support::node_bin("20");
        std::os::unix::fs::symlink(real, bin.join("node")).unwrap();
        bin
    };
    let (old, new) = (node("old"), node("new"));
    let path = format!("PATH={}:{}", old.display(), new.display());
    home.start("http.js", &["--env", &path]);
    home.rota(&["kill"]).ok();
    std::fs::remove_dir_all(&old).unwrap();
    home.rota(&["resurrect"]).ok();
    home.until_back(1);
    home.rota(&["kill"]).ok();
    std::fs::remove_dir_all(&new).unwrap();
    let said = home.rota(&["resurrect"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("node"), "{said}");
    assert_eq!(home.app("app").status(), "stopped");
}

#[test]
fn apps_of_run_go_with_it_and_others_stay_remembered() {
    let home = Home::new();
    home.start("http.js", &[]);
    home.rota(&["kill"]).ok();
    // The same name on the command line, for once.
    let once = script("http.js");
    let mut run = home.run(&[&once, "--name", "app", "--env", "COLOUR=red"]);
    let app = home.until_run_online();
    assert_eq!(get(app.port().unwrap(), "/env").json()["COLOUR"], "red");
    assert_eq!(home.apps().len(), 1);
    run.signal(Signal::TERM);
    assert_eq!(run.wait(), 0);
    home.rota(&["resurrect"]).ok();
    let app = home.app("app");
    assert_eq!(app.online(), 1);
    let env = get(app.port().unwrap(), "/env").json();
    assert!(env.get("COLOUR").is_none(), "{env}");
}

#[test]
fn a_copied_home_is_anothers() {
    let (home, copy) = (Home::new(), Home::new());
    home.start("http.js", &[]);
    home.rota(&["kill"]).ok();
    std::fs::create_dir(copy.rota_home()).unwrap();
    let name = "apps.json";
    std::fs::copy(home.rota_home().join(name), copy.rota_home().join(name)).unwrap();
    let said = copy.rota(&["resurrect"]).ok();
    assert!(said.out.contains("nothing is to be brought back"), "{said}");
    assert!(copy.daemon_log().contains("it was written for"));
}

#[test]
fn what_others_depend_on_comes_back_first() {
    let home = Home::new();
    let script = script("http.js");
    home.rota(&["start", &script, "--name", "store"]).ok();
    home.rota(&["start", &script, "--name", "api", "--depends-on", "store"])
        .ok();
    home.rota(&["kill"]).ok();
    let before = home.daemon_log().len();
    home.rota(&["resurrect"]).ok();
    let log = home.daemon_log().split_off(before);
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(
        at("store: worker 0 is ready") < at("api: starting worker 0"),
        "{log}"
    );
}
