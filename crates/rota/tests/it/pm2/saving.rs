//! What is there again, and how often: save, resurrect, and the daemon's death.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Home, eventually, run, signal};

use super::{IDLE, SERVER, command, jlist, objects, pm2, variable};

#[test]
fn a_dump_brings_back_what_is_not_there_and_nothing_twice() {
    let home = Home::new();
    home.write("server.js", SERVER);
    home.write("idle.js", IDLE);
    let mut start = command(
        &home,
        &[
            "start",
            "server.js",
            "-i",
            "2",
            "--kill-timeout",
            "1234",
            "--",
            "--flag",
        ],
    );
    run(start.env("API_TOKEN", "t0ken")).ok();
    pm2(&home, &["start", "idle.js"]).ok();
    pm2(&home, &["save"]).ok();
    let dump = home.rota_home().join("pm2/dump.pm2");
    let mode = std::fs::metadata(&dump).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "there are secrets in it");
    let text = std::fs::read_to_string(&dump).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(entries.len(), 3);
    for key in [
        "name",
        "pm_exec_path",
        "pm_cwd",
        "exec_mode",
        "env",
        "args",
        "instances",
    ] {
        assert!(entries.iter().all(|entry| !entry[key].is_null()), "{key}");
    }
    let before: Vec<_> = jlist(&home)
        .iter()
        .map(|object| object["pid"].clone())
        .collect();
    pm2(&home, &["resurrect"]).ok();
    let after: Vec<_> = jlist(&home)
        .iter()
        .map(|object| object["pid"].clone())
        .collect();
    assert_eq!(before, after, "no second copies");
    pm2(&home, &["delete", "all"]).ok();
    pm2(&home, &["resurrect"]).ok();
    let back = objects(&home, "server");
    assert_eq!(back.len(), 2);
    assert_eq!(back[0]["pm2_env"]["args"][0], "--flag");
    assert_eq!(back[0]["pm2_env"]["kill_timeout"], 1234);
    assert_eq!(
        variable(&back[0]["pid"], "API_TOKEN").as_deref(),
        Some("t0ken")
    );
    assert_eq!(objects(&home, "idle").len(), 1);
    pm2(&home, &["cleardump"]).ok();
    pm2(&home, &["delete", "all"]).ok();
    pm2(&home, &["resurrect"]).ok();
    assert!(jlist(&home).is_empty());
}

#[test]
fn a_dump_that_pm2_has_written_is_read() {
    let home = Home::new();
    let script = home.write("server.js", SERVER);
    let entry = |id: u32| {
        serde_json::json!({
            "name": "old", "namespace": "default", "pm_id": id, "status": "online", "pm_exec_path": script,
            "pm_cwd": home.path(), "exec_mode": "cluster_mode", "exec_interpreter": "node", "node_args": [],
            "args": ["-v"], "instances": 2, "instance_var": "NODE_APP_INSTANCE", "autorestart": true,
            "env": { "PATH": std::env::var("PATH").unwrap(), "FROM": "pm2", "TEST_HOME_TAG": home.path() },
        })
    };
    let folder = home.rota_home().join("pm2");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(home.rota_home(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let dump = serde_json::json!([entry(0), entry(1)]).to_string();
    std::fs::write(folder.join("dump.pm2"), dump).unwrap();
    pm2(&home, &["resurrect"]).ok();
    let old = objects(&home, "old");
    assert_eq!(old.len(), 2);
    assert_eq!(variable(&old[1]["pid"], "FROM").as_deref(), Some("pm2"));
    assert_eq!(
        variable(&old[1]["pid"], "NODE_APP_INSTANCE").as_deref(),
        Some("1")
    );
}

#[test]
fn nobody_needs_to_save_and_the_daemon_may_die() {
    let home = Home::new();
    home.write("server.js", SERVER);
    pm2(&home, &["start", "server.js", "-i", "2"]).ok();
    let pids = |home: &Home| -> Vec<_> {
        objects(home, "server")
            .iter()
            .map(|object| object["pid"].clone())
            .collect()
    };
    let before = pids(&home);
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    eventually("another supervisor answers", || {
        let output = home.rota(&["version", "--json"]);
        (output.code == 0 && output.json()["daemon"]["supervisor_pid"] != supervisor).then_some(())
    });
    assert_eq!(pids(&home), before, "the same processes");
    let ids: Vec<_> = objects(&home, "server")
        .iter()
        .map(|object| object["pm_id"].clone())
        .collect();
    assert_eq!(ids, [0, 1], "under the same numbers");
    pm2(&home, &["update"]).ok();
    assert_eq!(pids(&home), before, "an update restarts nothing");
}
