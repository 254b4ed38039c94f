//! The same app, with the agent and with `--no-agent`, tells all that it can see of itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::support::{Connection, Home, app_path, free_port, get, node_bin};

/// What differs, and why. A `*` stands for anything.
const KNOWN: &[(&str, &str)] = &[
    (
        "*/env/ROTA_WORKER",
        "each worker has its own mark, with and without agent",
    ),
    ("*/env/NOTIFY_SOCKET", "likewise"),
    (
        "*/debugPort",
        "where SIGUSR1 would open the inspector: a port that is free. It cannot be hidden: whoever replaces the \
         property can no longer set the port",
    ),
    (
        "*/events/internalMessage",
        "how rota speaks to the agent; Node has listeners of it as well",
    ),
    ("*/events/rota:*", "what the app may tell rota"),
    (
        "*/events/uncaughtExceptionMonitor",
        "how an exception that nobody catches becomes part of the story",
    ),
    (
        "*/loaded/NativeModule internal/*",
        "parts of Node that are loaded earlier than without",
    ),
    ("*/loaded/Internal Binding *", "likewise"),
    ("*/loaded/NativeModule perf_hooks", "the clock"),
    (
        "late/modules/cluster/*_getServer*",
        "servers that rota shares out get a number here",
    ),
    (
        "late/*process/*chdir*",
        "Node wraps it when its inspector module is loaded",
    ),
];

fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(tail) = path.strip_prefix(start) else {
        return false;
    };
    (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
}

fn differences(path: &str, without: &Value, with: &Value, found: &mut BTreeSet<String>) {
    if let (Value::Object(a), Value::Object(b)) = (without, with) {
        for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}/{key}")
            };
            differences(
                &path,
                a.get(key).unwrap_or(&Value::Null),
                b.get(key).unwrap_or(&Value::Null),
                found,
            );
        }
    } else if without != with && !KNOWN.iter().any(|(known, _)| matches(known, path)) {
        let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
        found.insert(format!(
            "{path}: without {}, with {}",
            short(without),
            short(with)
        ));
    }
}

#[track_caller]
fn assert_same(what: &str, without: &Value, with: &Value) {
    let mut found = BTreeSet::new();
    differences("", without, with, &mut found);
    let text: Vec<_> = found.into_iter().collect();
    assert!(text.is_empty(), "{what}:\n{}", text.join("\n"));
}

/// One way to run the app.
struct Setting<'a> {
    version: &'a str,
    entry: &'a str,
    fork: bool,
    options: Option<&'a str>,
    node_args: Option<&'a str>,
}

/// All portraits of an app that runs so.
fn portraits(home: &Home, setting: &Setting<'_>, port: u16, agent: bool) -> Value {
    let node = node_bin(setting.version).display().to_string();
    let port_env = format!("PORT={port}");
    let probe = format!("tcp://127.0.0.1:{port}");
    let mut flags = vec!["--interpreter", &node, "--env", &port_env];
    let options = setting.options.map(|text| format!("NODE_OPTIONS={text}"));
    if let Some(options) = &options {
        flags.extend(["--env", options]);
    }
    if let Some(args) = setting.node_args {
        flags.extend(["--node-args", args]);
    }
    if setting.fork {
        flags.extend(["--fork", "--probe", &probe]);
    }
    if !agent {
        flags.push("--no-agent");
    }
    home.start(&format!("portrait/{}", setting.entry), &flags);
    let mut all = Map::new();
    for name in ["first", "late", "children"] {
        all.insert(name.to_owned(), get(port, &format!("/{name}")).json());
    }
    home.rota(&["delete", "app"]).ok();
    Value::Object(all)
}

fn compare(setting: &Setting<'_>) -> Value {
    let home = Home::new();
    let port = free_port();
    let without = portraits(&home, setting, port.number, false);
    let with = portraits(&home, setting, port.number, true);
    let what = format!(
        "Node {}, {}, fork: {}, {:?}",
        setting.version, setting.entry, setting.fork, setting.options
    );
    assert_same(&what, &without, &with);
    for (name, how) in [("without", &without), ("with", &with)] {
        let loaded = how["first"]["loaded"].as_object().unwrap();
        assert!(
            !loaded.keys().any(|module| module.ends_with(" http")),
            "{what}: {name} the agent http is loaded before the app asks for it"
        );
        let received = &how["late"]["received"];
        assert_eq!(received["process"].to_string(), "[]", "{what}: {name}");
        assert_eq!(received["worker"].to_string(), "[]", "{what}: {name}");
    }
    with
}

/// Files of the app's own, loaded before it: hooks as tracing libraries have them.
fn own_preloads() -> String {
    let folder = app_path("portrait").display().to_string();
    format!(
        "--require \"{folder}/with blank/hook.js\" --require \"{folder}/with blank/second.js\" --import {folder}/import.mjs"
    )
}

fn looks_the_same(version: &str) {
    let preloads = own_preloads();
    for (entry, fork, options) in [
        ("app.js", false, None),
        ("app.js", true, Some("--no-warnings")),
        ("app.js", false, Some(preloads.as_str())),
        ("app.mjs", false, Some("")),
        ("app.mjs", true, Some(preloads.as_str())),
    ] {
        let seen = compare(&Setting {
            version,
            entry,
            fork,
            options,
            node_args: None,
        });
        let first = &seen["first"];
        match options {
            None => assert_eq!(first["env"].get("NODE_OPTIONS"), None),
            Some(own) => assert_eq!(first["env"]["NODE_OPTIONS"], own),
        }
        if options == Some(preloads.as_str()) {
            assert!(
                !first["hooked"].as_array().unwrap().is_empty(),
                "the app's own preloaded file runs"
            );
            assert_eq!(first["preloaded"].as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn node_18() {
    looks_the_same("18");
}

#[test]
fn node_20() {
    looks_the_same("20");
}

#[test]
fn node_22() {
    looks_the_same("22");
}

#[test]
fn node_24() {
    looks_the_same("24");
    compare(&Setting {
        version: "24",
        entry: "app.ts",
        fork: false,
        options: None,
        node_args: None,
    });
}

#[test]
fn an_app_with_its_own_inspector() {
    for version in ["18", "24"] {
        let home = Home::new();
        let port = free_port();
        let setting = Setting {
            version,
            entry: "app.js",
            fork: false,
            options: None,
            node_args: Some("--inspect=127.0.0.1:0"),
        };
        let seen = portraits(&home, &setting, port.number, true);
        assert_eq!(seen["first"]["execArgv"][0], "--inspect=127.0.0.1:0");
        assert_ne!(seen["first"]["debugPort"], 0, "it is open");
    }
}

#[test]
fn an_app_under_the_permission_model() {
    for (version, flag) in [
        ("20", "--experimental-permission"),
        ("22", "--permission"),
        ("24", "--permission"),
    ] {
        for by_environment in [false, true] {
            let home = Home::new();
            let node = node_bin(version).display().to_string();
            // The app's folder and no other.
            let folder = app_path("").display().to_string();
            let args = format!("{flag} --allow-fs-read={folder}* --allow-child-process");
            let env = format!("NODE_OPTIONS={args}");
            let how = if by_environment {
                ["--env", &env]
            } else {
                ["--node-args", &args]
            };
            let started = home.start("http.js", &[&["--interpreter", &node][..], &how].concat());
            assert!(get(started.port, "/").pid() > 0);
        }
    }
}

#[test]
fn a_connection_that_was_handed_over_has_the_same_context() {
    for version in ["20", "24"] {
        let home = Home::new();
        let node = node_bin(version).display().to_string();
        home.start("portrait/app.js", &["--interpreter", &node]);
        let port = home.app("app").port().unwrap();
        let mut kept = Connection::open(port).unwrap();
        let before = kept.get("/store").unwrap().json();
        home.rota(&["reload", "app"]).ok();
        let after = kept.get("/store").unwrap().json();
        assert_ne!(before["pid"], after["pid"], "it was handed over");
        for of in ["store", "domain"] {
            assert_eq!(before[of], after[of], "Node {version}: {of}");
        }
        home.rota(&["delete", "app"]).ok();
        home.start("portrait/app.js", &["--interpreter", &node, "--no-agent"]);
        let port = home.app("app").port().unwrap();
        assert_eq!(get(port, "/store").json()["store"], before["store"]);
    }
}
