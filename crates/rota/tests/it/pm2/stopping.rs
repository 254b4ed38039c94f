//! How apps are asked to stop: SIGINT, or a message.

use crate::support::{Home, eventually};

use super::{objects, pm2};

/// Writes down what it hears; ends at the message only if `ENDS` is set.
const LISTENER: &str = "const fs = require('fs')\n\
    const note = (word) => fs.appendFileSync(process.env.REPORT, JSON.stringify({ word }) + '\\n')\n\
    process.on('message', (message) => { note(message); if (message === 'shutdown' && process.env.ENDS) process.exit(0) })\n\
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { note(signal); process.exit(0) })\n\
    if (process.env.SERVES) require('http').createServer((q, r) => r.end()).listen(0)\n\
    setInterval(() => {}, 1000)\n\
    process.send('ready')\n";

fn words(home: &Home) -> Vec<String> {
    let words = home.report().into_iter();
    words
        .map(|line| line["word"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_stop_signal_is_that_of_pm2() {
    let home = Home::new();
    home.write("app.js", LISTENER);
    pm2(&home, &["start", "app.js", "--wait-ready"]).ok();
    pm2(&home, &["stop", "app"]).ok();
    assert_eq!(words(&home), ["SIGINT"]);
}

#[test]
fn a_message_comes_first_where_that_is_asked_for() {
    for mode in [&["--fork"][..], &["--env", "SERVES=1"]] {
        let home = Home::new();
        home.write("app.js", LISTENER);
        let mut flags = vec!["--stop-message", "--env", "ENDS=1", "--wait-ready"];
        flags.extend(mode);
        home.start_script("app.js", &flags);
        home.rota(&["stop", "app"]).ok();
        assert_eq!(words(&home), ["shutdown"], "{mode:?}");
    }
}

#[test]
fn who_does_not_hear_the_message_gets_the_signal() {
    let home = Home::new();
    home.write("app.js", LISTENER);
    pm2(
        &home,
        &[
            "start",
            "app.js",
            "--wait-ready",
            "--shutdown-with-message",
            "--kill-timeout",
            "300",
        ],
    )
    .ok();
    let pid = objects(&home, "app")[0]["pid"].clone();
    pm2(&home, &["restart", "app"]).ok();
    assert_eq!(words(&home), ["shutdown", "SIGINT"]);
    eventually("the old one is gone", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
    assert_ne!(objects(&home, "app")[0]["pid"], pid);
}
