//! What a request wants to have depend on what it knows already.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use http_range_header::parse_range_header;
use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_ENCODING, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE,
};

/// What a version of a file is known by.
#[derive(Debug)]
pub(super) struct Version {
    /// `ETag`.
    pub(super) tag: String,
    /// `Last-Modified`, in whole seconds.
    pub(super) modified: SystemTime,
    /// Its length in bytes.
    pub(super) length: u64,
}

/// The part of a file that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// From here, so many bytes.
    Range(u64, u64),
    /// Nothing that it has.
    Beyond,
}

impl Version {
    /// That of a file.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
        let (nanos, length) = (metadata.mtime_nsec(), metadata.len());
        Self {
            tag: format!("\"{seconds:x}.{nanos:x}-{length:x}\""),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            length,
        }
    }

    /// Whether the caller has it already.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        if let Some(tags) = text(headers, &IF_NONE_MATCH) {
            return tags
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag);
        }
        let since = text(headers, &IF_MODIFIED_SINCE);
        let since = since.and_then(|date| httpdate::parse_http_date(date).ok());
        since.is_some_and(|since| self.modified <= since)
    }

    /// The part that is wanted. Of several ranges, and of what is not understood, the whole is a good answer.
    pub(super) fn part(&self, headers: &HeaderMap) -> Part {
        let Some(range) = text(headers, &RANGE).filter(|_| self.is_same(headers)) else {
            return Part::Whole;
        };
        let Ok(parsed) = parse_range_header(range) else {
            return Part::Whole;
        };
        match parsed.validate(self.length).as_deref() {
            Ok([one]) => Part::Range(*one.start(), one.end() - one.start() + 1),
            Ok(_) => Part::Whole,
            Err(_) => Part::Beyond,
        }
    }

    /// A range is for who has the rest of this version.
    fn is_same(&self, headers: &HeaderMap) -> bool {
        text(headers, &IF_RANGE).is_none_or(|known| {
            let date = httpdate::parse_http_date(known);
            known == self.tag || date.is_ok_and(|date| date == self.modified)
        })
    }
}

/// Whether a caller takes this encoding.
pub(super) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let Some(list) = text(headers, &ACCEPT_ENCODING) else {
        return false;
    };
    list.split(',').any(|entry| {
        let mut words = entry.split(';').map(str::trim);
        let named = words
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = words.find_map(|word| word.strip_prefix("q="));
        named && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        Version {
            tag: "\"1-a\"".to_owned(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            length: 10,
        }
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_version_is_known_by_tag_or_date() {
        let same = httpdate::fmt_http_date(version().modified);
        for (name, value, known) in [
            (IF_NONE_MATCH, "\"1-a\"", true),
            (IF_NONE_MATCH, "\"x\", W/\"1-a\"", true),
            (IF_NONE_MATCH, "*", true),
            (IF_NONE_MATCH, "\"2\"", false),
            (IF_MODIFIED_SINCE, same.as_str(), true),
            (IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT", false),
            (IF_MODIFIED_SINCE, "yesterday", false),
        ] {
            let headers = headers(&[(name, value)]);
            assert_eq!(version().is_known(&headers), known, "{value}");
        }
        let both = headers(&[(IF_NONE_MATCH, "\"2\""), (IF_MODIFIED_SINCE, &same)]);
        assert!(!version().is_known(&both), "the tag counts");
    }

    #[test]
    fn parts_are_within_the_file() {
        for (range, expected) in [
            ("bytes=0-3", Part::Range(0, 4)),
            ("bytes=4-", Part::Range(4, 6)),
            ("bytes=-3", Part::Range(7, 3)),
            ("bytes=8-99", Part::Range(8, 2)),
            ("bytes=10-", Part::Beyond),
            ("bytes=0-1,3-4", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes=x", Part::Whole),
            ("bytes=18446744073709551615-", Part::Beyond),
        ] {
            let headers = headers(&[(RANGE, range)]);
            assert_eq!(version().part(&headers), expected, "{range}");
        }
        let of_another = headers(&[(RANGE, "bytes=0-3"), (IF_RANGE, "\"2\"")]);
        assert_eq!(version().part(&of_another), Part::Whole);
        let of_this = headers(&[(RANGE, "bytes=0-3"), (IF_RANGE, "\"1-a\"")]);
        assert_eq!(version().part(&of_this), Part::Range(0, 4));
    }

    #[test]
    fn encodings_can_be_refused() {
        let takes = |list: &str| accepts(&headers(&[(ACCEPT_ENCODING, list)]), "gzip");
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && !accepts(&HeaderMap::new(), "gzip"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("gzip;q=x") && !takes("gzipped"));
    }
}
