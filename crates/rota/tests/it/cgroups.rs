//! Control groups: real ones, where the tests run in one that they may divide, and a folder that looks like one for
//! limits, which most machines do not let a test set.

use std::fs;
use std::path::{Path, PathBuf};

use rota_sys::cgroup::Group;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, app_path, eventually, run, signal};

/// A server that ignores SIGTERM if it is told to, and a grandchild that hides: a session of its own, no environment,
/// no parent. Its pid is written to a file.
const HIDING: &str = r#"
const { spawnSync } = require('child_process');
if (process.argv[2] === 'stubborn') process.on('SIGTERM', () => {});
const file = `${__dirname}/hidden-${process.env.NODE_APP_INSTANCE}`;
const script = `env -i setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $! > ${file}.new; mv ${file}.new ${file}'`;
spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore' });
require('http').createServer((q, r) => r.end()).listen(0);
"#;

/// Whether a daemon started here makes control groups; says so if not.
fn is_possible(home: &Home) -> bool {
    let cgroups = cgroups(home);
    let possible = cgroups["directory"].is_string();
    if !possible {
        println!("skipped: no control groups here: {}", cgroups["why"]);
    }
    possible
}

/// What the daemon says of control groups; starts one.
fn cgroups(home: &Home) -> Value {
    let script = app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--name", "probe"]).ok();
    home.rota(&["delete", "probe"]).ok();
    home.rota(&["version", "--json"]).ok().json()["daemon"]["cgroups"].clone()
}

fn hidden(home: &Home, slot: u32) -> u32 {
    let file = home.path().join(format!("hidden-{slot}"));
    let text = fs::read_to_string(file).unwrap();
    text.trim().parse().unwrap()
}

fn lives(pid: u32) -> bool {
    // A dead process whose parent has not looked yet has no command line.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// The directories of the groups of the app's workers.
fn held(home: &Home) -> Vec<PathBuf> {
    let app = home.app("app");
    let workers = app.0["workers"].as_array().unwrap();
    let directory = |worker: &Value| {
        assert_eq!(worker["held"]["by"], "cgroup", "{worker:#}");
        worker["held"]["cgroup"].as_str().map(PathBuf::from)
    };
    workers.iter().filter_map(directory).collect()
}

fn start_hiding(home: &Home, flags: &[&str], args: &[&str]) -> Vec<u32> {
    let script = home.write("app.js", HIDING);
    home.start_script(&script, &[flags, args].concat()).pids
}

#[test]
fn who_hides_from_everything_dies_with_its_worker() {
    let home = Home::new();
    if !is_possible(&home) {
        return;
    }
    let pids = start_hiding(&home, &["-i", "2"], &[]);
    let groups = held(&home);
    for (slot, (pid, group)) in pids.iter().zip(&groups).enumerate() {
        let processes = Group::at(group).processes();
        let far = hidden(&home, u32::try_from(slot).unwrap());
        assert!(
            processes.contains(pid) && processes.contains(&far),
            "{processes:?}"
        );
        assert!(
            group.ends_with(format!("app-{slot}-{}", slot + 2)),
            "{group:?}"
        );
    }
    // One of them crashes, the other is deleted.
    let far = [hidden(&home, 0), hidden(&home, 1)];
    signal(pids[0], Signal::KILL);
    eventually("another worker", || {
        let app = home.app("app");
        (app.status() == "online" && app.pids()[0] != pids[0]).then_some(())
    });
    assert!(!lives(far[0]) && lives(far[1]));
    assert!(!groups[0].exists() && groups[1].exists());
    home.rota(&["delete", "app"]).ok();
    assert!(!lives(far[1]) && !lives(hidden(&home, 0)));
    assert!(!groups[1].exists());
    assert_eq!(home.groups().len(), 1, "the daemon's own");
    home.rota(&["kill"]).ok();
    assert!(home.groups().is_empty());
}

#[test]
fn the_kill_timeout_ends_the_whole_group() {
    let home = Home::new();
    if !is_possible(&home) {
        return;
    }
    let args = ["--kill-timeout", "100ms", "--drain-timeout", "100ms"];
    let pids = start_hiding(&home, &args, &["--", "stubborn"]);
    let far = hidden(&home, 0);
    home.rota(&["stop", "app"]).ok();
    assert!(!lives(pids[0]) && !lives(far));
    let exit = home.app("app").0["workers"][0]["last_exit"].clone();
    assert_eq!(exit["signal"], "SIGKILL");
}

#[test]
fn groups_outlive_the_supervisor() {
    let home = Home::new();
    if !is_possible(&home) {
        return;
    }
    let pids = start_hiding(&home, &[], &[]);
    let groups = held(&home);
    let far = hidden(&home, 0);
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    eventually("another supervisor", || {
        let output = home.rota(&["version", "--json"]);
        let pid = (output.code == 0).then(|| output.json())?["daemon"]["supervisor_pid"].as_u64();
        pid.filter(|pid| *pid != u64::from(supervisor))
    });
    assert_eq!(home.app("app").pids(), pids);
    assert_eq!(held(&home), groups);
    // And a new program.
    home.rota(&["upgrade"]).ok();
    assert_eq!(home.app("app").pids(), pids);
    assert_eq!(held(&home), groups);
    home.rota(&["reload", "app"]).ok();
    assert!(!lives(far) && !groups[0].exists());
    let far = hidden(&home, 0);
    home.rota(&["kill"]).ok();
    assert!(!lives(far));
    assert!(home.groups().is_empty());
}

#[test]
fn the_next_daemon_removes_what_a_killed_one_has_left() {
    let home = Home::new();
    if !is_possible(&home) {
        return;
    }
    home.start("http.js", &[]);
    let (keeper, _) = home.daemon_pids();
    let left = home.groups();
    signal(keeper, Signal::KILL);
    eventually("the end of all", || {
        home.processes().is_empty().then_some(())
    });
    assert_eq!(home.groups(), left);
    home.start("http.js", &[]);
    let groups = home.groups();
    assert_eq!(groups.len(), 1);
    assert_ne!(groups, left);
}

#[test]
fn limits_hold_where_there_are_controllers_and_are_refused_elsewhere() {
    let home = Home::new();
    let cgroups = cgroups(&home);
    let path = app_path("http.js").display().to_string();
    let limits = ["--memory-max", "300M", "--pids-max", "50"];
    let start = home.rota(&[&["start", &path, "--name", "app"], &limits[..]].concat());
    let controllers: Vec<_> = cgroups["controllers"].as_array().unwrap().iter().collect();
    if ["memory", "pids"]
        .iter()
        .all(|name| controllers.iter().any(|one| *one == name))
    {
        start.ok();
        let group = Group::at(&held(&home)[0]);
        assert_eq!(group.number("memory.max"), Some(300 << 20));
        assert_eq!(group.number("pids.max"), Some(50));
        return;
    }
    println!(
        "skipped: no controllers here, only the refusal is tested: {}",
        cgroups["why"]
    );
    assert_eq!(start.code, 2, "{start}");
    let said = &start.err;
    assert!(said.contains("app: --"), "{said}");
    assert!(said.contains("controller of control groups: "), "{said}");
    assert!(said.contains("hint: "), "{said}");
    assert!(home.find("app").is_none());
}

/// A server that eats memory a moment after it is ready.
const HOG: &str = r#"
const kept = [];
const eat = () => setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 10);
require('http').createServer((q, r) => r.end()).listen(0, () => setTimeout(eat, 500));
"#;

#[test]
fn above_its_limit_of_memory_a_worker_is_killed_and_the_limit_is_named() {
    let home = Home::new();
    let cgroups = cgroups(&home);
    let mut controllers = cgroups["controllers"].as_array().unwrap().iter();
    if !controllers.any(|name| name == "memory") {
        println!("skipped: no memory controller here: {}", cgroups["why"]);
        return;
    }
    let script = home.write("app.js", HOG);
    home.start_script(&script, &["--memory-max", "100M", "--no-autorestart"]);
    let failure = eventually("its failure", || {
        let failure = home.app("app").0["last_failure"].clone();
        (!failure.is_null()).then_some(failure)
    });
    assert_eq!(failure["kind"], "oom_killed", "{failure:#}");
    let reason = failure["reason"].as_str().unwrap();
    let words = "killed by the kernel: out of memory, limit 100 MiB";
    assert!(reason.ends_with(words), "{reason}");
    assert!(failure["group_peak_memory"].as_u64().unwrap() > 90 << 20);
}

/// A folder with the files of a group that was delegated with all controllers.
fn fake(home: &Home) -> PathBuf {
    let base = home.path().join("cgroup");
    fs::create_dir(&base).unwrap();
    for (file, text) in [
        ("cgroup.controllers", "cpu io memory pids\n"),
        ("cgroup.procs", ""),
        ("cgroup.subtree_control", ""),
    ] {
        fs::write(base.join(file), text).unwrap();
    }
    base
}

fn text(group: &Path, file: &str) -> String {
    fs::read_to_string(group.join(file)).unwrap()
}

#[test]
fn limits_are_written_told_and_found_again_in_failures() {
    let home = Home::new();
    let base = fake(&home);
    let script = app_path("http.js").display().to_string();
    let args = ["start", &script, "--name", "app", "--observe", "0"];
    let limits = [
        "--memory-max",
        "300M",
        "--memory-high",
        "250M",
        "--cpu-max",
        "1.5",
        "--cpu-weight",
        "50",
        "--pids-max",
        "64",
        "--nice",
        "1",
        "--umask",
        "027",
        "--rlimit",
        "nofile=4096",
    ];
    run(home
        .command(&[&args[..], &limits].concat())
        .env("ROTA_CGROUP", &base))
    .ok();
    let group = held(&home).remove(0);
    for (file, value) in [
        ("memory.max", "314572800"),
        ("memory.high", "262144000"),
        ("memory.swap.max", "0"),
        ("cpu.max", "150000 100000"),
        ("cpu.weight", "50"),
        ("pids.max", "64"),
    ] {
        assert_eq!(text(&group, file), value, "{file}");
    }
    let settings = home.app("app").0["settings"].clone();
    assert_eq!(settings["resources"]["memory_max_bytes"], 300 << 20);
    assert_eq!(settings["resources"]["cpu_max_percent"], 150);
    assert_eq!(settings["process"]["nice"], 1);
    assert_eq!(settings["process"]["umask"], "027");
    assert_eq!(settings["process"]["rlimits"]["nofile"], "4096");
    let told = home.rota(&["describe", "app"]).ok().out;
    for words in [
        "umask 027, nice +1, rlimit nofile=4096",
        "300M of memory, slowed down above 250M of memory, 150% of a processor",
        &format!("cgroup {}", group.display()),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }

    // What the kernel would do.
    fs::write(group.join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
    fs::write(group.join("memory.peak"), "314568704\n").unwrap();
    signal(home.app("app").pids()[0], Signal::KILL);
    let failure = eventually("its failure", || {
        let failure = home.app("app").0["last_failure"].clone();
        (!failure.is_null()).then_some(failure)
    });
    assert_eq!(failure["kind"], "oom_killed");
    let reason = failure["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("killed by the kernel: out of memory, limit 300 MiB"),
        "{reason}"
    );
    assert_eq!(failure["group_peak_memory"], 314_568_704);
    assert_eq!(failure["memory_limit"], 300 << 20);
    let told = home.rota(&["describe", "app"]).ok().out;
    assert!(
        told.contains("299.9M of 300M at most, with all that it started"),
        "{told}"
    );
}

#[test]
fn without_groups_it_says_so() {
    let home = Home::new();
    let script = home.write("app.js", HIDING);
    let args = ["start", &script, "--name", "app", "--observe", "0"];
    run(home.command(&args).env("ROTA_CGROUP", "none")).ok();
    let held = home.app("app").0["workers"][0]["held"].clone();
    assert_eq!(held["by"], "process_group");
    assert_eq!(held["why"], "ROTA_CGROUP is none");
    let told = home.rota(&["describe", "app"]).ok().out;
    assert!(
        told.contains("process group and session (ROTA_CGROUP is none)"),
        "{told}"
    );
    assert!(home.groups().is_empty());
    home.rota(&["delete", "app"]).ok();
}
