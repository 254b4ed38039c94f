//! The last words of workers: why they ended, for people and for programs.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, Started, eventually, signal, try_get};

fn start(home: &Home, flags: &[&str]) -> Started {
    home.start("stuck.js", &[&["-i", "1"], flags].concat())
}

/// The last failure, as soon as `wanted` is true for it.
fn failure(home: &Home, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually("the failure is recorded", || {
        let app = home.app("app").0;
        let last = app["failures"][0].clone();
        assert_eq!(app["last_failure"], last);
        (last.is_object() && wanted(&last)).then_some(last)
    })
}

fn describe(home: &Home) -> String {
    home.rota(&["describe", "app"]).ok().out
}

fn dies(home: &Home, path: &str) -> Value {
    let started = start(home, &[]);
    try_get(started.port, path).ok();
    failure(home, |last| !last["stderr"].as_array().unwrap().is_empty())
}

#[test]
fn an_exception_with_its_stack() {
    let home = Home::new();
    dies(&home, "/throw");
    let last = failure(&home, |last| last["exception"].is_object());
    assert_eq!(last["kind"], "crashed");
    assert_eq!(last["exception"]["origin"], "uncaughtException");
    assert_eq!(last["exception"]["message"], "TypeError: thrown on request");
    assert!(
        last["exception"]["stack"]
            .as_str()
            .unwrap()
            .contains("stuck.js:")
    );
    assert!(last["peak_memory"].as_u64().unwrap() > 1 << 20);
    let story = describe(&home);
    assert!(
        story.contains("exception         TypeError: thrown on request\n                    at "),
        "{story}"
    );
}

#[test]
fn a_rejection_that_nobody_handles() {
    let home = Home::new();
    dies(&home, "/reject");
    let last = failure(&home, |last| last["exception"].is_object());
    assert_eq!(last["exception"]["origin"], "unhandledRejection");
    assert!(describe(&home).contains("rejection         Error: rejected on request"));
}

#[test]
fn an_abort() {
    let home = Home::new();
    let started = start(&home, &[]);
    try_get(started.port, "/abort").ok();
    let last = failure(&home, |_| true);
    assert_eq!(
        (&last["kind"], &last["exception"]),
        (&"crashed".into(), &Value::Null)
    );
    assert!(
        last["status"].as_str().unwrap().contains("SIGABRT"),
        "{last:#}"
    );
}

#[test]
fn a_heap_that_is_full() {
    let home = Home::new();
    let started = start(&home, &["--node-args=--max-old-space-size=32"]);
    try_get(started.port, "/heap").ok();
    let last = failure(&home, |last| last["kind"] == "out_of_memory");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains("JavaScript heap out of memory (limit 32 MiB; raise it with --node-args '--max-old-space-size="), "{reason}");
    assert!(describe(&home).contains("JavaScript heap out of memory"));
}

#[test]
fn a_kill_from_outside() {
    let home = Home::new();
    let started = start(&home, &[]);
    for round in 1..=4_usize {
        let pid = home.app("app").pids()[0];
        signal(pid, Signal::KILL);
        home.until("another one", |app| {
            app.online() == 1
                && !app.pids().contains(&pid)
                && app.0["failures"].as_array().unwrap().len() == round
        });
    }
    let last = failure(&home, |_| true);
    assert_eq!(last["kind"], "crashed");
    let reason = last["reason"].as_str().unwrap();
    assert!(
        reason.contains("killed by SIGKILL; rota did not send it"),
        "{reason}"
    );
    assert!(started.pids.len() == 1);
    let story = describe(&home);
    assert_eq!(story.matches("killed by SIGKILL").count(), 3, "{story}");
}
