//! Whatever ends an app ends it in the same way with and without the agent: exit code, signal, and what it writes, byte
//! for byte.

use std::fs;

use crate::support::{Home, app_path, node_bin};

/// How an app ended: exit code and signal, standard output, standard error.
type End = (String, String, String);

struct Case {
    how: &'static str,
    node_args: &'static str,
    cluster: bool,
}

const PLAIN: &[&str] = &[
    "nothing",
    "timer",
    "after-beats",
    "exit",
    "exit-code",
    "throw",
    "throw-late",
    "throw-nothing",
    "throw-nasty",
    "throw-text",
    "throw-in-handler",
    "rejection",
    "rejection-of-nothing",
    "rejection-handled",
    "caught",
    "caught-and-thrown",
    "prepared",
    "monitored",
    "before-exit",
    "before-exit-more",
    "disconnect",
    "no-listeners",
    "own-send",
    "signal",
    "signal-handled",
    "usr1",
    "domain",
];

/// Ways that need flags of Node's.
const WITH_ARGUMENTS: &[(&str, &str)] = &[
    ("mapped", "--enable-source-maps"),
    ("throw", "--enable-source-maps --trace-uncaught"),
    (
        "after-beats",
        "--throw-deprecation --trace-deprecation --pending-deprecation",
    ),
    ("warning", "--throw-deprecation"),
    ("rejection", "--unhandled-rejections=strict"),
    ("rejection-of-nothing", "--unhandled-rejections=none"),
    ("throw-late", "--disable-proto=throw --stack-trace-limit=3"),
];

/// As cluster workers, that is: while they serve.
const SERVING: &[&str] = &[
    "exit",
    "throw",
    "throw-nasty",
    "rejection",
    "caught",
    "disconnect",
    "own-send",
    "signal",
    "signal-handled",
    "usr1",
    "domain",
];

fn cases() -> Vec<Case> {
    let case = |how, node_args, cluster| Case {
        how,
        node_args,
        cluster,
    };
    let plain = PLAIN.iter().map(|how| case(how, "", false));
    let with_arguments = WITH_ARGUMENTS
        .iter()
        .map(|(how, args)| case(how, args, false));
    let serving = SERVING.iter().map(|how| case(how, "", true));
    plain.chain(with_arguments).chain(serving).collect()
}

fn start(home: &Home, name: &str, node: &str, case: &Case, agent: bool) {
    let script = app_path("portrait/end.js").display().to_string();
    let how = format!("HOW={}", case.how);
    let mut args = vec![
        "start",
        &script,
        "--name",
        name,
        "--observe",
        "0",
        "--no-autorestart",
        "--interpreter",
        node,
        "--env",
        &how,
    ];
    if !case.cluster {
        args.push("--fork");
    }
    if !case.node_args.is_empty() {
        args.extend(["--node-args", case.node_args]);
    }
    if !agent {
        args.push("--no-agent");
    }
    // It may have ended before it is told that it has started.
    home.rota(&args);
}

fn end_of(home: &Home, name: &str) -> End {
    let app = home.app(name);
    let last = &app.0["workers"][0]["last_exit"];
    let log = |stream: &str| {
        let path = home.rota_home().join(format!("logs/{name}-{stream}-0.log"));
        fs::read_to_string(path).unwrap_or_default()
    };
    (
        format!("code {}, signal {}", last["code"], last["signal"]),
        log("out"),
        log("error"),
    )
}

fn ends_the_same(version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    let mut failures = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let mut ends = Vec::new();
        for agent in [false, true] {
            let name = format!("app{number}{}", if agent { "a" } else { "b" });
            start(&home, &name, &node, case, agent);
            crate::support::eventually(&format!("the end of {} of {version}", case.how), || {
                let app = home.app(&name);
                (!app.0["workers"][0]["last_exit"].is_null() && app.pids().is_empty()).then_some(())
            });
            ends.push(name);
        }
        // What is written last comes to the file a moment after the end.
        let same = || (end_of(&home, &ends[0]), end_of(&home, &ends[1]));
        let begin = std::time::Instant::now();
        let mut pair = same();
        while pair.0 != pair.1 && begin.elapsed().as_secs() < 2 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            pair = same();
        }
        if pair.0 != pair.1 {
            failures.push(format!(
                "{} {} (cluster: {})\nwithout: {:#?}\nwith: {:#?}",
                case.how, case.node_args, case.cluster, pair.0, pair.1
            ));
        }
        for name in ends {
            home.rota(&["delete", &name]).ok();
        }
    }
    assert!(
        failures.is_empty(),
        "Node {version}:\n{}",
        failures.join("\n")
    );
}

#[test]
fn node_18() {
    ends_the_same("18");
}

#[test]
fn node_20() {
    ends_the_same("20");
}

#[test]
fn node_22() {
    ends_the_same("22");
}

#[test]
fn node_24() {
    ends_the_same("24");
}
