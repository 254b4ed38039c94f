//! Texts with data: JSON as people write it, and YAML.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};
use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::mistake::Mistake;

/// Data is nested no deeper.
const DEPTH: usize = 64;
/// What aliases of YAML may make of a small text, in values.
const VALUES: usize = 100_000;

/// Reads JSON with what JavaScript allows besides: comments, commas at the end, names and texts in any quotes.
///
/// # Errors
/// Where it is something else.
pub fn json(text: &str) -> Result<Json, Mistake> {
    let text = text.trim_start_matches('\u{feff}');
    if nested(text) > DEPTH {
        return Err(too_deep());
    }
    json5::from_str(text).map_err(|error| Mistake::of_file(format!("it is no JSON: {error}")))
}

/// How deep brackets are open; those in texts count as well, but they are rarely left open.
fn nested(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn too_deep() -> Mistake {
    Mistake::of_file(format!("it is nested deeper than {DEPTH} levels"))
}

/// Reads YAML 1.2, with merge keys (`<<`).
///
/// # Errors
/// Where it is something else.
pub fn yaml(text: &str) -> Result<Json, Mistake> {
    let mut parser = Parser::new_from_str(text.trim_start_matches('\u{feff}'));
    let mut builder = Builder::default();
    loop {
        let (event, at) = parser
            .next_token()
            .map_err(|error| Mistake::of_file(format!("it is no YAML: {error}")))?;
        match event {
            Event::StreamEnd => break,
            // What follows a first document is not looked at.
            Event::DocumentEnd => break,
            event => builder.take(event, &at)?,
        }
    }
    Ok(builder.root.unwrap_or_default())
}

/// A list or table that is not complete.
struct Open {
    value: Json,
    /// The key whose value comes next.
    key: Option<String>,
    anchor: usize,
}

/// Makes a value of events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Json>,
    anchors: BTreeMap<usize, Json>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event, at: &Marker) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, _) => self.add(scalar(&text, style), anchor, at),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.values += size(&value);
                self.add(value, 0, at)
            }
            Event::SequenceStart(anchor, _) => self.begin(Json::Array(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.begin(Json::Object(Map::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => self.add(done.value, done.anchor, at),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, value: Json, anchor: usize) -> Result<(), Mistake> {
        if self.open.len() >= DEPTH {
            return Err(too_deep());
        }
        self.open.push(Open {
            value,
            key: None,
            anchor,
        });
        Ok(())
    }

    fn add(&mut self, value: Json, anchor: usize, at: &Marker) -> Result<(), Mistake> {
        self.values += 1;
        if self.values > VALUES {
            return Err(Mistake::of_file("its aliases make too much of it"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        match (&mut parent.value, parent.key.take()) {
            (Json::Array(items), _) => items.push(value),
            (Json::Object(entries), Some(key)) => put(entries, key, value),
            (_, _) => {
                let text = match value {
                    Json::String(text) => text,
                    Json::Array(_) | Json::Object(_) => {
                        let text = format!("line {}: a key cannot be a list or table", at.line());
                        return Err(Mistake::of_file(text));
                    }
                    other => other.to_string(),
                };
                parent.key = Some(text);
            }
        }
        Ok(())
    }
}

/// An entry; `<<` gives those that are not there, from a table or from several.
fn put(entries: &mut Map<String, Json>, key: String, value: Json) {
    if key != "<<" {
        entries.insert(key, value);
        return;
    }
    let tables = match value {
        Json::Array(items) => items,
        one => vec![one],
    };
    for table in tables {
        let Json::Object(table) = table else { continue };
        for (key, value) in table {
            entries.entry(key).or_insert(value);
        }
    }
}

fn size(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn scalar(text: &str, style: TScalarStyle) -> Json {
    if style != TScalarStyle::Plain {
        return Json::String(text.to_owned());
    }
    match Yaml::from_str(text) {
        Yaml::Null => Json::Null,
        Yaml::Boolean(flag) => Json::Bool(flag),
        Yaml::Integer(number) => Json::from(number),
        Yaml::Real(number) => number
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or_else(|| Json::String(text.to_owned()), Json::Number),
        _ => Json::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn json_as_people_write_it() {
        let text = "\u{feff}// comment\n{ apps: [{ 'name': \"a\", /* x */ instances: 2, },], }";
        let expected = value!({"apps": [{"name": "a", "instances": 2}]});
        assert_eq!(json(text).unwrap(), expected);
        for bad in ["", "{", "module.exports = {}", "{a: b}"] {
            assert!(json(bad).is_err(), "{bad}");
        }
        assert_eq!(json(&"[".repeat(1 << 20)).unwrap_err(), too_deep());
    }

    #[test]
    fn yaml_with_anchors_and_merges() {
        let text = "base: &base\n  exec_mode: cluster\n  instances: 2\napps:\n  - <<: *base\n    name: 'a'\n    instances: max\n    port: 3000\n    ratio: 1.5\n    watch: false\n    args:\n  - *base\n";
        let expected = value!([
            {"exec_mode": "cluster", "instances": "max", "name": "a", "port": 3000, "ratio": 1.5,
                "watch": false, "args": null},
            {"exec_mode": "cluster", "instances": 2}
        ]);
        assert_eq!(yaml(text).unwrap()["apps"], expected);
        assert_eq!(yaml("").unwrap(), Json::Null);
        assert_eq!(
            yaml("a: \"1\"\n1: x").unwrap(),
            value!({"a": "1", "1": "x"})
        );
        for bad in ["a: [", "a: b: c", "? [a]\n: b"] {
            assert!(yaml(bad).is_err(), "{bad}");
        }
        assert_eq!(yaml(&"- ".repeat(100_000)).unwrap_err(), too_deep());
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..40 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1);
        }
        assert!(yaml(&bomb).unwrap_err().why.contains("aliases"));
    }
}
