//! `rota stack`: where the JavaScript of workers is, whatever they do.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Connection, Home, Started, eventually, get, node_bin, signal, try_get};

/// Two workers that nobody takes for hung while they are looked at.
fn start(home: &Home, flags: &[&str]) -> Started {
    let fifo = home.path().join("fifo");
    let node = rustix::fs::CWD;
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(node, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let env = format!("FIFO={}", fifo.display());
    let patient = ["--heartbeat-interval", "1h", "--env", &env];
    let started = home.start("stuck.js", &[flags, &patient].concat());
    eventually("the agents are there", || {
        let views = stacks(home);
        views
            .iter()
            .all(|view| view["state"] == "idle")
            .then_some(())
    });
    started
}

fn stacks(home: &Home) -> Vec<Value> {
    let seen = home.rota(&["stack", "app", "--json"]).ok().json();
    seen["workers"].as_array().unwrap().clone()
}

/// Asks for something that no answer comes to; gives the connection, which keeps the request alive.
fn ask(port: u16, path: &str) -> Connection {
    let mut connection = Connection::open(port).unwrap();
    connection.send(path).unwrap();
    connection
}

/// What is seen of the one worker that is not idle, as soon as there is one.
fn stuck(home: &Home) -> Value {
    eventually("a worker is stuck", || {
        stacks(home)
            .into_iter()
            .find(|view| view["state"] != "idle")
    })
}

fn innermost(view: &Value) -> &str {
    view["stack"][0]
        .as_str()
        .unwrap_or_else(|| panic!("no stack in {view:#}"))
}

/// What can be seen is seen, on one version of Node.
fn sees(version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    let started = start(&home, &["-i", "1", "--interpreter", &node]);
    for (path, function) in [
        ("/spin", "spinForever ("),
        ("/regex", "evilExpression ("),
        ("/atomics", "waitOnAtomics ("),
    ] {
        let port = home.app("app").port().unwrap_or(started.port);
        let _asked = ask(port, path);
        // A first look may meet it on its way there.
        let view = eventually("it is seen", || {
            let view = stuck(&home);
            let there = view["stack"][0]
                .as_str()
                .is_some_and(|at| at.starts_with(function));
            there.then_some(view)
        });
        let place = innermost(&view);
        assert!(place.contains("/stuck.js:"), "{path}: {view:#}");
        // Twice: the inspector is open already.
        assert_eq!(innermost(&stuck(&home)), place);
        replace(&home);
    }
}

/// A worker that is stuck cannot be asked to go.
fn replace(home: &Home) {
    let pid = home.app("app").pids()[0];
    signal(pid, Signal::KILL);
    home.until("another one", |app| {
        app.online() == 1 && !app.pids().contains(&pid)
    });
    eventually("its agent is there", || {
        stacks(home)
            .iter()
            .all(|view| view["state"] == "idle")
            .then_some(())
    });
}

#[test]
fn a_stack_on_node_18() {
    sees("18");
}

#[test]
fn a_stack_on_node_20() {
    sees("20");
}

#[test]
fn a_stack_on_node_22() {
    sees("22");
}

#[test]
fn a_stack_on_node_24() {
    sees("24");
}

#[test]
fn where_there_is_no_stack_it_is_said_why() {
    let home = Home::new();
    let started = start(&home, &["-i", "1"]);
    for (path, why) in [
        ("/json", &["busy in native code"][..]),
        (
            "/fifo",
            &["waits in the system call open", "waits in native code"][..],
        ),
        ("/exec", &["sleep 100), as execSync"][..]),
    ] {
        let port = home.app("app").port().unwrap_or(started.port);
        let _asked = ask(port, path);
        let view = stuck(&home);
        let reason = view["reason"].as_str().unwrap();
        assert!(
            why.iter().any(|why| reason.contains(why)),
            "{path}: {reason}"
        );
        replace(&home);
    }
}

#[test]
fn a_deep_recursion_is_seen_in_short() {
    let home = Home::new();
    let started = start(&home, &["-i", "1"]);
    let _asked = ask(started.port, "/deep");
    let view = stuck(&home);
    let stack = view["stack"].as_array().unwrap();
    assert!(innermost(&view).starts_with("spinForever ("));
    assert_eq!(
        (stack.len(), stack[50].as_str().unwrap()),
        (51, "… and more")
    );
    replace(&home);
}

#[test]
fn the_log_shows_nothing_of_it_and_the_inspector_is_closed_again() {
    let home = Home::new();
    let started = start(&home, &["-i", "2"]);
    assert_eq!(get(started.port, "/half").status, 200);
    for _ in 0..3 {
        assert!(stacks(&home).iter().all(|view| view["state"] == "idle"));
    }
    // By pids, since each connection may go to the other worker.
    while try_get(started.port, "/rest").unwrap().status != 200 {}
    let pid = started.pids[0];
    signal(pid, Signal::USR1);
    let log = |slot: u32| {
        let target = format!("app:{slot}");
        home.rota(&["logs", &target, "--err", "--raw", "-n", "100"])
            .ok()
            .out
    };
    // One that the user opens is the user's.
    let text = eventually("the user's inspector is told of", || {
        Some(log(0)).filter(|text| text.contains("Debugger listening on ws://127.0.0.1:"))
    });
    assert_eq!(text.matches("Debugger").count(), 1, "{text}");
    assert!(stacks(&home).iter().all(|view| view["state"] == "idle"));
    assert!(!log(1).contains("Debugger"), "{}", log(1));
}

#[test]
fn an_app_with_a_handler_of_its_own_keeps_its_signal() {
    let home = Home::new();
    let script = home.write(
        "own.js",
        "process.on('SIGUSR1', () => console.log('mine'));\n\
         require('http').createServer((q, r) => { for (;;); }).listen(0);\n",
    );
    let started = home.start_script(
        &script,
        &["--heartbeat-interval", "200ms", "--heartbeat-timeout", "1h"],
    );
    home.until("figures have come", |app| {
        app.workers()[0].0["inside"].is_object()
    });
    assert_eq!(stacks(&home)[0]["state"], "idle");
    let _asked = ask(started.port, "/");
    let view = stuck(&home);
    // If the look before had not closed the inspector yet, there is even a stack.
    if let Some(reason) = view["reason"].as_str() {
        assert!(reason.contains("handles SIGUSR1 itself"), "{reason}");
    }
    let said = home.rota(&["logs", "app", "--out", "--raw"]).ok();
    assert!(!said.out.contains("mine"), "{said}");
    signal(started.pids[0], Signal::KILL);
}
