//! What a key of the file is, and how its value gets into a specification and out of it.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::kind::Kind;
use super::node::{Node, Place, Value};
use crate::{AppSpec, Size, Span};

/// A key of an app.
#[derive(Debug)]
pub struct Key {
    /// Its name: that of the flag, with `_` for `-`.
    pub name: &'static str,
    /// What it belongs to.
    pub part: Part,
    /// What it says, in one sentence.
    pub doc: &'static str,
    /// What may be written.
    pub kind: Kind,
    /// An example, as it stands in the file.
    pub example: &'static str,
    /// What holds without it, in words, where that is no value.
    pub unless: &'static str,
    /// Names that other programs have for it, or that one might try.
    pub also: &'static [&'static str],
    /// Must be more than zero.
    pub positive: bool,
    /// Means something only beside this one.
    pub needs: Option<&'static str>,
    /// Cannot be shared by apps.
    pub single: bool,
    /// What a change of it needs.
    pub takes: Takes,
    /// How it gets into a specification; `None`: it is no field of it.
    pub(super) access: Option<Access>,
}

/// What it takes until a changed setting of an app that runs holds. From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Takes {
    /// Nothing: the supervisor acts on it, and the workers need not know.
    Nothing,
    /// More workers, or fewer.
    Number,
    /// New workers.
    Workers,
}

/// What keys belong to: the headings of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is run.
    What,
    /// How it runs.
    How,
    /// The environment.
    Environment,
    /// When it is ready.
    Ready,
    /// How it stops.
    Stop,
    /// When it exits by itself.
    Restart,
    /// How Node workers are watched.
    Watch,
    /// When it is started anew without need.
    Renew,
    /// When a healthy worker is replaced.
    Limits,
    /// What becomes of what it says.
    Logs,
    /// Who it is, and what it may use.
    Process,
    /// What it may use with all that it starts.
    Resources,
}

impl Part {
    /// Every part, in order.
    pub const ALL: [Self; 12] = [
        Self::What,
        Self::How,
        Self::Environment,
        Self::Ready,
        Self::Stop,
        Self::Restart,
        Self::Watch,
        Self::Renew,
        Self::Limits,
        Self::Logs,
        Self::Process,
        Self::Resources,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::What => "What is run",
            Self::How => "How it runs",
            Self::Environment => "Its environment",
            Self::Ready => "When it is ready",
            Self::Stop => "How it stops",
            Self::Restart => "When it exits by itself",
            Self::Watch => "How Node workers are watched",
            Self::Renew => "When it is started anew: changed files, times",
            Self::Limits => "When a healthy worker is replaced",
            Self::Logs => "What becomes of what it says",
            Self::Process => "Who it is, and what it may use",
            Self::Resources => "Limits with all that it starts (control groups)",
        }
    }
}

/// How a value gets into a specification and out of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    /// The path is the folder of the configuration file.
    pub(super) set: fn(&mut AppSpec, &Node, &Path) -> Result<(), Wrong>,
    /// Null: nothing is set.
    pub(super) get: fn(&AppSpec) -> Json,
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) why: String,
    /// Where, if more is known than the whole value.
    pub(super) at: Option<Place>,
}

impl Wrong {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            at: None,
        }
    }
}

impl Key {
    pub(super) const fn new(
        part: Part,
        name: &'static str,
        kind: Kind,
        access: Option<Access>,
        doc: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            part,
            doc,
            kind,
            example,
            unless: "",
            also: &[],
            positive: false,
            needs: None,
            single: false,
            takes: Takes::Workers,
            access,
        }
    }

    pub(super) const fn unless(self, unless: &'static str) -> Self {
        Self { unless, ..self }
    }

    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    pub(super) const fn positive(self) -> Self {
        Self {
            positive: true,
            ..self
        }
    }

    pub(super) const fn needs(self, key: &'static str) -> Self {
        Self {
            needs: Some(key),
            ..self
        }
    }

    pub(super) const fn single(self) -> Self {
        Self {
            single: true,
            ..self
        }
    }

    /// A change of it needs no new workers.
    pub(super) const fn now(self) -> Self {
        self.takes(Takes::Nothing)
    }

    pub(super) const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// True if a specification has a value for it; the environment and the order of starts are described elsewhere.
    pub const fn is_field(&self) -> bool {
        self.access.is_some()
    }

    /// The value that a specification has for it; null if it has none.
    pub fn value(&self, spec: &AppSpec) -> Json {
        self.access.map_or(Json::Null, |access| (access.get)(spec))
    }

    /// Puts a value into a specification.
    pub(super) fn set(&self, spec: &mut AppSpec, node: &Node, folder: &Path) -> Result<(), Wrong> {
        self.in_range(node)?;
        if nul(node) {
            return Err(Wrong::new("there is a zero byte in it"));
        }
        let Some(access) = self.access else {
            return Ok(());
        };
        (access.set)(spec, node, folder)
    }

    fn in_range(&self, node: &Node) -> Result<(), Wrong> {
        let least = i64::from(self.positive);
        let (number, low, high) = match (self.kind, &node.value) {
            (Kind::Whole(low, high), Value::Whole(number)) => (*number, low, high),
            (Kind::Span | Kind::Size, Value::Whole(number)) => (*number, least, i64::MAX),
            (Kind::Span, _) => (read::<Span>(node)?.millis().into(), least, i64::MAX),
            (Kind::Size, _) => (read::<Size>(node)?.bytes().into(), least, i64::MAX),
            _ => return Ok(()),
        };
        if number < low.into() && low == 1 {
            return Err(Wrong::new("it must be more than zero"));
        }
        if (i128::from(low)..=i128::from(high)).contains(&number) {
            return Ok(());
        }
        Err(Wrong::new(match high >= i64::from(u32::MAX) {
            true if number < low.into() => format!("it cannot be less than {low}"),
            true => format!("it cannot be more than {high}"),
            false => format!("{number} is not between {low} and {high}"),
        }))
    }
}

fn nul(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(nul),
        _ => false,
    }
}

/// Reads a value as its type does it.
pub(super) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Wrong> {
    serde_json::from_value(node.json()).map_err(|error| Wrong::new(error.to_string()))
}

/// Reads a list, or a single value as a list of one; a bad item is marked.
pub(super) fn read_list<T: DeserializeOwned>(node: &Node) -> Result<Vec<T>, Wrong> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let read_one = |item: &Node| {
        read(item).map_err(|wrong| Wrong {
            at: Some(item.at.clone()),
            ..wrong
        })
    };
    items.iter().map(read_one).collect()
}

/// The texts of a list, or a single one, with their places.
pub(super) fn texts(node: &Node) -> Vec<(String, Place)> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let text = |item: &Node| Some((item.word()?, item.at.clone()));
    items.iter().filter_map(text).collect()
}

/// The words of a list, or of a text with blanks between them.
pub(super) fn arguments(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::List(items) => items.iter().filter_map(Node::word).collect(),
        _ => Vec::new(),
    }
}

/// A list of names, where numbers stand for themselves.
pub(super) fn names(node: &Node) -> Result<Vec<String>, Wrong> {
    let mut names = Vec::new();
    if let Value::List(items) = &node.value {
        for item in items {
            let name = item.word().unwrap_or_default();
            account(&name).map_err(|wrong| Wrong {
                at: Some(item.at.clone()),
                ..wrong
            })?;
            names.push(name);
        }
    }
    Ok(names)
}

/// The name or number of a user or group.
pub(super) fn account(name: &str) -> Result<(), Wrong> {
    match name.is_empty() || name.contains([':', ',', '\n']) {
        true => Err(Wrong::new("a name cannot be empty, nor have `:` or `,`")),
        false => Ok(()),
    }
}

/// A value for showing; what is not set is null.
pub(super) fn shown<T: Serialize>(value: &T) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}
