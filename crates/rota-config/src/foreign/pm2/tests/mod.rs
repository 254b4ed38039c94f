//! Ecosystem files, from their values to apps.

mod environment;
mod errors;
mod table;
mod whole;

use std::io;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::super::{Foreign, Mistake, Taken};
use crate::file::Outside;
use crate::{AppSpec, Env};

const PATH: &str = "/srv/shop/ecosystem.config.js";

/// The shell of the tests.
fn shell() -> Env {
    [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/home/me"),
        ("PWD", "/somewhere"),
        ("AWS_KEY", "x"),
        ("AWS_REGION", "eu"),
    ]
    .into_iter()
    .collect()
}

fn read(value: Json, profile: Option<&str>) -> Result<Taken, Vec<Mistake>> {
    let caller = shell();
    let outside = Outside {
        caller: &caller,
        read: &|_: &Path| Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Foreign::ecosystem(PATH, value).apps(profile, &outside)
}

/// The same of a text of YAML.
#[track_caller]
fn taken_of_text(text: &str, profile: Option<&str>) -> Taken {
    let caller = shell();
    let outside = Outside {
        caller: &caller,
        read: &|_: &Path| Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let value = super::super::yaml(text).unwrap();
    let file = Foreign::ecosystem(PATH, value).with_lines_of(text);
    file.apps(profile, &outside).unwrap()
}

#[track_caller]
fn taken(value: Json, profile: Option<&str>) -> Taken {
    read(value, profile).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// An app with these fields besides `name` and `script`, which they may replace.
#[track_caller]
fn app(fields: Json, profile: Option<&str>) -> (AppSpec, Taken) {
    let mut app = json!({"name": "web", "script": "app.js"});
    for (key, value) in fields.as_object().unwrap() {
        app[key] = value.clone();
    }
    let taken = taken(json!({"apps": [app]}), profile);
    (taken.apps[0].spec.clone(), taken)
}
