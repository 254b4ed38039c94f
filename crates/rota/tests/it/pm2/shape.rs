//! The objects of `pm2 jlist`: the keys that tools read, of the types that they expect.

use serde_json::Value;

use crate::support::{Home, eventually, run};

use super::{IDLE, SERVER, command, jlist, objects, pm2};

/// Whether a value is what tools expect.
type Fits = fn(&Value) -> bool;

/// A key of `pm2_env`, and what its value is.
const KEYS: &[(&str, Fits)] = &[
    ("name", Value::is_string),
    ("namespace", Value::is_string),
    ("status", Value::is_string),
    ("pm_id", Value::is_u64),
    ("pm_uptime", Value::is_u64),
    ("created_at", Value::is_u64),
    ("restart_time", Value::is_u64),
    ("unstable_restarts", Value::is_u64),
    ("exit_code", |value| value.is_null() || value.is_i64()),
    ("prev_restart_delay", Value::is_u64),
    ("unique_id", Value::is_string),
    ("version", Value::is_string),
    ("node_version", |value| value.is_null() || value.is_string()),
    ("_pm2_version", Value::is_string),
    ("exec_mode", Value::is_string),
    ("exec_interpreter", Value::is_string),
    ("node_args", Value::is_array),
    ("args", Value::is_array),
    ("instances", Value::is_u64),
    ("pm_exec_path", Value::is_string),
    ("pm_cwd", Value::is_string),
    ("pm_out_log_path", Value::is_string),
    ("pm_err_log_path", Value::is_string),
    ("pm_pid_path", Value::is_string),
    ("merge_logs", Value::is_boolean),
    ("watch", Value::is_boolean),
    ("autostart", Value::is_boolean),
    ("autorestart", Value::is_boolean),
    ("treekill", Value::is_boolean),
    ("kill_retry_time", Value::is_u64),
    ("env", Value::is_object),
    ("filter_env", Value::is_array),
    ("instance_var", Value::is_string),
    ("NODE_APP_INSTANCE", Value::is_u64),
    ("axm_actions", Value::is_array),
    ("axm_monitor", Value::is_object),
    ("axm_options", Value::is_object),
    ("axm_dynamic", Value::is_object),
    ("pmx", Value::is_boolean),
    ("automation", Value::is_boolean),
    ("vizion", Value::is_boolean),
    ("vizion_running", Value::is_boolean),
    ("windowsHide", Value::is_boolean),
    ("km_link", Value::is_boolean),
    ("pmx_module", Value::is_boolean),
];

#[test]
fn a_table_of_keys() {
    let home = Home::new();
    home.write("package.json", r#"{"version":"3.2.1"}"#);
    home.write("idle.js", IDLE);
    home.write("server.js", &format!("console.log('up')\n{SERVER}"));
    pm2(&home, &["start", "idle.js", "--", "-x"]).ok();
    pm2(
        &home,
        &["start", "server.js", "-i", "2", "--node-args=--no-warnings"],
    )
    .ok();
    let list = jlist(&home);
    assert_eq!(list.len(), 3);
    for (id, object) in list.iter().enumerate() {
        for key in ["pid", "name", "pm_id"] {
            assert!(!object[key].is_null(), "{key}");
        }
        assert_eq!(object["pm_id"], id);
        assert!(object["monit"]["memory"].as_u64().unwrap() > 1_000_000);
        assert!(object["monit"]["cpu"].is_number());
        for (key, fits) in KEYS {
            let value = &object["pm2_env"][key];
            assert!(
                object["pm2_env"].get(key).is_some() && fits(value),
                "{key}: {value}"
            );
        }
        let env = &object["pm2_env"];
        assert_eq!(env["status"], "online");
        assert_eq!(env["version"], "3.2.1");
        assert_eq!(env["env"]["pm_id"], id.to_string());
    }
    let (idle, server) = (&list[0]["pm2_env"], &list[2]["pm2_env"]);
    assert_eq!(
        (&idle["exec_mode"], &idle["args"][0]),
        (&"fork_mode".into(), &"-x".into())
    );
    assert_eq!(
        (&server["exec_mode"], &server["NODE_APP_INSTANCE"]),
        (&"cluster_mode".into(), &1.into())
    );
    assert_eq!(server["instances"], 2);
    assert_eq!(server["node_args"][0], "--no-warnings");
    assert_eq!(
        list[1]["pm2_env"]["unique_id"], server["unique_id"],
        "of one app"
    );
    assert!(
        server["pm_exec_path"]
            .as_str()
            .unwrap()
            .ends_with("/server.js")
    );
    let path = server["pm_out_log_path"].as_str().unwrap();
    eventually("the path of the log is true", || {
        std::fs::metadata(path).ok()
    });
    eventually("figures from inside", || {
        let list = jlist(&home);
        let monitor = &list[0]["pm2_env"]["axm_monitor"];
        let value = monitor["Used Heap Size"]["value"].as_str()?;
        value.parse::<f64>().ok().filter(|value| *value > 0.0)
    });
}

#[test]
fn states_have_the_words_of_pm2() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    home.write("broken.js", "process.exit(3)\n");
    pm2(&home, &["start", "idle.js"]).ok();
    pm2(&home, &["stop", "idle"]).ok();
    let stopped = objects(&home, "idle").remove(0);
    assert_eq!(
        (&stopped["pm2_env"]["status"], &stopped["pid"]),
        (&"stopped".into(), &0.into())
    );
    pm2(
        &home,
        &["start", "broken.js", "-i", "1", "--max-restarts", "1"],
    )
    .fails(1);
    let errored = eventually("errored", || {
        let object = objects(&home, "broken").remove(0);
        (object["pm2_env"]["status"] == "errored").then_some(object)
    });
    assert_eq!(errored["pm2_env"]["exit_code"], 3);
    assert!(errored["pm2_env"]["unstable_restarts"].as_u64().unwrap() > 0);
}

#[test]
fn secrets_are_not_in_it_unless_asked_for() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let mut start = command(&home, &["start", "idle.js"]);
    run(start.env("DB_PASSWORD", "hunter2").env("COLOUR", "green")).ok();
    for verb in [
        &["jlist"][..],
        &["prettylist"],
        &["env", "0"],
        &["describe", "idle"],
        &["report"],
    ] {
        let output = pm2(&home, verb).ok();
        assert!(!output.out.contains("hunter2"), "{verb:?}");
    }
    let object = objects(&home, "idle").remove(0);
    assert_eq!(object["pm2_env"]["env"]["DB_PASSWORD"], "(hidden)");
    assert_eq!(object["pm2_env"]["env"]["COLOUR"], "green");
    assert!(
        object["pm2_env"].get("COLOUR").is_none(),
        "nothing is flattened"
    );
    let mut as_pm2 = command(&home, &["jlist"]);
    let all = run(as_pm2.env("ROTA_PM2_ENV", "all")).ok().json();
    assert_eq!(all[0]["pm2_env"]["env"]["DB_PASSWORD"], "hunter2");
    assert_eq!(all[0]["pm2_env"]["COLOUR"], "green");
    assert_eq!(all[0]["pm2_env"]["status"], "online");
}
