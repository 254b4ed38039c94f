//! `pm2 send` and `pm2 attach`.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::{Foreground, Home, app_path, eventually};

use super::{command, objects, pm2};

fn start(home: &Home, flags: &[&str]) -> u64 {
    let script = app_path("stdin.js").display().to_string();
    let name = flags[1].to_owned();
    pm2(home, &[&["start", script.as_str()], flags].concat()).ok();
    objects(home, &name)[0]["pid"].as_u64().unwrap()
}

#[track_caller]
fn said(home: &Home, text: &str) {
    eventually(text, || {
        let logs = pm2(home, &["logs", "--nostream", "--raw"]).ok();
        logs.out.contains(text).then_some(())
    });
}

#[test]
fn in_fork_mode_standard_input_is_a_pipe_and_in_cluster_mode_there_is_none() {
    let home = Home::new();
    let forked = start(&home, &["--name", "forked"]);
    start(&home, &["--name", "clustered", "-i", "1"]);
    pm2(&home, &["send", "0", "hello", "there"])
        .ok()
        .says("12 bytes to forked:0");
    said(&home, &format!("{forked} got hello there\n"));
    pm2(&home, &["send", "1", "x"]).fails(1).says("`stdin`");
    // Without anything to be typed it ends at once.
    let mut command = command(&home, &["attach", "0", "--raw"]);
    let mut attached = Foreground::with_input(&mut command, Stdio::piped());
    let mut typed = attached.child.stdin.take().unwrap();
    typed.write_all(b"typed\n").unwrap();
    attached.until_says(&format!("{forked} got typed"));
    drop(typed);
    assert_eq!(attached.wait(), 0);
}

#[test]
fn a_file_says_the_same_only_under_this_name() {
    let home = Home::new();
    let script = app_path("stdin.js").display().to_string();
    let file = home.write(
        "ecosystem.config.js",
        &format!("module.exports = {{ apps: [{{ name: 'app', script: '{script}' }}] }};"),
    );
    let mode = |expected: &str| assert_eq!(home.app("app").0["settings"]["stdin"], expected);
    home.rota(&["start", &file]).ok();
    mode("null");
    pm2(&home, &["send", "0", "x"]).fails(1).says("`stdin`");
    pm2(&home, &["startOrReload", &file]).ok();
    mode("pipe");
    pm2(&home, &["send", "0", "x"]).ok();
    said(&home, "got x\n");
}
