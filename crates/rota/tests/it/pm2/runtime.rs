//! `pm2-runtime`: the foreground, and how it ends.

use rustix::process::Signal;

use crate::support::{Foreground, Home, eventually};

use super::{IDLE, SERVER, linked};

fn runtime(home: &Home, args: &[&str]) -> Foreground {
    let mut command = home.program(linked(home, "pm2-runtime"));
    command.args(args).env_remove("PM2_HOME");
    Foreground::start(&mut command)
}

#[test]
fn nothing_left_is_the_exit_code_2() {
    let home = Home::new();
    home.write("ends.js", "setTimeout(() => process.exit(1), 50)\n");
    let mut foreground = runtime(&home, &["start", "ends.js", "--no-autorestart"]);
    assert_eq!(foreground.wait(), 2);
}

#[test]
fn a_signal_is_the_exit_code_0() {
    for end in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        home.write("server.js", SERVER);
        let mut foreground = runtime(&home, &["server.js", "-i", "2", "--name", "app"]);
        home.until_run_online();
        foreground.signal(end);
        assert_eq!(foreground.wait(), 0);
    }
}

#[test]
fn a_file_with_a_profile_of_it() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let file = "module.exports = { apps: [{ name: 'app', script: 'idle.js', env_x: { STAGE: 'x' } }, { name: 'b', script: 'idle.js' }] }";
    home.write("ecosystem.config.js", file);
    let mut foreground = runtime(
        &home,
        &[
            "start",
            "ecosystem.config.js",
            "--env",
            "x",
            "--only",
            "app",
        ],
    );
    let app = home.until_run_online();
    let pid = app.pids()[0].into();
    assert_eq!(super::variable(&pid, "STAGE").as_deref(), Some("x"));
    assert!(home.find("b").is_none());
    foreground.signal(Signal::TERM);
    assert_eq!(foreground.wait(), 0);
}

#[test]
fn it_may_stay_when_nothing_is_left() {
    let home = Home::new();
    home.write("ends.js", "setTimeout(() => process.exit(1), 50)\n");
    let mut foreground = runtime(
        &home,
        &[
            "ends.js",
            "--no-autorestart",
            "--no-auto-exit",
            "--name",
            "app",
        ],
    );
    eventually("the app has ended, and the daemon answers", || {
        let app = home.find_quietly("app")?;
        matches!(app.status(), "stopped" | "errored").then_some(())
    });
    foreground.signal(Signal::TERM);
    assert_eq!(foreground.wait(), 0);
}
