//! Query strings, for both sides.

use crate::{LogsQuery, StreamFilter};

/// Most targets or parameters that a query may have.
const MAX_PAIRS: usize = 1000;

/// The word for all lines.
const ALL: &str = "all";

/// Encodes a value for a query (RFC 3986: everything but the unreserved characters).
pub(crate) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for digit in [byte >> 4, byte & 15] {
                into.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
    }
}

/// Decodes a value of a query; `None` if it is not valid or not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, tail) = tail.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = tail;
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The parameters of a query. Too many are an error: to leave some out would be to answer another question.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let parts = || query.split('&').filter(|part| !part.is_empty());
    if parts().nth(MAX_PAIRS).is_some() {
        return Err(format!("the query has more than {MAX_PAIRS} parameters"));
    }
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(key)?, decode(value)?))
    };
    let pairs: Option<_> = parts().map(pair).collect();
    pairs.ok_or_else(|| "the query is not valid percent-encoded UTF-8".to_owned())
}

/// The query that narrows `GET /v1/apps`; empty for no targets.
pub fn targets_to_query(targets: &[String]) -> String {
    let mut query = String::new();
    for target in targets {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str("target=");
        encode(target, &mut query);
    }
    query
}

/// The targets in the query of `GET /v1/apps`.
///
/// # Errors
/// A sentence that says which parameter is not understood.
pub fn targets_from_query(query: &str) -> Result<Vec<String>, String> {
    pairs(query)?
        .into_iter()
        .map(|(key, value)| match key.as_str() {
            "target" => Ok(value),
            _ => Err(format!("unknown parameter `{key}`")),
        })
        .collect()
}

impl LogsQuery {
    /// As a query string, without the question mark.
    pub fn to_query(&self) -> String {
        let mut query = targets_to_query(&self.targets);
        if !query.is_empty() {
            query.push('&');
        }
        let stream = self.stream.as_str();
        let lines = self.lines.map_or(ALL.to_owned(), |lines| lines.to_string());
        query.push_str(&format!(
            "lines={lines}&follow={}&stream={stream}",
            self.follow
        ));
        for (key, time) in [("since", self.since), ("until", self.until)] {
            if let Some(time) = time {
                query.push_str(&format!("&{key}={time}"));
            }
        }
        if let Some(grep) = &self.grep {
            query.push_str("&grep=");
            encode(grep, &mut query);
        }
        query
    }

    /// From a query string, without the question mark.
    ///
    /// # Errors
    /// A sentence that says which parameter is not understood.
    pub fn from_query(query: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (key, value) in pairs(query)? {
            let bad = || format!("`{value}` is not a value for `{key}`");
            match key.as_str() {
                "target" => read.targets.push(value),
                "lines" if value == ALL => read.lines = None,
                "lines" => read.lines = Some(value.parse().map_err(|_| bad())?),
                "since" => read.since = Some(value.parse().map_err(|_| bad())?),
                "until" => read.until = Some(value.parse().map_err(|_| bad())?),
                "grep" => read.grep = Some(value),
                "follow" => {
                    read.follow = match value.as_str() {
                        "" | "1" | "true" => true,
                        "0" | "false" => false,
                        _ => return Err(bad()),
                    }
                }
                "stream" => {
                    read.stream = [StreamFilter::Out, StreamFilter::Err, StreamFilter::Both]
                        .into_iter()
                        .find(|filter| filter.as_str() == value)
                        .ok_or_else(bad)?;
                }
                _ => return Err(format!("unknown parameter `{key}`")),
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_come_back_equal() {
        let query = LogsQuery {
            targets: vec!["a b&c=d".into(), "café:0".into()],
            lines: None,
            follow: true,
            stream: StreamFilter::Err,
            since: Some(1),
            until: Some(u64::MAX),
            grep: Some("a|b&c=+ ".into()),
        };
        assert_eq!(LogsQuery::from_query(&query.to_query()), Ok(query.clone()));
        let text = targets_to_query(&query.targets);
        assert_eq!(text, "target=a%20b%26c%3dd&target=caf%c3%a9%3a0");
        assert_eq!(targets_from_query(&text), Ok(query.targets));
    }

    #[test]
    fn an_empty_query_means_the_defaults() {
        assert_eq!(LogsQuery::from_query(""), Ok(LogsQuery::default()));
        assert_eq!(targets_from_query(""), Ok(Vec::new()));
    }

    #[test]
    fn too_many_parameters_are_an_error_and_not_another_question() {
        let mut query = LogsQuery {
            targets: vec!["api".into(); MAX_PAIRS - 3],
            lines: Some(3),
            follow: true,
            stream: StreamFilter::Err,
            ..LogsQuery::default()
        };
        assert_eq!(LogsQuery::from_query(&query.to_query()), Ok(query.clone()));
        query.targets.push("web".into());
        let error = LogsQuery::from_query(&query.to_query()).unwrap_err();
        assert_eq!(error, "the query has more than 1000 parameters");
        let targets = vec!["api".to_owned(); MAX_PAIRS + 1];
        assert!(targets_from_query(&targets_to_query(&targets)).is_err());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for query in [
            "target=%zz",
            "lines=x",
            "since=yesterday",
            "follow=maybe",
            "stream=in",
            "x=1",
            "target=%ff",
            "target=%+1",
        ] {
            assert!(LogsQuery::from_query(query).is_err(), "{query}");
        }
    }
}
