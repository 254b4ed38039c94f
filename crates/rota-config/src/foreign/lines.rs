//! On which lines of a text with data its keys stand.

use std::collections::BTreeMap;

use yaml_rust2::parser::{Event, Parser};

/// Keys stand no deeper: `apps`, its items, their fields, variables.
const LEVELS: usize = 4;
/// The longest key that is known, in bytes.
const LONGEST: usize = 200;

/// The lines of keys, by the way to them: names of keys, and numbers of items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines(BTreeMap<Vec<String>, u32>);

/// A list or table that is open.
struct Level {
    table: bool,
    /// The key whose value comes next, or is open.
    key: Option<String>,
    /// The number of the item that comes next, or is open.
    item: usize,
}

impl Lines {
    /// Of a text of YAML, or of JSON, which is nearly the same: where it is not, nothing is known.
    pub(super) fn of(text: &str) -> Self {
        // JSON may have tabs where YAML may not.
        let text = text.trim_start_matches('\u{feff}').replace('\t', " ");
        let mut parser = Parser::new_from_str(&text);
        let mut lines = Self::default();
        let mut open: Vec<Level> = Vec::new();
        loop {
            let Ok((event, at)) = parser.next_token() else {
                return Self::default();
            };
            let line = u32::try_from(at.line()).unwrap_or(0);
            match event {
                Event::StreamEnd | Event::DocumentEnd => return lines,
                Event::Scalar(text, ..) if is_key(&open) => lines.key(&mut open, text, line),
                Event::Scalar(..) | Event::Alias(_) => value_ends(&mut open),
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    if is_key(&open) {
                        // No key that anybody asks for.
                        lines.key(&mut open, String::new(), line);
                    }
                    open.push(Level {
                        table: matches!(event, Event::MappingStart(..)),
                        key: None,
                        item: 0,
                    });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    value_ends(&mut open);
                }
                _ => {}
            }
        }
    }

    fn key(&mut self, open: &mut [Level], key: String, line: u32) {
        let levels = open.len();
        let Some(level) = open.last_mut() else { return };
        let short = key.len() <= LONGEST;
        level.key = Some(key);
        if levels <= LEVELS && short {
            self.0.insert(open.iter().map(Level::place).collect(), line);
        }
    }

    /// The line of a key, from 1; 0: it is not known.
    pub(super) fn line(&self, way: &[&str]) -> u32 {
        let way: Vec<String> = way.iter().map(|part| (*part).to_owned()).collect();
        self.0.get(&way).copied().unwrap_or(0)
    }
}

impl Level {
    fn place(&self) -> String {
        match &self.key {
            Some(key) => key.clone(),
            None => self.item.to_string(),
        }
    }
}

fn is_key(open: &[Level]) -> bool {
    open.last()
        .is_some_and(|level| level.table && level.key.is_none())
}

fn value_ends(open: &mut [Level]) {
    if let Some(level) = open.last_mut() {
        level.key = None;
        level.item += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lines: &Lines, way: &str) -> u32 {
        let way: Vec<&str> = way.split(' ').collect();
        lines.line(&way)
    }

    #[test]
    fn keys_are_found_in_json_and_yaml() {
        let json = "{\n\t\"apps\": [\n    { \"name\": \"a\",\n      \"env\": { \"A\": [1, {\"x\": 2}],\n        \"B\": \"2\" } },\n    { \"name\": \"b\" }\n  ]\n}\n";
        let lines = Lines::of(json);
        for (way, line) in [
            ("apps", 2),
            ("apps 0 name", 3),
            ("apps 0 env", 4),
            ("apps 0 env B", 5),
            ("apps 1 name", 6),
            ("apps 2 name", 0),
        ] {
            assert_eq!(at(&lines, way), line, "{way}");
        }
        let yaml = "base: &base\n  instances: 2\napps:\n  - name: a\n    <<: *base\n    exec_mode: cluster\n  - script: >\n      x\n      y\n    watch: true\n";
        let lines = Lines::of(yaml);
        for (way, line) in [
            ("apps 0 name", 4),
            ("apps 0 exec_mode", 6),
            ("apps 0 instances", 0),
            ("apps 1 watch", 10),
        ] {
            assert_eq!(at(&lines, way), line, "{way}");
        }
    }

    #[test]
    fn what_is_neither_has_no_lines() {
        for text in [
            "",
            "{",
            "a: [",
            "[1, 2]",
            "module.exports = {}",
            "? [a]\n: b",
        ] {
            assert_eq!(Lines::of(text).line(&["a"]), 0, "{text}");
        }
        let comments = "{ // one\n  apps: [ /* two */ { name: 'a' }, ], }";
        assert_eq!(Lines::of(comments).line(&["apps", "0", "name"]), 0);
    }
}
