//! What apps see: the variables of PM2, in both modes.

use crate::support::{Home, run};

use super::{IDLE, SERVER, command, objects, pm2, variable};

#[test]
fn a_table_of_variables() {
    let home = Home::new();
    let script = home.write("server.js", SERVER);
    pm2(
        &home,
        &["start", "server.js", "--name", "one", "--namespace", "n"],
    )
    .ok();
    pm2(&home, &["start", "server.js", "--name", "two", "-i", "2"]).ok();
    let folder = home.rota_home().join("pm2");
    for (name, mode, namespace, instances) in [
        ("one", "fork_mode", "n", "1"),
        ("two", "cluster_mode", "default", "2"),
    ] {
        for (slot, object) in objects(&home, name).iter().enumerate() {
            let id = object["pm_id"].to_string();
            let env = &object["pm2_env"];
            let text = |key: &str| env[key].as_str().unwrap().to_owned();
            for (key, value) in [
                ("pm_id", id.clone()),
                ("NODE_APP_INSTANCE", slot.to_string()),
                ("name", name.to_owned()),
                ("namespace", namespace.to_owned()),
                ("exec_mode", mode.to_owned()),
                ("instances", instances.to_owned()),
                ("pm_exec_path", script.clone()),
                ("pm_cwd", home.path().display().to_string()),
                ("pm_out_log_path", text("pm_out_log_path")),
                ("pm_err_log_path", text("pm_err_log_path")),
                (
                    "pm_pid_path",
                    folder
                        .join(format!("pids/{name}-{id}.pid"))
                        .display()
                        .to_string(),
                ),
                ("PM2_HOME", folder.display().to_string()),
                ("unique_id", text("unique_id")),
                ("restart_time", "0".to_owned()),
                ("status", "launching".to_owned()),
                ("created_at", env["created_at"].to_string()),
                ("PM2_USAGE", "CLI".to_owned()),
            ] {
                let seen = variable(&object["pid"], key);
                assert_eq!(seen.as_deref(), Some(value.as_str()), "{name} {key}");
            }
            assert!(
                variable(&object["pid"], "pm_uptime")
                    .unwrap()
                    .parse::<u64>()
                    .is_ok()
            );
        }
    }
    // A restart is counted, and the number stays.
    pm2(&home, &["restart", "one"]).ok();
    let object = objects(&home, "one").remove(0);
    assert_eq!(
        variable(&object["pid"], "restart_time").as_deref(),
        Some("1")
    );
    assert_eq!(object["pm_id"], 0);
    assert_eq!(object["pm2_env"]["restart_time"], 1);
    pm2(&home, &["reset", "one"]).ok();
    assert_eq!(objects(&home, "one")[0]["pm2_env"]["restart_time"], 0);
    // Apps that rota itself has started have none of it.
    home.rota(&["start", "server.js", "--name", "plain", "--observe", "0"])
        .ok();
    let plain = objects(&home, "plain").remove(0);
    assert_eq!(variable(&plain["pid"], "pm_id"), None);
    assert_eq!(
        variable(&plain["pid"], "NODE_APP_INSTANCE").as_deref(),
        Some("0")
    );
}

#[test]
fn numbers_under_other_names_also_without_pm2() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let flags = [
        "--fork",
        "-i",
        "2",
        "--instance-var",
        "NUMBER",
        "--increment-var",
        "BASE",
        "--env",
        "BASE=3000",
    ];
    home.start_script("idle.js", &flags);
    for (slot, pid) in home.app("app").pids().iter().enumerate() {
        let pid = (*pid).into();
        assert_eq!(variable(&pid, "NUMBER"), Some(slot.to_string()));
        assert_eq!(variable(&pid, "BASE"), Some((3000 + slot).to_string()));
        assert_eq!(variable(&pid, "NODE_APP_INSTANCE"), None);
    }
}

#[test]
fn the_environment_stays_until_it_is_to_be_renewed() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let with = |args: &[&str], name: &str, value: &str| {
        run(command(&home, args).env(name, value)).ok();
    };
    let seen = |name: &str| variable(&objects(&home, "idle")[0]["pid"], name);
    with(&["start", "idle.js"], "OLD", "1");
    with(&["restart", "idle"], "NEW", "2");
    assert_eq!(
        (seen("OLD").as_deref(), seen("NEW")),
        (Some("1"), None),
        "as with PM2"
    );
    with(&["restart", "idle", "--update-env"], "NEW", "2");
    // PM2 would keep what is gone.
    assert_eq!((seen("OLD"), seen("NEW").as_deref()), (None, Some("2")));
    with(&["reload", "idle", "-a"], "NEWER", "3");
    assert_eq!((seen("NEW"), seen("NEWER").as_deref()), (None, Some("3")));
}

#[test]
fn what_is_filtered_does_not_arrive() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let mut start = command(&home, &["start", "idle.js", "--filter-env", "SECRET_"]);
    run(start.env("SECRET_A", "1").env("PLAIN", "2")).ok();
    let pid = objects(&home, "idle")[0]["pid"].clone();
    assert_eq!(variable(&pid, "SECRET_A"), None);
    assert_eq!(variable(&pid, "PLAIN").as_deref(), Some("2"));
}
