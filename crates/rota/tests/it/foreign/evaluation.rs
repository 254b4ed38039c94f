//! Ecosystem files that are programs, and what they do besides saying what is to run.

use super::{SERVER, put};
use crate::support::{Home, Output};

fn check(text: &str) -> Output {
    check_as("ecosystem.config.js", text)
}

fn check_as(name: &str, text: &str) -> Output {
    let home = Home::new();
    put(&home, "server.js", SERVER);
    put(&home, name, text);
    home.rota(&["check"])
}

#[test]
fn what_cannot_be_evaluated() {
    for (text, says) in [
        (
            "throw new Error('no database')",
            "cannot be evaluated: no database",
        ),
        ("module.exports = {\n  apps: [\n", "SyntaxError"),
        ("throw undefined", "cannot be evaluated: undefined"),
        ("require('./not-there')", "Cannot find module './not-there'"),
        (
            "process.exit(0)",
            "ended Node (process.exit) before it said",
        ),
        ("console.error('bad day'); process.exit(3)", "bad day"),
        ("process.kill(process.pid, 'SIGKILL')", "SIGKILL"),
        (
            "module.exports = () => ({ apps: [] })",
            "it exports a function",
        ),
        (
            "const a = {}; a.a = a; module.exports = { apps: [a] }",
            "apps[0].a contains itself",
        ),
        (
            "module.exports = { script: 'server.js', args: ['x'.repeat(2e6)] }",
            "more than 1 MiB",
        ),
        (
            "require('node:child_process').spawn('sleep', ['0.5'], { stdio: 'inherit' }); process.exit(4)",
            "exit status: 4",
        ),
    ] {
        check(text).fails(2).says(says);
    }
    check_as("ecosystem.config.cjs", "import fs from 'node:fs'")
        .fails(2)
        .says("call it .mjs");
}

#[test]
fn an_endless_one_is_given_up() {
    check("console.log('thinking'); while (true) {}")
        .fails(2)
        .says("within 10 s")
        .says("thinking");
}

#[test]
fn what_it_prints_is_not_what_it_says() {
    let app = "module.exports = { script: 'server.js' }";
    for text in [
        format!("console.log('{{\"value\":{{}}}}'); {app}"),
        format!("console.log = process.stdout.write = process.exit = () => {{ throw 1 }}; {app}"),
        format!("JSON.stringify = () => 'x'; require('fs').writeSync = () => 0; {app}"),
        format!("setInterval(() => {{}}, 1000); {app}"),
        format!("process.on('exit', () => console.log('x')); {app}"),
        "module.exports = Promise.resolve([{ script: 'server.js' }])".to_owned(),
    ] {
        check(&text).ok().says("apps: server");
    }
    let text = format!("for (let i = 0; i < 100000; i++) console.log('x'.repeat(100)); {app}");
    let output = check(&text).ok().says("lines more");
    assert!(output.err.len() < 10_000, "{}", output.err.len());
}

#[test]
fn modules_of_every_sort() {
    check_as("ecosystem.config.mjs", "import path from 'node:path'; export default { apps: [{ script: path.join('.', 'server.js') }] }")
        .ok()
        .says("apps: server");
    check_as(
        "ecosystem.config.mjs",
        "export const apps = [{ script: 'server.js' }]",
    )
    .ok()
    .says("apps: server");
    let output = check("module.exports = { apps: [{ script: 'server.js', watch: true, ignore_watch: [/\\.git/, /a\\d/], error_file() {} }] }").ok();
    output
        .says("functions are left out: apps[0].error_file")
        .says("the regular expression /a\\d/ is left out");
}

#[test]
fn without_node_there_is_a_hint() {
    let home = Home::new();
    put(&home, "ecosystem.config.js", "");
    let output = crate::support::run(home.command(&["check"]).env("PATH", home.path()));
    output.fails(5).says("install Node");
}
