//! The files in which all that stands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Home, eventually};

#[test]
fn they_are_for_their_owner_and_say_what_runs() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2", "--env", "SECRET=hush"]);
    let path = |name: &str| home.rota_home().join(name);
    let text = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    for name in ["apps.json", "workers.json"] {
        let mode = path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    eventually("the workers stand there", || {
        let text = text("workers.json");
        let known = |pid: &u32| text.contains(&format!("\"pid\":{pid},"));
        started.pids.iter().all(known).then_some(())
    });
    assert!(
        text("apps.json").contains("hush"),
        "it is needed to start it"
    );
    assert!(!text("workers.json").contains("hush"));
    home.rota(&["stop", "app"]).ok();
    eventually("nobody stands there", || {
        text("workers.json")
            .contains("\"workers\":[]")
            .then_some(())
    });
    home.rota(&["kill"]).ok();
    assert!(!path("workers.json").exists(), "no process is left");
    assert!(text("apps.json").contains("hush"), "it may be wanted again");
    home.rota(&["resurrect"]).ok();
    home.rota(&["delete", "app"]).ok();
    home.rota(&["kill"]).ok();
    assert!(!path("apps.json").exists(), "nothing is to be remembered");
}

#[test]
fn broken_ones_are_told_of_and_replaced() {
    let home = Home::new();
    home.start("http.js", &[]);
    home.lose_daemon();
    eventually("they have ended", || {
        home.processes().is_empty().then_some(())
    });
    for name in ["apps.json", "workers.json"] {
        fs::write(home.rota_home().join(name), "{\"version\":").unwrap();
    }
    home.start("http.js", &[]);
    let log = home.daemon_log();
    assert!(
        log.contains("workers.json of a daemon before is not used"),
        "{log}"
    );
    eventually("it is whole again", || {
        let text = fs::read_to_string(home.rota_home().join("workers.json")).ok()?;
        text.ends_with('}').then_some(())
    });
}
