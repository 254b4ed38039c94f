//! Kinds of values: what may be written for a key.

use serde_json::{Value as Json, json};

use super::node::{Node, Value};

/// What may be written for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A file or folder, relative to the folder of the configuration file.
    Path,
    /// Yes or no.
    Flag,
    /// A whole number between two others.
    Whole(i64, i64),
    /// A time: `"10s"`, or milliseconds.
    Span,
    /// A size: `"300M"`, or bytes.
    Size,
    /// An amount of processor time: `1.5`, or `"150%"`.
    Cpus,
    /// A number of workers, `"max"`, or less than that.
    Instances,
    /// A signal, by name or number.
    Signal,
    /// One of some words.
    Words(&'static [&'static str]),
    /// A probe's URL.
    Url,
    /// A file mode creation mask in octal digits.
    Mask,
    /// A user or group, by name or number.
    Account,
    /// Addresses to listen on.
    Addresses,
    /// Words of a command: a list, or a text that is split at blanks.
    Arguments,
    /// Several users or groups.
    Accounts,
    /// Exit codes.
    Codes,
    /// One file or several.
    Paths,
    /// Files and folders, or `true` for the working directory.
    Places,
    /// One pattern as in .gitignore, or several.
    Patterns,
    /// Names of apps.
    Apps,
    /// Names of variables, or `true` for all.
    Names,
    /// Limits of resources by name.
    Limits,
    /// Environment variables, and profiles of them.
    Variables,
}

impl Kind {
    /// What it is in a word or two, for the reference.
    pub fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Flag => "`true`, `false`".to_owned(),
            Self::Whole(low, high) if high >= i64::from(u32::MAX) => match low {
                0 => "whole number".to_owned(),
                _ => format!("whole number from {low}"),
            },
            Self::Whole(low, high) => format!("{low} to {high}"),
            Self::Span => "time".to_owned(),
            Self::Size => "size".to_owned(),
            Self::Cpus => "processors".to_owned(),
            Self::Instances => "number or `\"max\"`".to_owned(),
            Self::Signal => "signal".to_owned(),
            Self::Words(words) => {
                let quoted: Vec<String> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
                quoted.join(", ")
            }
            Self::Url => "URL".to_owned(),
            Self::Mask => "octal text".to_owned(),
            Self::Account => "name or number".to_owned(),
            Self::Addresses => "list of addresses, or one".to_owned(),
            Self::Arguments => "list of text, or text".to_owned(),
            Self::Accounts => "list of names or numbers".to_owned(),
            Self::Codes => "list of 0 to 255".to_owned(),
            Self::Paths => "path, or list of paths".to_owned(),
            Self::Apps => "list of apps".to_owned(),
            Self::Names => "list of names, or `true`".to_owned(),
            Self::Limits => "table".to_owned(),
            Self::Places => "`true`, path or list".to_owned(),
            Self::Patterns => "pattern or list".to_owned(),
            Self::Variables => "table".to_owned(),
        }
    }

    /// What is expected, with an example, for the message about something else.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text => "text in quotes".to_owned(),
            Self::Path => "a path in quotes".to_owned(),
            Self::Flag => "true or false, without quotes".to_owned(),
            Self::Whole(..) => "a whole number".to_owned(),
            Self::Span => "a time such as \"10s\", or a number of milliseconds".to_owned(),
            Self::Size => "a size such as \"300M\", or a number of bytes".to_owned(),
            Self::Cpus => "a number of processors such as 1.5, or \"150%\"".to_owned(),
            Self::Instances => "a number of workers, or \"max\"".to_owned(),
            Self::Signal => "a signal such as \"SIGTERM\"".to_owned(),
            Self::Words(words) => {
                let quoted: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Url => "a URL such as \"http://localhost:3000/health\"".to_owned(),
            Self::Mask => "octal digits in quotes, such as \"027\"".to_owned(),
            Self::Account => "a name in quotes, or a number".to_owned(),
            Self::Addresses => {
                "addresses such as 8080, \"127.0.0.1:8080\" or [8080, \"/run/app.sock\"]".to_owned()
            }
            Self::Arguments => "a list of text such as [\"--verbose\"], or a text".to_owned(),
            Self::Accounts => "a list of names or numbers, such as [\"ssl-cert\"]".to_owned(),
            Self::Codes => "a list of exit codes such as [0, 143]".to_owned(),
            Self::Places => "true, a path in quotes, or a list of paths".to_owned(),
            Self::Patterns => "a pattern in quotes, or a list of them".to_owned(),
            Self::Paths => "a path in quotes, or a list of them".to_owned(),
            Self::Apps => "a list of names of apps, such as [\"db\"]".to_owned(),
            Self::Names => {
                "a list of names such as [\"AWS_REGION\", \"npm_*\"], or true".to_owned()
            }
            Self::Limits => "a table such as { nofile = 65536 }".to_owned(),
            Self::Variables => "a table such as { PORT = 3000 }".to_owned(),
        }
    }

    /// True if a value is of the right sort; whether it can be used is another question.
    pub(super) fn fits(self, node: &Node) -> bool {
        match (self.item(), &node.value) {
            (Some(item), Value::List(items)) => items.iter().all(item),
            _ => self.fits_alone(node),
        }
    }

    /// Of a value that does not fit, the part that does not.
    pub(super) fn misfit(self, node: &Node) -> &Node {
        match (self.item(), &node.value) {
            (Some(item), Value::List(items)) => {
                items.iter().find(|node| !item(node)).unwrap_or(node)
            }
            _ => node,
        }
    }

    /// What the items of a list must be; `None`: it cannot be a list.
    fn item(self) -> Option<fn(&Node) -> bool> {
        match self {
            Self::Addresses | Self::Arguments | Self::Accounts => Some(either),
            Self::Codes => Some(whole),
            Self::Paths | Self::Apps | Self::Names | Self::Places | Self::Patterns => Some(text),
            _ => None,
        }
    }

    fn fits_alone(self, node: &Node) -> bool {
        match self {
            Self::Text
            | Self::Path
            | Self::Url
            | Self::Mask
            | Self::Arguments
            | Self::Patterns
            | Self::Paths => text(node),
            Self::Places => text(node) || matches!(node.value, Value::Flag(_)),
            Self::Words(words) => {
                matches!(&node.value, Value::Text(word) if words.contains(&word.as_str()))
            }
            Self::Flag | Self::Names => matches!(node.value, Value::Flag(_)),
            Self::Whole(..) => whole(node),
            Self::Span
            | Self::Size
            | Self::Instances
            | Self::Signal
            | Self::Account
            | Self::Addresses => either(node),
            Self::Cpus => either(node) || matches!(node.value, Value::Real(_)),
            Self::Limits | Self::Variables => matches!(node.value, Value::Table(_)),
            Self::Accounts | Self::Codes | Self::Apps => false,
        }
    }

    /// Its JSON Schema.
    pub(super) fn schema(self) -> Json {
        let text = json!({"type": "string"});
        let either = json!({"type": ["string", "integer"]});
        let list = |of: &Json| json!({"type": "array", "items": of});
        match self {
            Self::Text | Self::Path => text,
            Self::Flag => json!({"type": "boolean"}),
            Self::Whole(low, high) if high >= i64::from(u32::MAX) => {
                json!({"type": "integer", "minimum": low})
            }
            Self::Whole(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Self::Span => json!({"anyOf": [
                {"type": "string", "pattern": r"^\s*([0-9.]+\s*([dhmsDHMS]|[mM][sS])?\s*)+$"},
                {"type": "integer", "minimum": 0},
            ]}),
            Self::Size => json!({"anyOf": [
                {"type": "string", "pattern": r"^\s*[0-9.]+\s*([kmgtKMGT]?[iI]?[bB]?)\s*$"},
                {"type": "integer", "minimum": 0},
            ]}),
            Self::Instances => json!({"anyOf": [
                {"type": "string", "pattern": "^([mM][aA][xX]|-?[0-9]+)$"},
                {"type": "integer", "minimum": -1024, "maximum": 1024},
            ]}),
            Self::Cpus => json!({"anyOf": [
                {"type": "string", "pattern": r"^([0-9]+%|[0-9]+(\.[0-9]{1,2})?)$"},
                {"type": "number", "exclusiveMinimum": 0},
            ]}),
            Self::Words(words) => json!({"enum": words}),
            Self::Url => json!({"type": "string", "pattern": "^(tcp|http)://"}),
            Self::Mask => json!({"type": "string", "pattern": "^[0-7]{1,4}$"}),
            Self::Account | Self::Signal => either,
            Self::Addresses => json!({"anyOf": [either, list(&either)]}),
            Self::Arguments => json!({"anyOf": [text, list(&either)]}),
            Self::Accounts => list(&either),
            Self::Codes => list(&json!({"type": "integer", "minimum": 0, "maximum": 255})),
            Self::Paths | Self::Patterns => json!({"anyOf": [text, list(&text)]}),
            Self::Places => json!({"anyOf": [{"type": "boolean"}, text, list(&text)]}),
            Self::Apps => list(&text),
            Self::Names => json!({"anyOf": [{"type": "boolean"}, list(&text)]}),
            Self::Limits => json!({
                "type": "object",
                "additionalProperties": false,
                "properties": crate::RlimitName::ALL.iter()
                    .map(|name| (name.as_str().to_owned(), either.clone()))
                    .collect::<serde_json::Map<_, _>>(),
            }),
            Self::Variables => {
                let plain = json!({"type": ["string", "integer", "number", "boolean"]});
                let profile = json!({"type": "object", "additionalProperties": plain});
                json!({"type": "object", "additionalProperties": {"anyOf": [plain, profile]}})
            }
        }
    }
}

fn text(node: &Node) -> bool {
    matches!(node.value, Value::Text(_))
}

fn whole(node: &Node) -> bool {
    matches!(node.value, Value::Whole(_))
}

fn either(node: &Node) -> bool {
    text(node) || whole(node)
}
