//! What a file says holds: also what it has ceased to say.

use crate::support::Home;

use super::{IDLE, SERVER, objects, pm2, variable};

#[test]
fn changes_of_a_file_are_applied_whole() {
    let home = Home::new();
    home.write("server.js", SERVER);
    home.write("other.js", SERVER);
    let write = |text: &str| {
        home.write(
            "ecosystem.config.js",
            &format!("module.exports = {{ apps: [{text}] }}"),
        )
    };
    write("{ name: 'web', script: 'server.js', instances: 1, env: { A: '1', B: '2' } }");
    pm2(&home, &["start", "ecosystem.config.js"]).ok();
    std::fs::create_dir(home.path().join("sub")).unwrap();
    std::fs::copy(
        home.path().join("other.js"),
        home.path().join("sub/other.js"),
    )
    .unwrap();
    // Script, folder, number, a removed variable: PM2 would apply none of the first three, and keep the last.
    write("{ name: 'web', script: 'other.js', cwd: 'sub', instances: 2, env: { A: '3' } }");
    pm2(&home, &["restart", "ecosystem.config.js"]).ok();
    let web = objects(&home, "web");
    assert_eq!(web.len(), 2);
    for object in &web {
        assert!(
            object["pm2_env"]["pm_exec_path"]
                .as_str()
                .unwrap()
                .ends_with("sub/other.js")
        );
        assert_eq!(variable(&object["pid"], "A").as_deref(), Some("3"));
        assert_eq!(variable(&object["pid"], "B"), None);
    }
}

#[test]
fn apps_that_a_file_names_no_more_are_told() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    let write = |text: &str| {
        home.write(
            "ecosystem.config.js",
            &format!("module.exports = {{ apps: [{text}] }}"),
        )
    };
    write("{ name: 'a', script: 'idle.js' }, { name: 'b', script: 'idle.js' }");
    pm2(&home, &["start", "ecosystem.config.js"]).ok();
    write("{ name: 'a', script: 'idle.js' }");
    pm2(&home, &["startOrRestart", "ecosystem.config.js"])
        .ok()
        .says("pm2 delete b");
    assert_eq!(objects(&home, "b").len(), 1);
    pm2(&home, &["delete", "ecosystem.config.js"]).ok();
    assert!(objects(&home, "a").is_empty());
    assert_eq!(objects(&home, "b").len(), 1);
}

#[test]
fn some_of_a_file_and_files_of_other_forms() {
    let home = Home::new();
    home.write("idle.js", IDLE);
    home.write("pm2.json", r#"{ "apps": [ { "name": "a", "script": "idle.js" }, { "name": "b", "script": "idle.js" } ] }"#);
    home.write(
        "pm2.yaml",
        "apps:\n  - name: c\n    script: idle.js\n    instance_var: NUMBER\n",
    );
    pm2(&home, &["start", "pm2.json", "--only", "b"]).ok();
    assert!(objects(&home, "a").is_empty() && objects(&home, "b").len() == 1);
    pm2(&home, &["start", "pm2.json", "--only", "z"])
        .fails(1)
        .says("no app `z`");
    pm2(&home, &["start", "pm2.yaml"]).ok();
    let pid = &objects(&home, "c")[0]["pid"];
    assert_eq!(variable(pid, "NUMBER").as_deref(), Some("0"));
    assert_eq!(variable(pid, "NODE_APP_INSTANCE"), None);
    pm2(&home, &["stop", "pm2.yaml"]).ok();
    assert_eq!(objects(&home, "c")[0]["pm2_env"]["status"], "stopped");
    home.write("bad.json", r#"{ "apps": [ { "name": "x" } ] }"#);
    pm2(&home, &["start", "bad.json"]).fails(1).says("script");
}
