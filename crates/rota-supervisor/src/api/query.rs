//! Query strings: `target=api&target=web%3A0&lines=15`.

use rota_api::{ApiError, ErrorCode};

/// The pairs of a query string, in order.
pub(super) struct Query(Vec<(String, String)>);

/// Splits a query string. What has no `=` is a key with an empty value.
pub(super) fn parse(query: Option<&str>) -> Query {
    let pairs = query.unwrap_or_default().split('&');
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    Query(pairs.filter(|p| !p.is_empty()).map(pair).collect())
}

impl Query {
    /// Every pair.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The targets, of a query that may have nothing else.
    ///
    /// # Errors
    /// A key that means nothing here.
    pub(super) fn targets(&self) -> Result<Vec<String>, ApiError> {
        self.pairs()
            .map(|(key, value)| match key {
                "target" => Ok(value.to_owned()),
                _ => Err(unknown_key(key)),
            })
            .collect()
    }
}

/// The error for a key that means nothing.
pub(super) fn unknown_key(key: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("unknown query key `{key}`"))
}

/// Undoes percent-encoding; a `%` that starts nothing stands for itself.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2).and_then(hex))
            .flatten();
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_and_decoded() {
        let query = parse(Some("target=api&target=a%3A0&&x=1+2%&flag"));
        let pairs: Vec<_> = query.pairs().collect();
        assert_eq!(
            pairs,
            [
                ("target", "api"),
                ("target", "a:0"),
                ("x", "1 2%"),
                ("flag", "")
            ]
        );
        assert!(query.targets().is_err());
        assert!(parse(None).targets().unwrap().is_empty());
    }
}
