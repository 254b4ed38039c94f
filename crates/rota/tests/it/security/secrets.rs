//! The environment: shown by `rota env` alone, and made of nothing but what the app was given.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Home, app_path, run};

const MARK: &str = "marker-4711-of-a-secret";

#[test]
fn secrets_are_shown_only_when_asked_for() {
    let home = Home::new();
    let token = format!("API_TOKEN={MARK}");
    let url = format!("DATABASE_URL=postgres://user:{MARK}@db/x");
    home.start(
        "http.js",
        &["--env", &token, "--env", &url, "--env", "COLOUR=green"],
    );
    let plain = home.rota(&["env", "app"]).ok();
    assert!(!plain.out.contains(MARK), "{plain}");
    let plain = plain.says("COLOUR=green").says("NODE_APP_INSTANCE=0");
    plain.says(&format!("API_TOKEN=(hidden, {} characters)", MARK.len()));
    let json = home.rota(&["env", "app:0", "--json"]).ok().json();
    let variables = json["variables"].as_array().unwrap();
    let find = |name: &str| variables.iter().find(|v| v["name"] == name).unwrap();
    assert_eq!(find("DATABASE_URL")["value"], Value::Null);
    assert_eq!(find("API_TOKEN")["length"], MARK.len());
    assert_eq!(find("COLOUR")["value"], "green");

    let open = home.rota(&["env", "app", "--reveal"]).ok();
    open.says(&token).says(&url);
    home.rota(&["env", "all"]).ok();
    home.rota(&["env", "app:9"]).fails(4);
    home.rota(&["env", "nothing"]).fails(4);
    let script = app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--name", "other", "--observe", "0"])
        .ok();
    home.rota(&["env", "all"]).fails(2).says("several apps");
}

#[test]
fn nothing_else_shows_the_environment() {
    let home = Home::new();
    let token = format!("API_TOKEN={MARK}");
    home.start("http.js", &["--env", &token]);
    let again = format!("COLOUR={MARK}");
    let mut seen = Vec::new();
    for line in [
        "list",
        "list --json",
        "describe app",
        "describe app --json",
        "version --json",
        "ping --json",
        "reload app --json",
        "restart app",
        "scale app 2",
        "scale app 1 --json",
        "stack app --json",
        "signal SIGWINCH app",
        "logs app",
        "start http.js --name app",
        "stop app",
        "list --json",
        "start app --json",
        "reload nothing",
        "env app",
        "reload app --interpreter /nowhere/node",
    ] {
        let args: Vec<_> = line.split(' ').collect();
        seen.push((line, home.rota(&args)));
    }
    let crash = home.copy("crash-start.js");
    let flags = ["--name", "crash", "--env", &token, "--max-restarts", "0"];
    seen.push((
        "a crash",
        home.rota(&[&["start", &crash], &flags[..]].concat()),
    ));
    seen.push((
        "describe crash",
        home.rota(&["describe", "crash", "--json"]),
    ));
    seen.push((
        "reload with it",
        home.rota(&["reload", "app", "--env", &again]),
    ));
    for (line, output) in &seen {
        let all = format!("{}{}", output.out, output.err);
        assert!(!all.contains(MARK), "rota {line}:\n{output}");
    }
    let mut folders = vec![home.rota_home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "apps.json") {
                // The next daemon starts the apps from it, with their environments.
                let mode = path.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o7777, 0o600);
            } else if kind.is_file() {
                let text = fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&text);
                assert!(!text.contains(MARK), "{} has it", path.display());
            }
        }
    }
    let (keeper, supervisor) = home.daemon_pids();
    for pid in [keeper, supervisor] {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(MARK));
    }
}

#[test]
fn the_daemons_environment_is_not_the_apps() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    let mut first = home.command(&["start", &script, "--name", "first", "--observe", "0"]);
    run(first.env("OF_THE_FIRST_SHELL", MARK)).ok();
    let mut second = home.command(&["start", &script, "--name", "app", "--observe", "0"]);
    run(&mut second).ok();
    let names = |pid: u32| -> BTreeSet<String> {
        let environ = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        let pairs = environ.split('\0').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split('=').next().unwrap().to_owned())
            .collect()
    };
    let (keeper, _) = home.daemon_pids();
    assert!(
        names(keeper).contains("OF_THE_FIRST_SHELL"),
        "the test tests"
    );
    let pid = home.app("app").pids()[0];
    let mut expected: BTreeSet<String> = second_shell(&home);
    // What docs/security.md lists.
    for name in [
        "NODE_APP_INSTANCE",
        "NODE_CHANNEL_FD",
        "NODE_CHANNEL_SERIALIZATION_MODE",
        "NODE_OPTIONS",
        "NODE_UNIQUE_ID",
        "ROTA_AGENT",
        "ROTA_WORKER",
    ] {
        expected.insert(name.to_owned());
    }
    assert_eq!(names(pid), expected);
}

/// The variables that the command line of the second start had.
fn second_shell(home: &Home) -> BTreeSet<String> {
    let output = run(&mut home.program("/usr/bin/env")).ok();
    let names = output.out.lines().filter_map(|line| line.split_once('='));
    names
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with("ROTA_"))
        .collect()
}
