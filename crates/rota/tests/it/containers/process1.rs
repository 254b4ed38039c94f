//! As process 1 of a process namespace of its own.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Foreground, Home, app_path, eventually, get, run, signal};

/// `rota run` with these arguments in a new namespace; none where the system does not let this user make one.
fn alone(home: &Home, args: &[&str]) -> Option<Foreground> {
    let flags = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let allowed = run(Command::new("unshare").args(flags).arg("true"));
    if allowed.code != 0 {
        eprintln!("not tried: no namespaces here: {allowed}");
        return None;
    }
    let mut command = home.program("unshare");
    command
        .args(flags)
        .arg(env!("CARGO_BIN_EXE_rota"))
        .arg("run")
        .args(args);
    Some(Foreground::start(&mut command))
}

/// The number that process 1 has outside.
fn outside(unshare: u32) -> u32 {
    eventually("process 1", || {
        let path = format!("/proc/{unshare}/task/{unshare}/children");
        let children = fs::read_to_string(path).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

#[test]
fn it_reaps_what_others_have_left_and_ends_with_a_signal() {
    let home = Home::new();
    let script = home.write(
        "app.js",
        "const { spawn } = require('child_process'); const fs = require('fs')
        const orphan = () => spawn('sh', ['-c', 'sh -c \"sleep 0.1; exit 3\" & exit 0'], { detached: true, stdio: 'ignore' }).unref()
        const dead = () => fs.readdirSync('/proc').filter((n) => /^[0-9]+$/.test(n)).filter((n) => { try { return / Z /.test(fs.readFileSync('/proc/' + n + '/stat', 'latin1')) } catch { return false } }).length
        const all = () => fs.readdirSync('/proc').filter((n) => /^[0-9]+$/.test(n)).length
        require('http').createServer((q, s) => { if (q.url === '/orphans') for (let i = 0; i < 20; i++) orphan(); s.end(JSON.stringify({ pid: process.pid, first: fs.readFileSync('/proc/1/cmdline', 'latin1').split('\\0').slice(0, 2), dead: dead(), all: all() })) }).listen(0)",
    );
    let args = [script.as_str(), "--name", "app", "--grace", "10s"];
    let Some(mut run) = alone(&home, &args) else {
        return;
    };
    let port = home.until_run_online().port().unwrap();
    let before = get(port, "/").json();
    assert_eq!(before["first"][1], "__keeper", "{before}");
    assert_eq!(
        before["pid"].as_u64().map(|pid| pid < 100),
        Some(true),
        "{before}"
    );
    get(port, "/orphans");
    eventually("nobody is left", || {
        let now = get(port, "/").json();
        (now["dead"] == 0 && now["all"] == before["all"]).then_some(())
    });
    signal(outside(run.child.id()), Signal::TERM);
    assert_eq!(run.wait(), 0);
}

#[test]
fn its_exit_code_is_the_containers() {
    let home = Home::new();
    let script = app_path("exit-code.js").display().to_string();
    let args = [
        script.as_str(),
        "--name",
        "app",
        "--no-autorestart",
        "--exit-with-app",
        "--env",
        "CODE=42",
    ];
    if let Some(mut run) = alone(&home, &args) {
        assert_eq!(run.wait(), 42);
    }
}

#[test]
fn other_signals_are_its_own_too() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    let Some(mut run) = alone(&home, &[&script, "--name", "app"]) else {
        return;
    };
    let port = home.until_run_online().port().unwrap();
    let before = get(port, "/").pid();
    let first = outside(run.child.id());
    signal(first, Signal::HUP);
    eventually("a new worker serves", || {
        let port = home.app("app").port()?;
        (get(port, "/").pid() != before).then_some(())
    });
    signal(first, Signal::QUIT);
    assert_eq!(run.wait(), 0);
}
