//! What the values of fields may be. PM2 takes numbers as text, and a text for a list; so do we.

use serde_json::Value as Json;

use crate::{Size, Span};

/// What may be written for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    Time,
    Size,
    /// A list of texts, or one text that is split as a shell would.
    Words,
    /// A list of texts, or one text.
    Texts,
    Instances,
    Mode,
    Codes,
    Variables,
    /// `true`, or a list of texts, or one.
    FlagOrTexts,
    FlagOrText,
    Options,
    Account,
    Anything,
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) why: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Kind {
    /// For the reference, and for mistakes.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Flag => "`true`, `false`",
            Self::Number => "a number",
            Self::Time => "milliseconds, or text such as `\"10s\"`",
            Self::Size => "bytes, or text such as `\"300M\"`",
            Self::Words => "list of texts, or one text that is split at blanks",
            Self::Texts => "list of texts, or one text",
            Self::Instances => "number, or `\"max\"`",
            Self::Mode => "`\"cluster\"`, `\"fork\"`",
            Self::Codes => "list of 0 to 255, or one",
            Self::Variables => "table of variables",
            Self::FlagOrTexts => "`true`, `false`, or list of texts",
            Self::FlagOrText => "text, or `true`",
            Self::Options => "table",
            Self::Account => "name or number",
            Self::Anything => "anything",
        }
    }
}

/// A text; numbers and flags are taken as they are written.
pub(super) fn text(value: &Json) -> Result<String, Wrong> {
    match value {
        Json::String(text) if text.contains('\0') => Err(Wrong::new("there is a zero byte in it")),
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        _ => Err(Wrong::new("it must be text")),
    }
}

/// A text that says something.
pub(super) fn filled(value: &Json) -> Result<String, Wrong> {
    let text = text(value)?;
    match text.trim().is_empty() {
        true => Err(Wrong::new("it is empty")),
        false => Ok(text),
    }
}

pub(super) fn flag(value: &Json) -> Result<bool, Wrong> {
    match value {
        Json::Bool(flag) => Ok(*flag),
        Json::String(text) if text == "true" || text == "1" => Ok(true),
        Json::String(text) if text == "false" || text == "0" || text.is_empty() => Ok(false),
        Json::Number(number) if number.as_f64() == Some(1.0) => Ok(true),
        Json::Number(number) if number.as_f64() == Some(0.0) => Ok(false),
        _ => Err(Wrong::new("it must be true or false")),
    }
}

/// A number as the text that our own types read: `1600`, `"1600"`, `1600.5`.
fn number_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.trim().to_owned()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Some(whole.to_string()),
            // As JavaScript's timers cut it.
            (None, Some(real)) if real.abs() < 1e15 => Some(format!("{:.0}", real.trunc())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn whole(value: &Json) -> Result<u32, Wrong> {
    let text = number_text(value).unwrap_or_default();
    text.parse()
        .map_err(|_| Wrong::new("it must be a whole number, 0 or more"))
}

/// A time, a bare number in milliseconds.
pub(super) fn span(value: &Json) -> Result<Span, Wrong> {
    let text = number_text(value)
        .ok_or_else(|| Wrong::new("it must be a time").help("write milliseconds, such as 5000"))?;
    text.parse::<Span>().map_err(|_| {
        Wrong::new("it is not a time of at most a year")
            .help("write milliseconds (5000), or a text with d, h, m, s or ms (\"5s\")")
    })
}

pub(super) fn size(value: &Json) -> Result<Size, Wrong> {
    let wrong =
        || Wrong::new("it is not a size").help("write bytes, or a text with K, M or G (\"300M\")");
    number_text(value)
        .ok_or_else(wrong)?
        .parse::<Size>()
        .map_err(|_| wrong())
}

/// A list of texts, or one text.
pub(super) fn texts(value: &Json) -> Result<Vec<String>, Wrong> {
    match value {
        Json::Array(items) => items.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

/// A list of texts, or one text that is split as a shell would.
pub(super) fn words(value: &Json) -> Result<Vec<String>, Wrong> {
    match value {
        Json::Array(_) => texts(value),
        one => super::super::command::split(&text(one)?)
            .ok_or_else(|| Wrong::new("a quote is not closed").help("write a list instead")),
    }
}

/// A value as it is shown in a mistake.
pub(super) fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A list of whole numbers, or one, or a text of them.
pub(super) fn number_list(value: &Json) -> Option<Vec<i64>> {
    let number = |value: &Json| number_text(value)?.parse().ok();
    match value {
        Json::Array(items) => items.iter().map(number).collect(),
        Json::String(text) => text
            .split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect(),
        one => Some(vec![number(one)?]),
    }
}
