//! The JSON Schema of rota.toml, for editors.

use serde_json::{Map, Value as Json, json};

use super::key::Key;
use super::keys::KEYS;
use super::kind::Kind;

/// The JSON Schema (draft 7) of a configuration file.
pub fn schema() -> Json {
    let shared = |key: &&Key| !key.single && key.name != "env";
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rota.toml",
        "description": "Apps for rota, a process manager for Node.js servers and any other program.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": {
                "description": "Settings of all apps; an app's own take their place.",
                "type": "object",
                "additionalProperties": false,
                "properties": properties(KEYS.iter().filter(shared)),
            },
            "env": described(
                Kind::Variables.schema(),
                "Environment variables of all apps; a table in it is a profile, chosen by `--env`.",
            ),
            "apps": {
                "description": "The apps, by name.",
                "type": "object",
                "propertyNames": {"pattern": r"^[^.\-+\s/\\:,][^/\\:,]{0,63}$"},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["script"],
                    "properties": properties(KEYS.iter()),
                },
            },
        },
        "required": ["apps"],
    })
}

fn properties<'a>(keys: impl Iterator<Item = &'a Key>) -> Map<String, Json> {
    keys.map(|key| {
        let mut schema = described(key.kind.schema(), key.doc);
        if key.positive
            && let Some(Json::Array(forms)) = schema.get_mut("anyOf")
        {
            for form in forms.iter_mut().filter(|form| form["type"] == "integer") {
                form["minimum"] = json!(1);
            }
        }
        (key.name.to_owned(), schema)
    })
    .collect()
}

fn described(mut schema: Json, doc: &str) -> Json {
    // Editors show it as it is.
    schema["description"] = json!(doc.replace('`', ""));
    schema
}
