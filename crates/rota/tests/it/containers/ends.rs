//! How long the end takes, and what the exit code is.

use rustix::process::Signal;

use crate::support::{Connection, Home, app_path, get};

fn script(name: &str) -> String {
    app_path(name).display().to_string()
}

#[test]
fn requests_are_finished_within_the_grace() {
    let home = Home::new();
    let mut run = home.run(&[&script("drain.js"), "--name", "app", "--grace", "20s"]);
    let port = home.until_run_online().port().unwrap();
    let mut slow = Connection::open(port).unwrap();
    slow.send("/wait").unwrap();
    home.until_reported("it runs", |entry| entry["what"] == "running");
    run.signal(Signal::TERM);
    run.until_says("draining");
    std::fs::write(home.path().join("go"), "").unwrap();
    assert_eq!(slow.receive().unwrap().status, 200);
    assert_eq!(run.wait(), 0);
}

#[test]
fn what_does_not_finish_gets_its_stop_signal_and_then_ends() {
    let home = Home::new();
    // Neither would end by itself within its own times.
    let handled = home.write(
        "handled.js",
        "const fs = require('fs')
        process.on('SIGTERM', () => { fs.appendFileSync(process.env.REPORT, JSON.stringify({ what: 'asked' }) + '\\n') })
        require('http').createServer((q, s) => { fs.appendFileSync(process.env.REPORT, JSON.stringify({ what: 'running' }) + '\\n') }).listen(0)",
    );
    let long = ["--drain-timeout", "10m", "--kill-timeout", "10m"];
    let mut args = vec![handled.as_str(), "--name", "app", "--grace", "3s"];
    args.extend(long);
    let mut run = home.run(&args);
    let port = home.until_run_online().port().unwrap();
    let mut slow = Connection::open(port).unwrap();
    slow.send("/").unwrap();
    home.until_reported("it runs", |entry| entry["what"] == "running");
    run.signal(Signal::TERM);
    // The time goes on with the next supervisor.
    run.until_says("stopping");
    let (_, supervisor) = home.daemon_pids();
    crate::support::signal(supervisor, Signal::KILL);
    assert_eq!(run.wait(), 0);
    home.until_reported("it was asked", |entry| entry["what"] == "asked");
    let said = run.rest().join("\n");
    assert!(
        said.contains("the time of --grace is over: 1 workers are killed"),
        "{said}"
    );
}

#[test]
fn the_code_is_the_apps() {
    let home = Home::new();
    let code = script("exit-code.js");
    for (flags, expected) in [
        (&["--exit-with-app"][..], 7),
        (&["--exit-code-from", "app"], 7),
        (&[], 1),
    ] {
        let mut args = vec![
            code.as_str(),
            "--name",
            "app",
            "--no-autorestart",
            "--env",
            "CODE=7",
        ];
        args.extend(flags);
        assert_eq!(home.run(&args).wait(), expected, "{flags:?}");
    }
    let args = [code.as_str(), "--no-autorestart", "--exit-with-app"];
    assert_eq!(home.run(&args).wait(), 0, "it ended well");
    // One that was killed, as a shell tells it; one that is given up.
    let killed = home.write("killed.js", "process.kill(process.pid, 'SIGKILL')");
    let args = [killed.as_str(), "--no-autorestart", "--exit-with-app"];
    assert_eq!(home.run(&args).wait(), 128 + 9);
    let args = [
        code.as_str(),
        "--max-restarts",
        "1",
        "--env",
        "CODE=9",
        "--exit-with-app",
    ];
    assert_eq!(home.run(&args).wait(), 9);
}

#[test]
fn one_of_several_takes_the_others_with_it() {
    let home = Home::new();
    let file = format!(
        "[apps.server]\nscript = \"{}\"\n[apps.tests]\nscript = \"{}\"\nautorestart = false\n",
        script("http.js"),
        home.write("tests.js", "process.exit(3)")
    );
    let file = home.write("two.toml", &file);
    let mut run = home.run(&[&file, "--exit-code-from", "tests"]);
    assert_eq!(run.wait(), 3);
    let said = run.rest().join("\n");
    assert!(said.contains("tests has ended: exiting with 3"), "{said}");
    let wrong = home.rota(&["run", &file, "--exit-code-from", "test"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("there are: server, tests"), "{wrong}");
}

#[test]
fn without_any_of_it_all_is_as_ever() {
    let home = Home::new();
    let mut run = home.run(&[&script("http.js"), "--name", "app"]);
    get(home.until_run_online().port().unwrap(), "/");
    run.signal(Signal::TERM);
    assert_eq!(run.wait(), 0);
}
