//! `rota profile`: CPU profiles and heap snapshots.

use std::fs;

use crate::support::{Connection, Home, eventually, get, node_bin};

fn agent_is_there(home: &Home) {
    eventually("the agents are there", || {
        let seen = home.rota(&["stack", "app", "--json"]).ok().json();
        let views = seen["workers"].as_array().unwrap().clone();
        views
            .iter()
            .all(|view| view["state"] == "idle")
            .then_some(())
    });
}

#[test]
fn a_cpu_profile_names_what_ran() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "1"]);
    agent_is_there(&home);
    let mut busy = Connection::open(started.port).unwrap();
    busy.send("/block?ms=1000").unwrap();
    let file = home.path().join("slow.cpuprofile");
    let path = file.display().to_string();
    let command = [
        "profile",
        "cpu",
        "app:0",
        "--duration",
        "1500ms",
        "-o",
        &path,
    ];
    home.rota(&command).ok().says("Chrome DevTools opens it");
    let profile: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(!profile["nodes"].as_array().unwrap().is_empty());
    assert!(!profile["samples"].as_array().unwrap().is_empty());
    // What is there is not overwritten, and nothing is recorded for it.
    home.rota(&command).fails(2);
    let left = home.rota_home().join("profiles");
    assert_eq!(fs::read_dir(left).map_or(0, Iterator::count), 0);
}

/// A heap snapshot on one version of Node, into the caller's folder.
fn heap(version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    // A heartbeat that the snapshot would miss.
    let impatient = [
        "--heartbeat-interval",
        "1s",
        "--heartbeat-timeout",
        "500ms",
        "--heartbeat-misses",
        "1",
    ];
    let flags = [&["-i", "1", "--interpreter", &node][..], &impatient].concat();
    let started = home.start("stuck.js", &flags);
    assert_eq!(get(started.port, "/fill").status, 200);
    agent_is_there(&home);
    let folder = home.path().join("here");
    fs::create_dir(&folder).unwrap();
    let mut command = home.command(&["profile", "heap", "app", "--json"]);
    let told = crate::support::run(command.current_dir(&folder))
        .ok()
        .json();
    assert_eq!(told["of"], 1);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().into_string().unwrap();
    assert!(
        name.starts_with(&format!("app-{}-2", told["slot"])),
        "{name}"
    );
    assert!(name.ends_with(".heapsnapshot"), "{name}");
    let bytes = fs::read(files[0].path()).unwrap();
    assert_eq!(told["bytes"], bytes.len());
    // Too large to be parsed here.
    assert!(bytes.starts_with(b"{\"snapshot\":{"));
    assert!(bytes.trim_ascii_end().ends_with(b"]}"));
    assert_eq!(get(started.port, "/").status, 200);
    assert_eq!(
        home.app("app").pids(),
        started.pids,
        "a worker was replaced"
    );
}

#[test]
fn a_heap_snapshot_on_node_18() {
    heap("18");
}

#[test]
fn a_heap_snapshot_on_node_24() {
    heap("24");
}

#[test]
fn what_cannot_be_profiled_says_why() {
    let home = Home::new();
    home.start("http.js", &["--no-agent"]);
    home.rota(&["profile", "heap", "app"])
        .fails(1)
        .says("agent");
    home.rota(&["stack", "app"])
        .ok()
        .says("without rota's agent");
    home.rota(&["profile", "cpu", "nothing"]).fails(4);
    home.rota(&["stop", "app"]).ok();
    home.rota(&["profile", "cpu", "app"])
        .fails(1)
        .says("no worker of app runs");
}
