//! What pm2-logrotate is told is what rota does.

use serde_json::{Value, json};

use crate::support::Home;

use super::{IDLE, pm2};

fn rotation(home: &Home, app: &str) -> Value {
    let described = home.rota(&["describe", app, "--json"]).ok().json();
    let rotation = &described["apps"][0]["settings"]["logs"]["rotation"];
    json!([
        rotation["size_bytes"],
        rotation["every"],
        rotation["keep"],
        rotation["compress"]
    ])
}

#[test]
fn its_settings_are_the_rotation_of_apps_from_then_on() {
    let home = Home::new();
    home.write("app.js", IDLE);
    let usual = json!([20 << 20, null, 5, true]);
    pm2(&home, &["start", "app.js"]).ok();
    assert_eq!(rotation(&home, "app"), usual);

    let set = |key: &str, value: &str| pm2(&home, &["set", &format!("pm2-logrotate:{key}"), value]);
    let pid = home.app("app").pids();
    set("max_size", "10M")
        .ok()
        .says("rotate_size")
        .says("its workers stay");
    assert_eq!(rotation(&home, "app"), json!([10 << 20, null, 5, true]));
    set("rotateInterval", "0 0 * * *").ok().says("rotate_every");
    set("retain", "few").ok().says("no number of files");
    set("TZ", "UTC").ok().says("has nothing for");
    let told = json!([10 << 20, "daily", 5, true]);
    assert_eq!(rotation(&home, "app"), told);
    assert_eq!(home.app("app").pids(), pid);

    home.write(
        "ecosystem.json",
        r#"{"apps": [{"name": "other", "script": "app.js"}]}"#,
    );
    pm2(&home, &["start", "ecosystem.json"]).ok();
    assert_eq!(rotation(&home, "other"), told);
    let both = "pm2-logrotate:retain all pm2-logrotate:compress false";
    pm2(&home, &["multiset", both]).ok();
    let told = json!([10 << 20, "daily", u32::MAX, false]);
    assert_eq!(rotation(&home, "other"), told);
    // What an old module_conf.json says, or a hand has written, holds from the next start on.
    let conf = home.rota_home().join("pm2/module_conf.json");
    let by_hand = r#"{"pm2-logrotate": {"max_size": "3M", "retain": "7"}}"#;
    std::fs::write(conf, by_hand).unwrap();
    assert_eq!(
        rotation(&home, "app"),
        told,
        "not before it is started anew"
    );
    let told = json!([3 << 20, null, 7, true]);
    pm2(&home, &["reload", "app"]).ok();
    assert_eq!(rotation(&home, "app"), told);
    pm2(&home, &["restart", "ecosystem.json"]).ok();
    assert_eq!(rotation(&home, "other"), told);
    pm2(&home, &["stop", "other"]).ok();
    home.rota(&["start", "app.js", "--name", "own"]).ok();

    for key in ["max_size", "retain"] {
        pm2(&home, &["unset", &format!("pm2-logrotate:{key}")]).ok();
    }
    assert_eq!(rotation(&home, "app"), usual);
    assert_eq!(rotation(&home, "other"), usual, "also at rest");
    let said = pm2(&home, &["set", "pm2-logrotate:retain", "9", "--silent"]).ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert_eq!(rotation(&home, "app"), json!([20 << 20, null, 9, true]));
    assert_eq!(rotation(&home, "own"), usual, "pm2 has not started it");
}
