//! What the environment of an app is made of.

use serde_json::json;

use super::app;

#[test]
fn the_whole_environment_of_the_caller_and_then_the_files() {
    let (spec, taken) = app(
        json!({"env": {"A": "1", "AWS_REGION": null, "LIST": [1, {"x": true}], "FLAG": false, "REAL": 1.5}}),
        None,
    );
    for (name, value) in [
        ("A", Some("1")),
        ("AWS_KEY", Some("x")),
        ("AWS_REGION", None),
        ("LIST", Some("[1,{\"x\":true}]")),
        ("FLAG", Some("false")),
        ("REAL", Some("1.5")),
        ("PWD", Some("/srv/shop")),
        ("PYTHONUNBUFFERED", None),
    ] {
        assert_eq!(spec.env.get(name), value, "{name}");
    }
    let origins = &taken.apps[0].origins.env;
    assert!(origins["AWS_KEY"].shell && origins["AWS_KEY"].file.is_none());
    assert!(!origins["A"].shell && origins["A"].file.is_some());
    assert_eq!(
        app(json!({"script": "a.py"}), None)
            .0
            .env
            .get("PYTHONUNBUFFERED"),
        Some("1")
    );
    assert_eq!(app(json!({"uid": "web"}), None).0.env.get("HOME"), None);
}

#[test]
fn a_profile_wins_over_env() {
    let fields = json!({"env": {"A": "1", "B": "1"}, "env_production": {"B": "2", "C": "2"}, "env_test": {"A": "3"}});
    let (spec, taken) = app(fields.clone(), Some("production"));
    let values = ["A", "B", "C"].map(|name| spec.env.get(name));
    assert_eq!(values, [Some("1"), Some("2"), Some("2")]);
    assert_eq!(taken.apps[0].origins.profile.as_deref(), Some("production"));
    let (spec, _) = app(fields, None);
    assert_eq!(
        ["A", "B", "C"].map(|name| spec.env.get(name)),
        [Some("1"), Some("1"), None]
    );
}
