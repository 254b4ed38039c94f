//! PM2's exit codes: 0 and 1, as they were seen of PM2 itself.

use crate::support::Home;

use super::{IDLE, pm2};

#[test]
fn a_table_of_exit_codes() {
    let home = Home::new();
    home.write("app.js", IDLE);
    let table: &[(i32, &[&str])] = &[
        // Without a daemon, and without an app.
        (1, &[]),
        (1, &["nonsense"]),
        (0, &["-v"]),
        (0, &["--version"]),
        (0, &["--help"]),
        (0, &["jlist"]),
        (0, &["list"]),
        (0, &["ping"]),
        (1, &["restart", "all"]),
        (1, &["delete", "all"]),
        (1, &["stop", "nobody"]),
        (0, &["pid", "nobody"]),
        (0, &["id", "nobody"]),
        (0, &["save"]),
        (0, &["resurrect"]),
        (0, &["flush", "nobody"]),
        (0, &["logs", "nobody", "--nostream"]),
        (1, &["start", "nosuch.js"]),
        (1, &["start", "nosuch.config.js"]),
        (1, &["startOrRestart", "nosuch.json"]),
        (1, &["start", "app.js", "--bogus"]),
        (1, &["stop"]),
        (1, &["start"]),
        // With one.
        (0, &["start", "app.js"]),
        (1, &["start", "app.js"]),
        (0, &["start", "app.js", "-f"]),
        (0, &["start", "app"]),
        (0, &["restart", "0"]),
        (0, &["restart", "/^ap/"]),
        (0, &["restart", "default"]),
        (0, &["restart", "./app.js"]),
        (1, &["restart", "/^zz/"]),
        (1, &["restart", "/(/"]),
        (1, &["reload", "nobody"]),
        (0, &["describe", "app"]),
        (1, &["describe", "nobody"]),
        (0, &["env", "0"]),
        (1, &["env", "99"]),
        (1, &["scale", "nobody", "2"]),
        (1, &["scale", "app", "0"]),
        (0, &["reset", "app"]),
        (1, &["reset", "nobody"]),
        (0, &["sendSignal", "SIGWINCH", "app"]),
        (1, &["sendSignal", "SIGWINCH", "nobody"]),
        (1, &["sendSignal", "SIGNONSENSE", "app"]),
        (0, &["pid", "app"]),
        (0, &["pid"]),
        (0, &["id", "app"]),
        (0, &["ls", "-m"]),
        (0, &["ls", "--sort", "name:desc"]),
        (0, &["prettylist"]),
        (0, &["logs", "app", "--nostream", "--lines", "3"]),
        (0, &["flush"]),
        (0, &["reloadLogs"]),
        (0, &["report"]),
        (0, &["slist"]),
        (0, &["completion"]),
        (0, &["set", "a:b", "c"]),
        (0, &["get", "a:b"]),
        (0, &["conf"]),
        (0, &["unset", "a:b"]),
        (1, &["get", "a:b"]),
        (0, &["multiset", "a 1 b 2"]),
        (1, &["multiset", "a 1 b"]),
        (0, &["install", "pm2-logrotate"]),
        (1, &["install", "pm2-server-monit"]),
        (1, &["trigger", "app", "action"]),
        (0, &["send", "0", "x"]),
        (1, &["send", "0"]),
        (1, &["send", "99", "x"]),
        (1, &["attach", "99"]),
        (1, &["link", "a", "b"]),
        (1, &["login"]),
        (1, &["deploy", "production"]),
        (1, &["publish"]),
        (0, &["init"]),
        (1, &["init"]),
        (0, &["stop", "app"]),
        (0, &["stop", "app"]),
        (0, &["restart", "app"]),
        (0, &["cleardump"]),
        (0, &["delete", "0"]),
        (1, &["delete", "0"]),
        (0, &["kill"]),
    ];
    for (code, args) in table {
        let output = pm2(&home, args);
        assert_eq!(output.code, *code, "pm2 {}:\n{output}", args.join(" "));
    }
}

#[test]
fn what_is_not_here_says_so() {
    let home = Home::new();
    for verb in [
        "link",
        "plus",
        "login",
        "monitor",
        "publish",
        "deploy",
        "profile:cpu",
        "trigger",
    ] {
        pm2(&home, &[verb]).fails(1).says("not part of rota");
    }
    assert!(home.processes().is_empty(), "no daemon is started for that");
}

#[test]
fn flags_without_a_meaning_are_taken() {
    let home = Home::new();
    home.write("app.js", IDLE);
    let args = [
        "start",
        "app.js",
        "--no-pmx",
        "--no-automation",
        "--no-vizion",
        "--trace",
        "--v8",
        "--deep-monitoring",
        "--event-loop-inspector",
        "--no-treekill",
        "--disable-source-map-support",
        "-s",
    ];
    let output = pm2(&home, &args).ok();
    assert_eq!(
        (output.out.as_str(), output.err.as_str()),
        ("", ""),
        "-s: nothing is said"
    );
    // `rota pm2` is the same program.
    home.rota(&["pm2", "restart", "all", "-s"]).ok();
    home.rota(&["pm2", "delete", "all", "--no-color"])
        .ok()
        .says("no apps");
}

#[test]
fn a_home_of_pm2_is_a_home_of_its_own() {
    let home = Home::new();
    home.write("app.js", IDLE);
    let there = home.path().join("p");
    let call = |args: &[&str]| {
        let mut command = super::command(&home, args);
        command.env_remove("ROTA_HOME").env("PM2_HOME", &there);
        crate::support::run(&mut command)
    };
    call(&["start", "app.js"]).ok();
    let object = call(&["jlist"]).ok().json()[0].clone();
    let pid = &object["pid"];
    assert_eq!(super::variable(pid, "PM2_HOME").as_deref(), there.to_str());
    let pid_file = object["pm2_env"]["pm_pid_path"]
        .as_str()
        .unwrap()
        .to_owned();
    crate::support::eventually("the pid file", || {
        let text = std::fs::read_to_string(&pid_file).ok()?;
        (text.parse().ok() == pid.as_u64()).then_some(())
    });
    call(&["save"]).ok();
    assert!(there.join("dump.pm2").is_file() && there.join("rota/rota.sock").exists());
    call(&["kill"]).ok();
    assert!(!home.rota_home().exists());
}
