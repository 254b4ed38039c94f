//! What PM2 has written about its processes, or tells of them: `dump.pm2`, `pm2 jlist`.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::super::mistake::Mistake;

/// Options that are kept in a dump under their own names.
const OPTIONS: [&str; 29] = [
    "args",
    "autorestart",
    "cron_restart",
    "disable_logs",
    "exec_interpreter",
    "exec_mode",
    "exp_backoff_restart_delay",
    "gid",
    "ignore_watch",
    "increment_var",
    "instance_var",
    "kill_timeout",
    "listen_timeout",
    "log_date_format",
    "log_type",
    "max_memory_restart",
    "max_restarts",
    "min_uptime",
    "namespace",
    "node_args",
    "restart_delay",
    "shutdown_with_message",
    "source_map_support",
    "stop_exit_codes",
    "uid",
    "wait_ready",
    "watch",
    "watch_delay",
    "watch_options",
];

/// Variables that PM2 itself gives to processes, besides those that begin with `PM2_` or `axm_`.
const OWN: [&str; 40] = [
    "NODE_APP_INSTANCE",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "autorestart",
    "automation",
    "autostart",
    "created_at",
    "exec_interpreter",
    "exec_mode",
    "exit_code",
    "filter_env",
    "instance_var",
    "instances",
    "kill_retry_time",
    "km_link",
    "merge_logs",
    "name",
    "namespace",
    "node_args",
    "node_version",
    "pm_cwd",
    "pm_err_log_path",
    "pm_exec_path",
    "pm_id",
    "pm_log_path",
    "pm_out_log_path",
    "pm_pid_path",
    "pm_uptime",
    "pmx",
    "prev_restart_delay",
    "restart_time",
    "status",
    "treekill",
    "unique_id",
    "unstable_restarts",
    "username",
    "vizion",
    "vizion_running",
    "windowsHide",
];

/// An app that PM2 knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name there.
    pub name: String,
    /// Its processes that run there, as far as it is told.
    pub pids: Vec<u32>,
    /// How many of them it has, running or not.
    pub processes: u32,
    /// It is in cluster mode: PM2's daemon has its sockets.
    pub cluster: bool,
    /// At least one of them is meant to run.
    pub wanted: bool,
}

/// What PM2 knows.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    /// Its apps, in the order of their first processes.
    pub apps: Vec<Known>,
    /// The same as an ecosystem file would have it.
    pub ecosystem: Json,
    /// What is left out: modules of PM2.
    pub warnings: Vec<String>,
}

impl Dump {
    /// Reads a list of processes: of `dump.pm2`, or of `pm2 jlist`. `home` is PM2's; log files there are not taken over.
    ///
    /// # Errors
    /// If it is no such list.
    pub fn read(list: &Json, home: &Path) -> Result<Self, Mistake> {
        let Json::Array(list) = list else {
            return Err(Mistake::of_file("it is no list of PM2's processes")
                .help("`pm2 save` writes one to ~/.pm2/dump.pm2"));
        };
        let mut dump = Self::default();
        let mut tables: Vec<Map<String, Json>> = Vec::new();
        for entry in list {
            let process = entry.get("pm2_env").unwrap_or(entry);
            let (Some(name), Json::Object(fields)) = (name(process), process) else {
                return Err(Mistake::of_file("one of its processes has no name"));
            };
            if process["pmx_module"] == true {
                dump.warnings.push(format!(
                    "the module {name} is left out: rota has none{}",
                    instead(&name)
                ));
                continue;
            }
            let pid = entry["pid"]
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok());
            let wanted = !matches!(
                process["status"].as_str(),
                Some("stopped" | "stopping" | "errored")
            );
            let known = match dump.apps.iter_mut().position(|app| app.name == name) {
                Some(index) => &mut dump.apps[index],
                None => {
                    tables.push(table(&name, fields, home));
                    dump.apps.push(Known {
                        name,
                        pids: Vec::new(),
                        processes: 0,
                        cluster: process["exec_mode"]
                            .as_str()
                            .is_some_and(|mode| mode.starts_with("cluster")),
                        wanted: false,
                    });
                    let last = dump.apps.len() - 1;
                    &mut dump.apps[last]
                }
            };
            known.processes += 1;
            known.wanted |= wanted;
            known.pids.extend(pid.filter(|pid| *pid > 0));
        }
        for (app, table) in dump.apps.iter().zip(&mut tables) {
            table.insert("instances".to_owned(), app.processes.into());
        }
        dump.ecosystem = json!({ "apps": tables });
        Ok(dump)
    }
}

fn name(process: &Json) -> Option<String> {
    match &process["name"] {
        Json::String(name) => Some(name.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn instead(module: &str) -> &'static str {
    match module {
        "pm2-logrotate" => "; log files are rotated anyway",
        _ => "",
    }
}

fn table(name: &str, fields: &Map<String, Json>, home: &Path) -> Map<String, Json> {
    let mut table = Map::new();
    for option in OPTIONS {
        if let Some(value) = fields.get(option).filter(|value| says_something(value)) {
            table.insert(option.to_owned(), value.clone());
        }
    }
    table.insert("name".to_owned(), name.into());
    for (option, field) in [("script", "pm_exec_path"), ("cwd", "pm_cwd")] {
        if let Some(value) = fields.get(field) {
            table.insert(option.to_owned(), value.clone());
        }
    }
    let logs = [
        ("out_file", "pm_out_log_path"),
        ("error_file", "pm_err_log_path"),
        ("log_file", "pm_log_path"),
    ];
    for (option, field) in logs {
        let path = fields.get(field).and_then(Json::as_str).unwrap_or_default();
        if !path.is_empty() && !Path::new(path).starts_with(home.join("logs")) {
            table.insert(option.to_owned(), path.into());
        }
    }
    // What was inherited once is part of it: the caller's own would only be in the way.
    table.insert("filter_env".to_owned(), true.into());
    table.insert("env".to_owned(), variables(name, fields.get("env")));
    table
}

/// PM2 writes what was not given as empty, or as undefined.
fn says_something(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::String(text) => !text.is_empty(),
        _ => true,
    }
}

/// The app's variables, without PM2's own and what it has put there by mistake.
fn variables(app: &str, env: Option<&Json>) -> Json {
    let own = |name: &str| {
        OWN.contains(&name) || name.starts_with("PM2_") || name.starts_with("axm_") || name == app
    };
    let Some(Json::Object(env)) = env else {
        return json!({});
    };
    let kept = env.iter().filter(|(name, value)| {
        let good = !name.is_empty() && !name.contains(['=', '\0']);
        good && !own(name) && !value.is_object() && !value.is_array() && !value.is_null()
    });
    Json::Object(
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_name_are_one_app() {
        let process = |name: &str, status: &str| {
            json!({"name": name, "pm_exec_path": "/srv/a.js", "pm_cwd": "/srv", "exec_mode": "cluster_mode", "status": status,
                "pm_out_log_path": "/home/me/.pm2/logs/a-out.log", "pm_err_log_path": "/var/log/a.err", "pm_log_path": "",
                "SECRET": "flat", "node_args": [], "args": ["-v"], "kill_timeout": 3000, "vizion": true,
                "env": {"SECRET": "x", "PM2_HOME": "/x", "pm_id": 3, "NODE_APP_INSTANCE": 1, "a": {}, "PATH": "/bin"}})
        };
        let list = json!([
            process("a", "online"),
            {"pid": 12, "name": "a", "pm2_env": process("a", "online")},
            process("b", "stopped"),
            {"name": "pm2-logrotate", "pmx_module": true},
        ]);
        let dump = Dump::read(&list, Path::new("/home/me/.pm2")).unwrap();
        let a = &dump.apps[0];
        assert_eq!(
            (
                a.name.as_str(),
                a.processes,
                a.pids.as_slice(),
                a.cluster,
                a.wanted
            ),
            ("a", 2, &[12][..], true, true)
        );
        assert!(!dump.apps[1].wanted);
        assert_eq!(dump.warnings.len(), 1);
        assert_eq!(
            dump.ecosystem["apps"][0],
            json!({"name": "a", "script": "/srv/a.js", "cwd": "/srv", "exec_mode": "cluster_mode", "args": ["-v"],
                "kill_timeout": 3000, "error_file": "/var/log/a.err", "filter_env": true, "instances": 2,
                "env": {"SECRET": "x", "PATH": "/bin"}})
        );
        for bad in [json!({}), json!([{}]), json!([1])] {
            assert!(Dump::read(&bad, Path::new("/")).is_err());
        }
        let every = OPTIONS.iter().all(|option| {
            super::super::fields::FIELDS
                .iter()
                .any(|field| field.names().any(|name| name == *option))
        });
        assert!(every);
    }
}
