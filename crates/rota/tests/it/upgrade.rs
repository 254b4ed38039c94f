//! `rota upgrade`: the daemon becomes another binary, and nobody notices.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::{Connection, Home, get, heavy, load_on};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Another version of rota: the binary that `ROTA_OTHER` names, or this one with another number in it.
fn other(home: &Home) -> (PathBuf, String) {
    if let Some(path) = std::env::var_os("ROTA_OTHER") {
        let output = Command::new(&path).arg("--version").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let number = text.trim().rsplit(' ').next().unwrap().to_owned();
        return (path.into(), number);
    }
    patched(home)
}

/// This binary with another number in it.
fn patched(home: &Home) -> (PathBuf, String) {
    let mut number = VERSION.to_owned();
    let last = if number.ends_with('9') { '8' } else { '9' };
    number.pop();
    number.push(last);
    let mut binary = fs::read(env!("CARGO_BIN_EXE_rota")).unwrap();
    let (from, to) = (VERSION.as_bytes(), number.as_bytes());
    let mut at = 0;
    while let Some(found) = binary[at..].windows(from.len()).position(|w| w == from) {
        binary[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    let path = home.path().join("other-rota");
    fs::write(&path, binary).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (path, number)
}

fn script(home: &Home, name: &str, text: &str) -> String {
    let path = home.write(name, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[track_caller]
fn versions_are(home: &Home, version: &str) {
    let daemon = home.rota(&["version", "--json"]).ok().json()["daemon"].clone();
    assert_eq!(daemon["version"], version);
    assert_eq!(daemon["keeper_version"], version);
}

#[test]
fn there_and_back_under_load() {
    let home = Home::new();
    let (other, number) = other(&home);
    let other = other.display().to_string();
    let _alone = heavy();
    let started = home.start("http.js", &["-i", "3"]);
    let mut kept = Connection::open(started.port).unwrap();
    let pid = kept.get("/").unwrap().pid();
    let (keeper, _) = home.daemon_pids();
    let load = load_on(started.port)
        .keep_alive(20)
        .one_shot(10)
        .start()
        .unwrap();
    for _ in 0..3 {
        for (arguments, version) in [
            (vec!["upgrade", &other], &*number),
            (vec!["upgrade"], VERSION),
        ] {
            let before = load.answered();
            assert!(load.until_answered_blocking(before + 200, Duration::from_secs(60)));
            home.rota(&arguments).ok().says("upgraded from");
            versions_are(&home, version);
        }
    }
    let before = load.answered();
    assert!(load.until_answered_blocking(before + 200, Duration::from_secs(60)));
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
    let app = home.app("app");
    assert_eq!((app.pids(), app.restarts()), (started.pids.clone(), 0));
    assert_eq!(home.daemon_pids().0, keeper);
    assert_eq!(kept.get("/").unwrap().pid(), pid);
    home.rota(&["reload", "app"]).ok();
}

#[test]
fn what_will_not_do_changes_nothing() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let before = home.daemon_pids();
    let ends = script(&home, "ends", "echo 'cannot run here' >&2; exit 1");
    let hangs = script(&home, "hangs", "exec sleep 1000");
    for (program, why) in [
        (ends.as_str(), "cannot run here"),
        (hangs.as_str(), "within 5s"),
        ("/bin/true", "is it rota?"),
    ] {
        home.rota(&["upgrade", program])
            .fails(1)
            .says(why)
            .says("goes on as it was");
    }
    home.rota(&["upgrade", "/nowhere/rota"])
        .fails(2)
        .says("/nowhere/rota");
    assert_eq!(home.daemon_pids(), before);
    assert_eq!(home.app("app").pids(), started.pids);
    get(started.port, "/");
}

#[test]
fn one_whose_supervisor_does_not_come_up_is_left_again() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let (keeper, _) = home.daemon_pids();
    // It takes the keeper's state over like any other, and then becomes a supervisor that ends at once.
    let real = env!("CARGO_BIN_EXE_rota");
    let (other, _) = patched(&home);
    let mut binary = fs::read(&other).unwrap();
    let (verb, broken) = (b"__supervisor", b"__supervisoX");
    let count = binary.windows(verb.len()).filter(|w| w == verb).count();
    assert!(count > 0);
    let mut at = 0;
    while let Some(found) = binary[at..].windows(verb.len()).position(|w| w == verb) {
        binary[at + found..at + found + verb.len()].copy_from_slice(broken);
        at += found + verb.len();
    }
    fs::write(&other, binary).unwrap();
    let program = other.display().to_string();
    home.rota(&["upgrade", &program]).fails(1).says("3 times");
    assert_eq!(home.daemon_pids().0, keeper);
    versions_are(&home, VERSION);
    assert_eq!(home.app("app").pids(), started.pids);
    assert!(fs::metadata(real).is_ok());
    home.rota(&["reload", "app"]).ok();
}
