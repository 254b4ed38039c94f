//! Field by field: what stands in the file, and what the app is then.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::super::field::Set;
use super::super::fields::FIELDS;
use super::super::reference;
use super::app;

/// A field, what the file says, where in the specification it is found, and what is there then.
type Case = (&'static str, Json, &'static str, Json);

#[rustfmt::skip] // a table
fn cases() -> Vec<Case> {
    vec![
        ("cwd", json!({"cwd": "./api"}), "/cwd", json!("/srv/shop/api")),
        ("cwd", json!({"cwd": "~/api"}), "/cwd", json!("/home/me/api")),
        ("cwd", json!({"cwd": "/opt/api"}), "/cwd", json!("/opt/api")),
        ("script", json!({"script": "./dist/main.js"}), "/script", json!("./dist/main.js")),
        ("script", json!({"script": "npm run serve"}), "/script", json!("npm run serve")),
        ("exec", json!({"script": null, "exec": "x.js"}), "/script", json!("x.js")),
        ("cmd", json!({"script": null, "cmd": "x.js"}), "/script", json!("x.js")),
        ("command", json!({"script": null, "command": "x.js"}), "/script", json!("x.js")),
        ("name", json!({"name": "api"}), "/name", json!("api")),
        ("name", json!({"name": null, "script": "dist/main.server.js"}), "/name", json!("main.server")),
        ("name", json!({"name": "@acme/api:prod"}), "/name", json!("acme-api-prod")),
        ("name_prefix", json!({"name_prefix": "shop"}), "/name", json!("shop-web")),
        ("name_prefix", json!({"namePrefix": "we"}), "/name", json!("web")),
        ("append_env_to_name", json!({"append_env_to_name": true, "env_production": {}}), "/name", json!("web-production")),
        ("namespace", json!({"namespace": "shop"}), "/namespace", json!("shop")),
        ("args", json!({"args": "--name 'a b' -v"}), "/args", json!(["--name", "a b", "-v"])),
        ("args", json!({"args": ["a b", 3]}), "/args", json!(["a b", "3"])),
        ("exec_interpreter", json!({"exec_interpreter": "none"}), "/interpreter", json!("none")),
        ("interpreter", json!({"interpreter": "bin/node"}), "/interpreter", json!("/srv/shop/bin/node")),
        ("interpreter", json!({"interpreter": "~/.nvm/node"}), "/interpreter", json!("/home/me/.nvm/node")),
        ("interpreter", json!({"interpreter": ""}), "/interpreter", json!(null)),
        ("exec_interpreter", json!({"script": "app.ts"}), "/interpreter", json!("bun")),
        ("node_args", json!({"node_args": "--inspect --x=1"}), "/interpreter_args", json!(["--inspect", "--x=1"])),
        ("interpreter_args", json!({"interpreterArgs": ["--x"]}), "/interpreter_args", json!(["--x"])),
        ("exec_mode", json!({}), "/mode", json!("fork")),
        ("exec_mode", json!({"exec_mode": "cluster"}), "/mode", json!("cluster")),
        ("exec_mode", json!({"execMode": "cluster_mode"}), "/mode", json!("cluster")),
        ("exec_mode", json!({"exec_mode": "fork_mode", "instances": 2}), "/mode", json!("fork")),
        ("exec_mode", json!({"exec_mode": "cluster", "script": "app.py"}), "/mode", json!("fork")),
        ("exec_mode", json!({"exec_mode": "cluster", "script": "npm"}), "/mode", json!("fork")),
        ("instances", json!({"instances": 4}), "/instances", json!(4)),
        ("instances", json!({"instances": "4"}), "/instances", json!(4)),
        ("instances", json!({"instances": "max"}), "/instances", json!("max")),
        ("instances", json!({"instances": 0}), "/instances", json!("max")),
        ("instances", json!({"instances": -1}), "/instances", json!("-1")),
        // The look at the file decides: cluster mode if Node runs it.
        ("instances", json!({"instances": 1}), "/mode", json!(null)),
        ("env", json!({"env": {"A": 1}}), "/env/A", json!("1")),
        ("filter_env", json!({"filter_env": ["AWS"]}), "/env/AWS_KEY", json!(null)),
        ("filter_env", json!({"filter_env": ["KEY"]}), "/env/AWS_REGION", json!("eu")),
        ("filter_env", json!({"filter_env": true}), "/env/AWS_REGION", json!(null)),
        ("filter_env", json!({"filter_env": true}), "/env/PATH", json!("/usr/bin:/bin")),
        ("filter_env", json!({"filter_env": "AWS_KEY"}), "/env/AWS_KEY", json!(null)),
        ("port", json!({"port": "3000"}), "/env/PORT", json!("3000")),
        ("port", json!({"port": 3000, "env": {"PORT": 1}}), "/env/PORT", json!("3000")),
        ("port", json!({"port": 3000, "env_production": {"PORT": 80}}), "/env/PORT", json!("80")),
        ("instance_var", json!({"instance_var": "INSTANCE_ID"}), "/compat/instance_var", json!("INSTANCE_ID")),
        ("instance_var", json!({"instance_var": "NODE_APP_INSTANCE"}), "/compat/instance_var", json!(null)),
        ("increment_var", json!({"increment_var": "PORT"}), "/compat/increment_var", json!("PORT")),
        ("source_map_support", json!({"source_map_support": true}), "/interpreter_args", json!(["--enable-source-maps"])),
        ("source_map_support", json!({"source_map_support": true, "script": "a.py"}), "/interpreter_args", json!([])),
        ("out_file", json!({"out_file": "logs/out.log"}), "/logs/out", json!("/srv/shop/logs/out.log")),
        ("out", json!({"out": "/var/log/out.log"}), "/logs/out", json!("/var/log/out.log")),
        ("output", json!({"cwd": "api", "output": "o"}), "/logs/out", json!("/srv/shop/api/o")),
        ("out_log", json!({"out_log": "~/o"}), "/logs/out", json!("/home/me/o")),
        ("out_file", json!({"out_file": "NULL"}), "/logs/out", json!("/dev/null")),
        ("out_file", json!({"out_file": "/dev/null", "error_file": "NULL"}), "/logs/disabled", json!(true)),
        ("error_file", json!({"error_file": "e"}), "/logs/err", json!("/srv/shop/e")),
        ("error", json!({"error": "e"}), "/logs/err", json!("/srv/shop/e")),
        ("err", json!({"err": "e"}), "/logs/err", json!("/srv/shop/e")),
        ("err_file", json!({"errFile": "e"}), "/logs/err", json!("/srv/shop/e")),
        ("err_log", json!({"err_log": "e"}), "/logs/err", json!("/srv/shop/e")),
        ("log_file", json!({"log_file": "all.log"}), "/logs/joined", json!("/srv/shop/all.log")),
        ("log", json!({"log": "all.log"}), "/logs/joined", json!("/srv/shop/all.log")),
        ("log_file", json!({"log_file": true}), "/logs/joined", json!(null)),
        ("disable_logs", json!({"disable_logs": "true"}), "/logs/disabled", json!(true)),
        ("log_type", json!({"log_type": "json"}), "/logs/format", json!("json")),
        ("time", json!({"time": true}), "/logs/time", json!("%Y-%m-%dT%H:%M:%S")),
        ("log_date_format", json!({"log_date_format": "YYYY-MM-DD HH:mm Z", "time": true}), "/logs/time", json!("%Y-%m-%d %H:%M %:z")),
        ("log_date_format", json!({"log_date_format": ""}), "/logs/time", json!(null)),
        ("merge_logs", json!({"merge_logs": true}), "/logs/merge", json!(true)),
        ("combine_logs", json!({"combine_logs": true}), "/logs/merge", json!(true)),
        ("autostart", json!({"autostart": false}), "/name", json!("web")),
        ("autorestart", json!({"autorestart": false}), "/restart/autorestart", json!(false)),
        ("stop_exit_codes", json!({"stop_exit_codes": [0, "143"]}), "/restart/stop_exit_codes", json!([0, 143])),
        ("stop_exit_codes", json!({"stop_exit_codes": 0}), "/restart/stop_exit_codes", json!([0])),
        ("min_uptime", json!({"min_uptime": "10s"}), "/restart/min_uptime", json!("10s")),
        ("min_uptime", json!({"minUptime": 5000}), "/restart/min_uptime", json!("5s")),
        ("max_restarts", json!({"max_restarts": "10"}), "/restart/max_restarts", json!(10)),
        ("restart_delay", json!({"restart_delay": 4000}), "/restart/delay", json!("4s")),
        ("exp_backoff_restart_delay", json!({"exp_backoff_restart_delay": 100}), "/restart/backoff", json!("100ms")),
        ("exp_backoff_restart_delay", json!({"exp_backoff_restart_delay": 0}), "/restart/backoff", json!(null)),
        ("max_memory_restart", json!({"max_memory_restart": "300M"}), "/limits/max_memory", json!(300 << 20)),
        ("max_memory_restart", json!({"maxMemoryRestart": 1024}), "/limits/max_memory", json!(1024)),
        ("kill_timeout", json!({"kill_timeout": "3000"}), "/stop/kill_timeout", json!("3s")),
        ("kill_timeout", json!({}), "/stop/kill_timeout", json!("5s")),
        ("listen_timeout", json!({"listen_timeout": 8000}), "/readiness/listen_timeout", json!("8s")),
        ("listen_timeout", json!({}), "/readiness/listen_timeout", json!("30s")),
        ("wait_ready", json!({"wait_ready": true}), "/readiness/wait_ready", json!(true)),
        ("shutdown_with_message", json!({"shutdown_with_message": true}), "/stop/message", json!(true)),
        ("cron_restart", json!({"cron_restart": "0 3 * * *"}), "/cron", json!({"schedule": "0 3 * * *", "action": "reload"})),
        ("cron", json!({"cron": "*/5 0 3 * * 1"}), "/cron/schedule", json!("*/5 0 3 * * 1")),
        ("cron_restart", json!({"cron_restart": "0"}), "/cron", json!(null)),
        ("cron_restart", json!({"cron_restart": 0}), "/cron", json!(null)),
        ("watch", json!({"watch": true}), "/watch/paths", json!([])),
        ("watch", json!({"watch": "src"}), "/watch/paths", json!(["/srv/shop/src"])),
        ("watch", json!({"watch": ["src", "/etc/x"]}), "/watch/paths", json!(["/srv/shop/src", "/etc/x"])),
        ("watch", json!({"watch": true}), "/watch/action", json!("restart")),
        ("watch", json!({"watch": false}), "/watch", json!(null)),
        ("ignore_watch", json!({"watch": true}), "/watch/ignore", json!(["node_modules", ".*"])),
        ("ignore_watch", json!({"watch": true, "ignore_watch": ["./tmp", "*.log", "[\\/\\\\]\\./", "a\\d"]}), "/watch/ignore", json!(["tmp", "*.log", ".*"])),
        ("ignore_watch", json!({"watch": true, "ignoreWatch": "public"}), "/watch/ignore", json!(["public"])),
        ("watch_delay", json!({"watch": true, "watch_delay": 1000}), "/watch/delay", json!("1s")),
        ("watch_options", json!({"watch": true, "watch_options": {"ignored": "tmp", "usePolling": true}}), "/watch/ignore", json!(["tmp"])),
        ("watch_options", json!({"watch": true, "watch_options": {"awaitWriteFinish": {"stabilityThreshold": 2000}}}), "/watch/delay", json!("2s")),
        ("uid", json!({"uid": 1000}), "/process/user", json!("1000")),
        ("user", json!({"user": "node"}), "/process/user", json!("node")),
        ("gid", json!({"gid": "www-data"}), "/process/group", json!("www-data")),
        ("group", json!({"group": 33}), "/process/group", json!("33")),
    ]
}

#[test]
fn every_field_has_its_meaning() {
    for (field, fields, place, expected) in cases() {
        let profile = fields.get("env_production").map(|_| "production");
        let (spec, _) = app(fields.clone(), profile);
        let spec = serde_json::to_value(&spec).unwrap();
        let there = spec.pointer(place).cloned().unwrap_or_default();
        assert_eq!(there, expected, "{field}: {fields}");
    }
}

#[test]
fn no_field_and_no_name_is_without_a_test() {
    let tested: BTreeSet<&str> = cases().iter().map(|case| case.0).collect();
    let with_meaning = FIELDS
        .iter()
        .filter(|field| matches!(field.set, Set::To(_)));
    let names = with_meaning.flat_map(|field| field.names().collect::<Vec<_>>());
    let missing: Vec<&str> = names.filter(|name| !tested.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn names_are_unambiguous() {
    let mut names: Vec<&str> = FIELDS
        .iter()
        .flat_map(|field| field.names().collect::<Vec<_>>())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn fields_without_a_meaning_are_told_in_one_warning() {
    for field in FIELDS {
        let quiet = match field.set {
            Set::To(_) => continue,
            Set::Nothing => None,
            Set::NothingUnless(quiet) => Some(quiet),
        };
        for name in field.names() {
            let loud = json!({ name: quiet.is_none_or(|quiet| !quiet) });
            let (_, taken) = app(loud, None);
            let warning = format!("`{name}` (web)");
            assert_eq!(taken.warnings.len(), 1, "{name}");
            assert!(
                taken.warnings[0].contains(&warning),
                "{}",
                taken.warnings[0]
            );
            let Some(quiet) = quiet else { continue };
            assert_eq!(
                app(json!({ name: quiet }), None).1.warnings,
                Vec::<String>::new()
            );
        }
    }
}

/// `ROTA_WRITE_DOCS=1 cargo test -p rota-config` writes it.
#[test]
fn the_table_in_the_docs_is_the_table() {
    crate::testing::is_in_the_docs("pm2-files.md", "fields", &reference());
}
