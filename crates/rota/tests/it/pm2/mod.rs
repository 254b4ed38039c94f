//! rota under the name of PM2: what was written for PM2 works, through a symlink.

mod codes;
mod environment;
mod files;
mod input;
mod rotation;
mod runtime;
mod saving;
mod scripts;
mod shape;
mod stopping;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Home, Output, run};

/// A server that says what it is, on whatever port there is.
const SERVER: &str = "require('http').createServer((q, r) => r.end(JSON.stringify({ pid: process.pid, env: process.env })))\
    .listen(process.env.PORT || 0)\n";
/// A program that runs, and serves nobody.
const IDLE: &str = "setInterval(() => {}, 1000)\n";

/// A program of PM2's name that is rota.
fn linked(home: &Home, name: &str) -> PathBuf {
    let link = home.path().join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_rota"), &link).unwrap();
    }
    link
}

/// The command `pm2`, to be run.
fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = home.program(linked(home, "pm2"));
    command.args(args).env_remove("PM2_HOME");
    command
}

/// Runs `pm2` to its end.
#[track_caller]
fn pm2(home: &Home, args: &[&str]) -> Output {
    run(&mut command(home, args))
}

/// The objects of `pm2 jlist`.
#[track_caller]
fn jlist(home: &Home) -> Vec<Value> {
    let output = pm2(home, &["jlist"]).ok();
    match output.json() {
        Value::Array(objects) => objects,
        other => panic!("no list: {other}"),
    }
}

/// The objects of one app.
#[track_caller]
fn objects(home: &Home, name: &str) -> Vec<Value> {
    let mut objects = jlist(home);
    objects.retain(|object| object["name"] == name);
    objects
}

/// A variable in the environment of a process.
fn variable(pid: &Value, name: &str) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let prefix = format!("{name}=");
    let found = environ
        .split(|byte| *byte == 0)
        .find_map(|part| part.strip_prefix(prefix.as_bytes()))?;
    Some(String::from_utf8(found.to_vec()).unwrap())
}
