//! The table of keys, and what is made of it.

use std::path::Path;

use serde_json::Value as Json;

use super::super::node::{Value, from_toml};
use super::super::settings::scratch;
use super::super::{Found, KEYS, bare_or_quoted, key, reference, schema, template, toml};
use super::apps;
use crate::{AppName, AppSpec};

fn set(spec: &mut AppSpec, name: &str, value: &str) {
    let (entries, problems) = from_toml(&format!("x = {value}"));
    assert!(problems.is_empty(), "{name} = {value}: {problems:?}");
    let key = key(name).unwrap();
    assert!(key.kind.fits(&entries[0].node), "{name} = {value}");
    key.set(spec, &entries[0].node, Path::new("/srv"))
        .unwrap_or_else(|wrong| panic!("{name} = {value}: {wrong:?}"));
}

#[test]
fn every_example_is_good_and_comes_back() {
    for key in KEYS {
        let mut spec = scratch(Path::new("/srv"));
        if let Some(needs) = key.needs {
            set(&mut spec, needs, super::super::key(needs).unwrap().example);
        }
        let before = spec.clone();
        set(&mut spec, key.name, key.example);
        let Some(_) = key.access else { continue };
        let value = key.value(&spec);
        assert!(!value.is_null(), "{}", key.name);
        let mut again = before;
        set(&mut again, key.name, &toml(&value));
        assert_eq!(again, spec, "{} = {}", key.name, toml(&value));
    }
}

#[test]
fn every_field_of_a_specification_has_a_key() {
    let mut full = scratch(Path::new("/srv"));
    for key in KEYS {
        set(&mut full, key.name, key.example);
    }
    full.env.set("A", "1");
    let mut rebuilt = scratch(Path::new("/srv"));
    for key in KEYS.iter().filter(|key| key.access.is_some()) {
        set(&mut rebuilt, key.name, &toml(&key.value(&full)));
    }
    rebuilt.env.set("A", "1");
    assert_eq!(rebuilt, full);
    // A field that no example changes would be one without a key.
    let plain = serde_json::to_value(scratch(Path::new("/srv"))).unwrap();
    unchanged("", &plain, &serde_json::to_value(&full).unwrap());
}

/// Fields whose example is their default.
fn unchanged(path: &str, plain: &Json, full: &Json) {
    let (Json::Object(plain), Json::Object(full)) = (plain, full) else {
        let known = ["/name", "/probe/interval", "/probe/timeout"];
        assert!(plain != full || known.contains(&path), "{path} has no key");
        return;
    };
    assert!(plain != full || path == "/env", "{path} has no key");
    for (name, value) in full {
        unchanged(
            &format!("{path}/{name}"),
            plain.get(name).unwrap_or(&Json::Null),
            value,
        );
    }
}

#[test]
fn names_are_those_of_flags_and_no_name_is_taken_twice() {
    for key in KEYS {
        assert!(
            key.name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{}",
            key.name
        );
        assert!(
            key.doc.ends_with('.') && key.doc.len() < 120,
            "{}",
            key.name
        );
        for other in key.also {
            assert!(
                super::super::key(other).is_none(),
                "{other} is a key itself"
            );
            let holders = KEYS.iter().filter(|key| key.also.contains(other)).count();
            assert_eq!(holders, 1, "{other}");
        }
    }
}

#[test]
fn the_reference_in_the_docs_is_the_table() {
    crate::testing::is_in_the_docs("config.md", "reference", &reference());
}

#[test]
fn the_schema_has_every_key() {
    let schema = schema();
    let app = &schema["properties"]["apps"]["additionalProperties"];
    assert_eq!(app["additionalProperties"], false);
    for key in KEYS {
        let property = &app["properties"][key.name];
        assert!(property["description"].is_string(), "{}", key.name);
        let shared = schema["properties"]["defaults"]["properties"].get(key.name);
        assert_eq!(
            shared.is_some(),
            !key.single && key.name != "env",
            "{}",
            key.name
        );
    }
    assert_eq!(app["properties"]["nice"]["minimum"], -20);
}

#[test]
fn the_template_is_a_good_file() {
    let found = |name: &str, script: &str| Found {
        name: AppName::new(name).unwrap(),
        script: script.to_owned(),
        args: vec!["--port".to_owned(), "30 \"00\"".to_owned()],
        node_args: Vec::new(),
        env: vec![("MODE".to_owned(), "a \"b\"".to_owned())],
        from: "package.json, scripts.start".to_owned(),
    };
    let text = template(
        &[found("web", "server.js"), found("my app", "C:\\x")],
        Some(".env"),
    );
    let read = apps(&text);
    assert_eq!(
        (read[0].spec.script.as_str(), read[1].spec.script.as_str()),
        ("server.js", "C:\\x")
    );
    assert_eq!(read[1].spec.args[1], "30 \"00\"");
    assert_eq!(read[0].spec.env.get("PORT"), Some("3000"));
    assert_eq!(read[0].spec.env.get("MODE"), Some("a \"b\""));
    // Each comment becomes a setting when it is uncommented.
    let bare: Vec<&str> = text
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.contains(" = ") && l.contains(" # "))
                .unwrap_or(line)
        })
        .collect();
    let text = bare.join("\n").replace("[\"db\"]", "[\"my app\"]");
    let read = apps(&text);
    assert_eq!(read[0].spec.process.user.as_deref(), Some("www-data"));
    assert!(read[0].spec.readiness.wait_ready);
}

#[test]
fn values_are_written_as_toml() {
    for text in ["", "a b", "\"\\\n\t\u{1}é", "1"] {
        let (entries, problems) = from_toml(&format!(
            "{} = {}",
            bare_or_quoted(text),
            toml(&Json::from(text))
        ));
        assert!(problems.is_empty(), "{text:?}");
        assert_eq!(entries[0].key, text);
        assert!(matches!(&entries[0].node.value, Value::Text(read) if read == text));
    }
}
