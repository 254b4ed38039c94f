//! Scripts that were written for PM2.

use std::process::Command;

use crate::support::{Home, eventually, get, run};

use super::{IDLE, SERVER, linked, objects, pm2, variable};

/// A shell script, with `pm2` on its PATH.
fn script(home: &Home, text: &str) -> Command {
    linked(home, "pm2");
    let mut command = home.program("bash");
    let path = std::env::var("PATH").unwrap();
    command
        .args(["-euo", "pipefail", "-c", text])
        .env("PATH", format!("{}:{path}", home.path().display()))
        .env_remove("PM2_HOME");
    command
}

const ECOSYSTEM: &str = "module.exports = { apps: [\n\
    { name: 'web', script: 'server.js', instances: 2, env: { STAGE: 'dev', ONLY_DEV: '1' },\n\
      env_production: { STAGE: 'production', NODE_ENV: 'production' } },\n\
    { name: 'bg', script: 'idle.js' } ] }\n";

#[test]
fn a_deployment() {
    let home = Home::new();
    home.write("server.js", SERVER);
    home.write("idle.js", IDLE);
    home.write("ecosystem.config.js", ECOSYSTEM);
    let deploy = "pm2 startOrReload ecosystem.config.js --env production --update-env && pm2 save";
    run(&mut script(&home, deploy)).ok();
    let before = objects(&home, "web");
    assert_eq!(before.len(), 2);
    assert_eq!(
        variable(&before[0]["pid"], "STAGE").as_deref(),
        Some("production")
    );
    assert_eq!(objects(&home, "bg").len(), 1);
    // Again: everything is new, under the same numbers.
    run(&mut script(&home, deploy)).ok();
    let after = objects(&home, "web");
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old["pm_id"], new["pm_id"]);
        assert_ne!(old["pid"], new["pid"]);
    }
    let port = home.app("web").port().unwrap();
    assert!(get(port, "/").body.contains("production"));
}

#[test]
fn health_is_asked_of_jlist() {
    let home = Home::new();
    home.write("server.js", SERVER);
    // What a first call prints besides would break whoever reads JSON.
    let count = "pm2 start server.js -i 2 >/dev/null\n\
        pm2 jlist | node -e 'let t = \"\"; process.stdin.on(\"data\", d => t += d).on(\"end\", () => {\n\
          const online = JSON.parse(t).filter(p => p.pm2_env.status === \"online\")\n\
          console.log(online.length, online.every(p => p.monit.memory > 0 && p.pm2_env.pm_uptime <= Date.now()))\n\
        })'";
    assert_eq!(run(&mut script(&home, count)).ok().out, "2 true\n");
    let restart = "old=$(pm2 pid server | head -1); pm2 restart all >/dev/null; test \"$old\" != \"$(pm2 pid server | head -1)\"";
    run(&mut script(&home, restart)).ok();
    let guard = "pm2 describe nobody >/dev/null 2>&1 || pm2 start server.js --name nobody -s; pm2 describe nobody >/dev/null";
    run(&mut script(&home, guard)).ok();
}

#[test]
fn apps_come_on_standard_input() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let text = "echo '{ \"apps\": [{ \"name\": \"piped\", \"script\": \"idle.js\", \"env\": { \"A\": 1 } }] }' | pm2 start -";
    run(&mut script(&home, text)).ok();
    assert_eq!(
        variable(&objects(&home, "piped")[0]["pid"], "A").as_deref(),
        Some("1")
    );
    run(&mut script(
        &home,
        "echo '{' | pm2 start - && exit 9 || test $? = 1",
    ))
    .ok();
}

#[test]
fn a_line_for_the_shell_and_other_interpreters() {
    let home = Home::new();
    home.write("loop.sh", "while :; do sleep 1; done\n");
    pm2(&home, &["start", "sleep 1000; true", "--name", "line"]).ok();
    pm2(&home, &["start", "loop.sh"]).ok();
    pm2(&home, &["start", "loop.sh", "--name", "two", "-i", "2"]).ok();
    for (name, count) in [("line", 1), ("loop", 1), ("two", 2)] {
        let objects = objects(&home, name);
        assert_eq!(objects.len(), count, "{name}");
        assert_eq!(objects[0]["pm2_env"]["exec_mode"], "fork_mode", "{name}");
    }
}

#[test]
fn one_instance_of_a_node_script_is_a_cluster_and_ids_are_reused() {
    let home = Home::new();
    home.write("server.js", SERVER);
    pm2(&home, &["start", "server.js", "--name", "a", "-i", "1"]).ok();
    pm2(&home, &["start", "server.js", "--name", "b"]).ok();
    assert_eq!(
        objects(&home, "a")[0]["pm2_env"]["exec_mode"],
        "cluster_mode"
    );
    assert_eq!(objects(&home, "b")[0]["pm2_env"]["exec_mode"], "fork_mode");
    pm2(&home, &["delete", "a"]).ok();
    pm2(&home, &["start", "server.js", "--name", "c", "-i", "2"]).ok();
    let ids: Vec<_> = objects(&home, "c")
        .iter()
        .map(|object| object["pm_id"].clone())
        .collect();
    assert_eq!(ids, [0, 2], "the lowest that are free");
    pm2(&home, &["delete", "2"]).ok();
    assert_eq!(objects(&home, "c").len(), 1);
    pm2(&home, &["scale", "c", "+2"]).ok();
    pm2(&home, &["scale", "c", "-1"]).ok();
    assert_eq!(objects(&home, "c").len(), 2);
    assert_eq!(pm2(&home, &["id", "b"]).ok().out, "[ 1 ]\n");
}

#[test]
fn code_that_does_not_start_keeps_the_old_and_fails() {
    let home = Home::new();
    let path = home.write("server.js", SERVER);
    pm2(&home, &["start", "server.js", "-i", "2"]).ok();
    let before = objects(&home, "server");
    std::fs::write(path, "throw new Error('broken')\n").unwrap();
    // PM2 takes everything down here, and says that all is well.
    pm2(&home, &["reload", "server"]).fails(1).says("broken");
    let after = objects(&home, "server");
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(
            (&old["pid"], &new["pm2_env"]["status"]),
            (&new["pid"], &"online".into())
        );
    }
}

#[test]
fn the_last_words_are_in_the_logs() {
    let home = Home::new();
    let text = "for (let i = 0; i < 2000; i++) console.log('line ' + i)\nconsole.error('the last word')\nprocess.exit(3)\n";
    home.write("dies.js", text);
    pm2(&home, &["start", "dies.js", "-i", "1", "--no-autorestart"]);
    let object = objects(&home, "dies").remove(0);
    let path = |key: &str| object["pm2_env"][key].as_str().unwrap().to_owned();
    eventually("all lines are there", || {
        let out = std::fs::read_to_string(path("pm_out_log_path")).ok()?;
        let err = std::fs::read_to_string(path("pm_err_log_path")).ok()?;
        (out.lines().count() >= 2000 && err.contains("the last word")).then_some(())
    });
    pm2(&home, &["logs", "dies", "--nostream", "--err", "--raw"])
        .ok()
        .says("the last word");
    pm2(&home, &["flush", "dies"]).ok();
    assert_eq!(std::fs::metadata(path("pm_out_log_path")).unwrap().len(), 0);
}
