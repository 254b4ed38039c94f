//! Files as a whole.

use serde_json::{Value as Json, json};

use super::super::super::{Foreign, json as read_json, yaml};
use super::{PATH, app, taken, taken_of_text};
use crate::file::differences;

fn names(value: Json) -> Vec<String> {
    let apps = taken(value, None).apps;
    apps.iter().map(|app| app.spec.name.to_string()).collect()
}

#[test]
fn every_form_of_a_root() {
    let (a, b) = (json!({"script": "a.js"}), json!({"script": "b.js"}));
    for root in [
        json!({"apps": [a, b]}),
        json!({"pm2": [a, b]}),
        json!([a, b]),
        json!({"apps": a, "pm2": b}),
    ] {
        assert_eq!(names(root), ["a", "b"]);
    }
    assert_eq!(names(a), ["a"]);
    let with = taken(
        json!({"apps": [b], "deploy": {}, "static": [], "other": 1}),
        None,
    );
    assert_eq!(with.warnings.len(), 3, "{:?}", with.warnings);
}

#[test]
fn the_same_in_yaml_and_json() {
    let yaml = yaml("apps:\n  - script: app.js\n    name: api\n    instances: max\n    env:\n      PORT: 3000\n").unwrap();
    let json = read_json(
        "{ apps: [{ script: 'app.js', name: 'api', instances: 'max', env: { PORT: 3000 }, }], }",
    )
    .unwrap();
    let specs = [yaml, json].map(|value| taken(value, None).apps.remove(0).spec);
    assert_eq!(specs[0], specs[1]);
}

#[test]
fn what_such_an_app_has_besides() {
    let (spec, taken) = app(json!({"kill_timeout": 3000}), None);
    assert_eq!(spec.stop.signal.as_str(), "SIGINT");
    assert!(spec.compat.pm2);
    assert!(spec.problems().is_empty());
    let app = &taken.apps[0];
    assert_eq!(app.origins.file.to_str(), Some(PATH));
    let keys: Vec<&str> = app.origins.keys.keys().map(String::as_str).collect();
    for key in ["script", "kill_timeout", "stop_signal"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert!(!keys.contains(&"cwd") && !keys.contains(&"drain_timeout"));
    let side = (&app.spec, Some(&app.origins));
    assert!(differences(side, side).is_empty());
}

#[test]
fn settings_know_the_field_and_the_line_that_they_come_from() {
    let text = "\
apps:
  - name: api
    script: app.js
    exec_mode: cluster
    maxMemoryRestart: 300M
    time: true
    instances: 2
    env:
      PORT: 3000
    env_production:
      PORT: 80
      MODE: x
";
    for profile in [None, Some("production")] {
        let origins = taken_of_text(text, profile).apps.remove(0).origins;
        let field = |key: &str| origins.fields.get(key).map(String::as_str);
        for (key, line, name) in [
            ("script", 3, Some("script")),
            ("max_memory", 5, Some("maxMemoryRestart")),
            ("log_time", 6, Some("time")),
            ("instances", 7, Some("instances")),
            // PM2 has it so without a word.
            ("stop_signal", 0, None),
        ] {
            assert_eq!((origins.keys[key], field(key)), (line, name), "{key}");
        }
        let line = |name: &str| origins.env.get(name)?.line;
        let lines = (line("PORT"), line("MODE"), line("PATH"));
        assert_eq!(
            lines,
            match profile {
                None => (Some(9), None, None),
                Some(_) => (Some(11), Some(12), None),
            }
        );
    }
    // A program has no lines.
    let (_, taken) = app(json!({"namespace": "shop"}), None);
    let origins = &taken.apps[0].origins;
    assert_eq!(origins.keys["namespace"], 0);
    assert_eq!(origins.fields["namespace"], "namespace");
}

#[test]
fn idle_apps_are_marked() {
    let taken = taken(
        json!([{"script": "a.js", "autostart": false}, {"script": "b.js"}]),
        None,
    );
    let starts: Vec<bool> = taken.apps.iter().map(|app| app.spec.autostart).collect();
    assert_eq!(starts, [false, true]);
}

#[test]
fn profiles_are_those_of_all_apps() {
    let value = json!([{"env_production": {}, "env_file": ".env"}, {"env_test": {}, "env_production": {}, "env_": {}}]);
    assert_eq!(
        Foreign::ecosystem(PATH, value).profiles(),
        ["production", "test"]
    );
}

#[test]
fn another_folder_may_be_meant() {
    let value = json!({"script": "a.js", "out": "x"});
    let caller = super::shell();
    let outside = crate::file::Outside {
        caller: &caller,
        read: &|_| Ok(String::new()),
    };
    let file = Foreign::ecosystem(PATH, value).in_folder("/elsewhere");
    let spec = file.apps(None, &outside).unwrap().apps.remove(0).spec;
    assert_eq!(spec.cwd.to_str(), Some("/elsewhere"));
    assert_eq!(spec.logs.out.unwrap().to_str(), Some("/elsewhere/x"));
}

#[test]
fn a_text_without_extension_is_run_by_node() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("next", "x"), ("tool", "#!/bin/sh\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let caller = super::shell();
    let outside = crate::file::Outside {
        caller: &caller,
        read: &|_| Ok(String::new()),
    };
    let interpreters = ["next", "tool", "none"].map(|script| {
        let file = Foreign::ecosystem(PATH, json!({ "script": script })).in_folder(folder.path());
        let app = file.apps(None, &outside).unwrap().apps.remove(0);
        app.spec.interpreter
    });
    assert_eq!(interpreters, [Some("node".to_owned()), None, None]);
}
