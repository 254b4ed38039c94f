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
fn its_settings_are_the_rotation_of_apps_from_their_next_start_on() {
    let home = Home::new();
    home.write("app.js", IDLE);
    let usual = json!([20 << 20, null, 5, true]);
    pm2(&home, &["start", "app.js"]).ok();
    assert_eq!(rotation(&home, "app"), usual);

    let set = |key: &str, value: &str| pm2(&home, &["set", &format!("pm2-logrotate:{key}"), value]);
    set("max_size", "10M").ok().says("rotate_size");
    set("rotateInterval", "0 0 * * *").ok().says("rotate_every");
    set("retain", "few").ok().says("no number of files");
    set("TZ", "UTC").ok().says("has nothing for");
    assert_eq!(
        rotation(&home, "app"),
        usual,
        "not before it is started anew"
    );
    let told = json!([10 << 20, "daily", 5, true]);
    pm2(&home, &["reload", "app"]).ok();
    assert_eq!(rotation(&home, "app"), told);

    home.write(
        "ecosystem.json",
        r#"{"apps": [{"name": "other", "script": "app.js"}]}"#,
    );
    pm2(&home, &["start", "ecosystem.json"]).ok();
    assert_eq!(rotation(&home, "other"), told);
    let both = "pm2-logrotate:retain all pm2-logrotate:compress false";
    pm2(&home, &["multiset", both]).ok();
    let told = json!([10 << 20, "daily", u32::MAX, false]);
    pm2(&home, &["restart", "ecosystem.json"]).ok();
    assert_eq!(rotation(&home, "other"), told);

    for key in ["max_size", "rotateInterval", "retain", "compress"] {
        pm2(&home, &["unset", &format!("pm2-logrotate:{key}")]).ok();
    }
    pm2(&home, &["restart", "all"]).ok();
    assert_eq!(rotation(&home, "app"), usual);
    assert_eq!(rotation(&home, "other"), usual);
}
