//! A file's values with their places, whatever it was written in.

use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::problem::Problem;

/// Where something stands in the text, in bytes.
pub(super) type Place = Range<usize>;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Place,
}

/// What can be written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Flag(bool),
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value, in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) at: Place,
    pub(super) node: Node,
}

impl Node {
    /// What it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "text",
            Value::Whole(_) => "a whole number",
            Value::Real(_) => "a number with a point",
            Value::Flag(_) => "true or false",
            Value::Date(_) => "a date or time of day",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The text that stands for a single value, as a flag would have it.
    pub(super) fn word(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Whole(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            Value::Flag(flag) => Some(flag.to_string()),
            Value::Date(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    /// As JSON, for the types that read themselves.
    pub(super) fn json(&self) -> Json {
        match &self.value {
            Value::Text(text) | Value::Date(text) => Json::from(text.as_str()),
            Value::Whole(number) => i64::try_from(*number)
                .map(Json::from)
                .or_else(|_| u64::try_from(*number).map(Json::from))
                .unwrap_or_else(|_| Json::from(number.to_string())),
            Value::Real(number) => Json::from(*number),
            Value::Flag(flag) => Json::from(*flag),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|e| (e.key.clone(), e.node.json()));
                Json::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads TOML; what is not understood is told, and the rest is read all the same.
pub(super) fn from_toml(text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let at = error.span().unwrap_or_default();
            match error.message() {
                "duplicate key" => Problem::new(at, "the same key stands here twice"),
                why => Problem::new(at, format!("this is not TOML: {why}")),
            }
        })
        .collect();
    let entries = entries(table.get_ref(), &mut problems);
    (entries, problems)
}

fn entries(table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: key.span(),
            node: node(value, problems),
        })
        .collect();
    // The parser sorts by name.
    entries.sort_by_key(|entry| entry.at.start);
    entries
}

fn node(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Node {
    let at = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Whole(
            match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number,
                Err(_) => {
                    problems.push(Problem::new(at.clone(), "the number is too large"));
                    0
                }
            },
        ),
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(list) => Value::List(items(list, problems)),
        DeValue::Table(table) => Value::Table(entries(table, problems)),
    };
    Node { value, at }
}

fn items(list: &DeArray<'_>, problems: &mut Vec<Problem>) -> Vec<Node> {
    list.iter().map(|item| node(item, problems)).collect()
}
