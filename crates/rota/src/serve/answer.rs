//! From a request to a response.

use std::fs::{File, Metadata};
use std::io;

use hyper::header::{
    ACCEPT, ACCEPT_RANGES, ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};

use super::body::Answer;
use super::conditions::{Part, Version, accepts, text};
use super::listing;
use super::settings::Settings;
use super::site::{Found, Site, plain};

const INDEX: &str = "index.html";
const NOT_FOUND: &str = "404.html";
/// Files beside a file that have its content in another form, the better one first.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// A file with another's content, what is known of it, and its encoding.
type Encoded = (File, Metadata, &'static str);

/// A request, as far as it is looked at.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

/// What is served.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) site: Site,
    pub(super) settings: Settings,
}

impl Server {
    /// Answers. Opening files takes a moment: not for the thread that does everything else.
    pub(super) fn answer(&self, asked: &Asked<'_>) -> Response<Answer> {
        let mut response = match self.try_answer(asked) {
            Ok(response) => response,
            Err(error) => {
                eprintln!("error: {}: {error}", asked.uri.path().escape_debug());
                short(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be read\n")
            }
        };
        set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
        response
    }

    fn try_answer(&self, asked: &Asked<'_>) -> io::Result<Response<Answer>> {
        if !self.may(asked.headers) {
            let mut response = short(StatusCode::UNAUTHORIZED, "who are you?\n");
            set(
                &mut response,
                WWW_AUTHENTICATE,
                "Basic realm=\"files\", charset=\"UTF-8\"",
            );
            return Ok(response);
        }
        if !matches!(*asked.method, Method::GET | Method::HEAD) {
            let mut response = short(StatusCode::METHOD_NOT_ALLOWED, "");
            set(&mut response, ALLOW, "GET, HEAD");
            return Ok(response);
        }
        let Some(path) = plain(asked.uri.path()) else {
            return self.missing(asked);
        };
        match self.site.find(&path)? {
            // `/page.html/` is no file, and links in it would be wrong.
            Some(Found::File(..)) if asked.uri.path().ends_with('/') => self.missing(asked),
            Some(Found::File(file, metadata)) => self.file(asked, &path, file, &metadata),
            Some(Found::Folder(folder)) => self.folder(asked, &path, &folder),
            None if self.settings.spa && means_a_page(asked, &path) => self.single_page(asked),
            None => self.missing(asked),
        }
    }

    /// Compared without telling by the time how much of it was right.
    fn may(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.settings.credentials else {
            return true;
        };
        let shown = text(headers, &AUTHORIZATION).and_then(|value| value.split_once(' '));
        let Some((scheme, shown)) = shown else {
            return false;
        };
        let shown = shown.trim().as_bytes();
        let differences = wanted.bytes().enumerate().fold(0, |sum, (at, byte)| {
            sum | (byte ^ shown.get(at).copied().unwrap_or(!byte))
        });
        scheme.eq_ignore_ascii_case("basic") && differences == 0 && shown.len() == wanted.len()
    }

    fn folder(&self, asked: &Asked<'_>, path: &str, folder: &File) -> io::Result<Response<Answer>> {
        if !asked.uri.path().ends_with('/') {
            return Ok(moved(asked.uri));
        }
        let index = match path {
            "" => INDEX.to_owned(),
            path => format!("{path}/{INDEX}"),
        };
        if let Some(Found::File(file, metadata)) = self.site.find(&index)? {
            return self.file(asked, &index, file, &metadata);
        }
        if self.settings.spa {
            return self.single_page(asked);
        }
        if !self.settings.listing {
            return self.missing(asked);
        }
        let shown = match path {
            "" => "/".to_owned(),
            path => format!("/{path}/"),
        };
        let mut response = Response::new(Answer::text(listing::page(folder, &shown)?));
        set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
        Ok(response)
    }

    fn single_page(&self, asked: &Asked<'_>) -> io::Result<Response<Answer>> {
        match self.site.find(INDEX)? {
            Some(Found::File(file, metadata)) => self.file(asked, INDEX, file, &metadata),
            _ => self.missing(asked),
        }
    }

    /// With the site's own words, if it has any.
    fn missing(&self, asked: &Asked<'_>) -> io::Result<Response<Answer>> {
        let Some(Found::File(file, metadata)) = self.site.find(NOT_FOUND)? else {
            return Ok(short(StatusCode::NOT_FOUND, "not found\n"));
        };
        let length = metadata.len();
        let mut response = Response::new(content(asked, file, 0, length));
        *response.status_mut() = StatusCode::NOT_FOUND;
        set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut response, CONTENT_LENGTH, &length.to_string());
        Ok(response)
    }

    fn file(
        &self,
        asked: &Asked<'_>,
        path: &str,
        file: File,
        metadata: &Metadata,
    ) -> io::Result<Response<Answer>> {
        let (encoded, varies) = self.encoded(asked, path)?;
        let (file, version, encoding) = match encoded {
            Some((file, metadata, encoding)) => (file, Version::of(&metadata), Some(encoding)),
            None => (file, Version::of(metadata), None),
        };
        let mut response = if version.is_known(asked.headers) {
            let mut response = Response::new(Answer::text(""));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            sent(asked, file, &version, path)
        };
        set(&mut response, ETAG, &version.tag);
        set(
            &mut response,
            LAST_MODIFIED,
            &httpdate::fmt_http_date(version.modified),
        );
        if let Some(encoding) = encoding {
            set(&mut response, CONTENT_ENCODING, encoding);
        }
        if varies {
            set(&mut response, VARY, "Accept-Encoding");
        }
        Ok(response)
    }

    /// The form of a file that the caller likes best, and whether there are others at all.
    fn encoded(&self, asked: &Asked<'_>, path: &str) -> io::Result<(Option<Encoded>, bool)> {
        let mut varies = false;
        for (encoding, ending) in ENCODINGS {
            if let Some(Found::File(file, metadata)) =
                self.site.find(&format!("{path}.{ending}"))?
            {
                varies = true;
                if accepts(asked.headers, encoding) {
                    return Ok((Some((file, metadata, encoding)), true));
                }
            }
        }
        Ok((None, varies))
    }
}

/// A page of the app, not a file that should be there and is not.
fn means_a_page(asked: &Asked<'_>, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let html = text(asked.headers, &ACCEPT).is_some_and(|types| types.contains("text/html"));
    html || !name.contains('.')
}

fn sent(asked: &Asked<'_>, file: File, version: &Version, path: &str) -> Response<Answer> {
    let length = version.length;
    let (status, at, count) = match version.part(asked.headers) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Range(at, count) => (StatusCode::PARTIAL_CONTENT, at, count),
        Part::Beyond => {
            let mut response = short(StatusCode::RANGE_NOT_SATISFIABLE, "");
            set(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    let mut response = Response::new(content(asked, file, at, count));
    *response.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        let last = at + count.saturating_sub(1);
        set(
            &mut response,
            CONTENT_RANGE,
            &format!("bytes {at}-{last}/{length}"),
        );
    }
    set(&mut response, CONTENT_TYPE, &media_type(path));
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, CONTENT_LENGTH, &count.to_string());
    response
}

/// A question for the head alone has no body, but its length.
fn content(asked: &Asked<'_>, file: File, at: u64, count: u64) -> Answer {
    match *asked.method == Method::HEAD {
        true => Answer::text(""),
        false => Answer::file(file, at, count),
    }
}

fn media_type(path: &str) -> String {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let name = match kind.essence_str() {
        // What HTML's standard calls it.
        "application/javascript" => "text/javascript",
        name => name,
    };
    let is_text = name.starts_with("text/") || ["json", "xml"].contains(&kind.subtype().as_str());
    match is_text {
        true => format!("{name}; charset=utf-8"),
        false => name.to_owned(),
    }
}

/// The same with a slash, so that links in the page are right. As a path of this server: `//host/` would be another's.
fn moved(uri: &Uri) -> Response<Answer> {
    let path = uri.path().trim_start_matches('/');
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let mut response = short(StatusCode::PERMANENT_REDIRECT, "");
    set(&mut response, LOCATION, &format!("/{path}/{query}"));
    response
}

fn short(status: StatusCode, text: &'static str) -> Response<Answer> {
    let mut response = Response::new(Answer::text(text));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn set(response: &mut Response<Answer>, name: HeaderName, value: &str) {
    // What a header cannot carry is left out; nothing of a request gets here undecoded.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_names() {
        for (path, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.json", "application/json; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a.wasm", "application/wasm"),
            ("a.woff2", "font/woff2"),
            ("a.PNG", "image/png"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(media_type(path), expected, "{path}");
        }
    }

    #[test]
    fn a_redirect_stays_here() {
        for (uri, expected) in [
            ("/a", "/a/"),
            ("//evil.example/a", "/evil.example/a/"),
            ("/a?b=c", "/a/?b=c"),
        ] {
            let response = moved(&uri.parse().unwrap());
            assert_eq!(response.headers()[LOCATION], expected);
        }
    }
}
