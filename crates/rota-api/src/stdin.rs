//! Writing to the standard input of workers.

use serde::{Deserialize, Serialize};

use crate::query::pairs;
use crate::{ApiError, targets_to_query};

/// Whose standard input is written to (`POST /v1/stdin`): the query of a request whose body is what is written, byte by byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StdinQuery {
    /// Names, ids, `name:slot`, namespaces, `/expressions/` or `all`.
    pub targets: Vec<String>,
    /// For so long room in a full pipe is waited for, in milliseconds; a minute at most.
    pub wait_ms: u64,
}

/// The answer: all who were written to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StdinResponse {
    /// One worker for each slot that has one.
    pub workers: Vec<StdinView>,
}

/// A worker that was written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StdinView {
    /// Its app.
    pub app: String,
    /// Its slot.
    pub slot: u32,
    /// Its number.
    pub worker: u64,
    /// Its process.
    pub pid: u32,
    /// So many bytes are in its pipe.
    pub written: u64,
    /// Why not all of them are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

impl StdinView {
    /// As a target: `api:0`.
    pub fn target(&self) -> String {
        format!("{}:{}", self.app, self.slot)
    }
}

impl StdinQuery {
    /// As a query string, without the question mark.
    pub fn to_query(&self) -> String {
        let mut query = targets_to_query(&self.targets);
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&format!("wait_ms={}", self.wait_ms));
        query
    }

    /// From a query string, without the question mark.
    ///
    /// # Errors
    /// A sentence that says which parameter is not understood.
    pub fn from_query(query: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (key, value) in pairs(query)? {
            match key.as_str() {
                "target" => read.targets.push(value),
                "wait_ms" => {
                    let bad = |_| format!("`{value}` is not a value for `wait_ms`");
                    read.wait_ms = value.parse().map_err(bad)?;
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
        for query in [
            StdinQuery::default(),
            StdinQuery {
                targets: vec!["a b&c".into(), "café:0".into()],
                wait_ms: 5000,
            },
        ] {
            assert_eq!(StdinQuery::from_query(&query.to_query()), Ok(query));
        }
        assert_eq!(StdinQuery::from_query(""), Ok(StdinQuery::default()));
        for query in ["wait_ms=soon", "text=x", "target=%zz"] {
            assert!(StdinQuery::from_query(query).is_err(), "{query}");
        }
    }
}
