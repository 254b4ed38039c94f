//! Just enough of HTTP/1.1 to know exactly where an answer ends.

use super::builder::WorkerFrom;

/// Bytes of head or trailer that are accepted.
const MAX_HEAD: usize = 64 * 1024;
/// Bytes of the body that are kept to tell the worker.
const KEPT_BODY: usize = 64;

/// What came is not the answer that was announced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// How far the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More bytes must come.
    More,
    /// The answer is complete.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body { left: u64 },
    ChunkSize,
    ChunkData { left: u64 },
    ChunkEnd,
    Trailer,
    UntilClose,
    Done,
}

/// One answer, fed with bytes as they come.
#[derive(Debug)]
pub(super) struct Response<'a> {
    worker_from: &'a WorkerFrom,
    state: State,
    /// Bytes of the head, or of a line of the chunked coding, that is not complete yet.
    partial: Vec<u8>,
    body: Vec<u8>,
    worker: Option<String>,
    started: bool,
    /// The status code once the head is there.
    pub(super) status: Option<u16>,
    /// The server said that it closes the connection.
    pub(super) close: bool,
}

impl<'a> Response<'a> {
    pub(super) fn new(worker_from: &'a WorkerFrom) -> Self {
        Self {
            worker_from,
            state: State::Head,
            partial: Vec::new(),
            body: Vec::new(),
            worker: None,
            started: false,
            status: None,
            close: false,
        }
    }

    /// Whether any byte has come.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// The worker, as far as the answer told it.
    pub(super) fn worker(self) -> Option<String> {
        match self.worker_from {
            WorkerFrom::Header(_) => self.worker,
            WorkerFrom::Body => {
                let text = String::from_utf8_lossy(&self.body);
                let text = text.trim();
                (!text.is_empty()).then(|| text.to_owned())
            }
        }
    }

    /// The connection has ended: true if that is a proper end of this answer.
    pub(super) fn ends_at_close(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// Takes the bytes that came.
    pub(super) fn feed(&mut self, mut data: &[u8]) -> Result<Progress, Malformed> {
        self.started |= !data.is_empty();
        while !data.is_empty() {
            data = match self.state {
                State::Head => self.head(data)?,
                State::Body { left } => {
                    let (rest, left) = self.take_body(data, left);
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Body { left }
                    };
                    rest
                }
                State::UntilClose => self.take_body(data, u64::MAX).0,
                State::ChunkData { left } => {
                    let (rest, left) = self.take_body(data, left);
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::ChunkData { left }
                    };
                    rest
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer => self.chunk_line(data)?,
                State::Done => return Err(Malformed("more bytes than the answer announced")),
            };
        }
        Ok(if self.state == State::Done {
            Progress::Done
        } else {
            Progress::More
        })
    }

    fn take_body<'d>(&mut self, data: &'d [u8], left: u64) -> (&'d [u8], u64) {
        let take = usize::try_from(left).map_or(data.len(), |left| left.min(data.len()));
        let (body, rest) = data.split_at(take);
        if *self.worker_from == WorkerFrom::Body && self.body.len() < KEPT_BODY {
            let keep = body.len().min(KEPT_BODY - self.body.len());
            self.body.extend_from_slice(&body[..keep]);
        }
        (rest, left - take as u64)
    }

    fn head<'d>(&mut self, data: &'d [u8]) -> Result<&'d [u8], Malformed> {
        // The usual case: the whole head in one read, nothing is copied.
        if self.partial.is_empty()
            && let Some(end) = find(data, b"\r\n\r\n")
        {
            self.parse_head(&data[..end + 2])?;
            return Ok(&data[end + 4..]);
        }
        let before = self.partial.len();
        self.partial.extend_from_slice(data);
        let from = before.saturating_sub(3);
        let Some(end) = find(&self.partial[from..], b"\r\n\r\n").map(|end| from + end) else {
            return if self.partial.len() > MAX_HEAD {
                Err(Malformed("the head of the answer does not end"))
            } else {
                Ok(&[])
            };
        };
        let partial = std::mem::take(&mut self.partial);
        self.parse_head(&partial[..end + 2])?;
        Ok(&data[end + 4 - before..])
    }

    /// Reads a head; every line of it, the last too, ends with CR LF.
    fn parse_head(&mut self, head: &[u8]) -> Result<(), Malformed> {
        let mut lines = head
            .split(|&byte| byte == b'\n')
            .map(|line| line.trim_ascii_end());
        let (minor, status) = status_line(lines.next().unwrap_or_default())?;
        if (100..200).contains(&status) && status != 101 {
            // An interim answer; the real one follows.
            return Ok(());
        }
        self.status = Some(status);
        self.close = minor == 0;
        let mut length = None;
        let mut chunked = false;
        for line in lines.filter(|line| !line.is_empty()) {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                return Err(Malformed("a header line without a colon"));
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                length = Some(decimal(value)?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                self.close = self.close_after(value);
            } else if let WorkerFrom::Header(wanted) = self.worker_from
                && name.eq_ignore_ascii_case(wanted.as_bytes())
            {
                self.worker = Some(String::from_utf8_lossy(value).into_owned());
            }
        }
        self.state = match (status, chunked, length) {
            (204 | 304, ..) | (_, false, Some(0)) => State::Done,
            (_, true, _) => State::ChunkSize,
            (_, false, Some(left)) => State::Body { left },
            (_, false, None) => State::UntilClose,
        };
        self.close |= self.state == State::UntilClose;
        Ok(())
    }

    fn close_after(&self, connection: &[u8]) -> bool {
        if connection.eq_ignore_ascii_case(b"close") {
            true
        } else if connection.eq_ignore_ascii_case(b"keep-alive") {
            false
        } else {
            self.close
        }
    }

    /// A line of the chunked coding: a size, the empty line behind a chunk, or a trailer.
    fn chunk_line<'d>(&mut self, data: &'d [u8]) -> Result<&'d [u8], Malformed> {
        let end = data.iter().position(|&byte| byte == b'\n');
        let (part, rest) = data.split_at(end.map_or(data.len(), |end| end + 1));
        self.partial.extend_from_slice(part);
        if self.partial.len() > MAX_HEAD {
            return Err(Malformed("a line of the chunked body does not end"));
        }
        if end.is_none() {
            return Ok(rest);
        }
        let partial = std::mem::take(&mut self.partial);
        let line = partial.trim_ascii();
        self.state = match self.state {
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailer,
                left => State::ChunkData { left },
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(Malformed("a chunk is longer than it said")),
            _ if line.is_empty() => State::Done,
            other => other,
        };
        Ok(rest)
    }
}

fn status_line(line: &[u8]) -> Result<(u8, u16), Malformed> {
    let rest = line
        .strip_prefix(b"HTTP/1.")
        .ok_or(Malformed("not HTTP/1.x"))?;
    match rest {
        [
            minor @ b'0'..=b'9',
            b' ',
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            tail @ ..,
        ] if tail.is_empty() || tail.starts_with(b" ") => {
            let digit = |byte: u8| u16::from(byte - b'0');
            Ok((minor - b'0', digit(*a) * 100 + digit(*b) * 10 + digit(*c)))
        }
        _ => Err(Malformed("a bad status line")),
    }
}

fn decimal(value: &[u8]) -> Result<u64, Malformed> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(Malformed("a bad Content-Length"))
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(Malformed("a bad chunk size"))
}

fn find(data: &[u8], what: &[u8]) -> Option<usize> {
    data.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> WorkerFrom {
        WorkerFrom::Header("x-worker".to_owned())
    }

    /// Feeds the answer whole and byte by byte; both must agree.
    fn read(
        text: &str,
        from: &WorkerFrom,
    ) -> (
        Result<Progress, Malformed>,
        Option<u16>,
        bool,
        Option<String>,
    ) {
        let mut whole = Response::new(from);
        let at_once = whole.feed(text.as_bytes());
        let mut piecewise = Response::new(from);
        let mut last = Ok(Progress::More);
        for byte in text.as_bytes() {
            last = piecewise.feed(std::slice::from_ref(byte));
            if last.is_err() {
                break;
            }
        }
        assert_eq!(at_once, last, "{text:?}");
        assert_eq!(
            (whole.status, whole.close),
            (piecewise.status, piecewise.close)
        );
        let (status, close) = (whole.status, whole.close);
        let worker = whole.worker();
        assert_eq!(worker, piecewise.worker());
        (at_once, status, close, worker)
    }

    #[test]
    fn answers_that_end() {
        for (text, status, close, worker) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Worker: 7\r\n\r\nhi",
                200,
                false,
                Some("7"),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length:0\r\nConnection: close\r\n\r\n",
                200,
                true,
                None,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
                200,
                true,
                None,
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
                200,
                false,
                None,
            ),
            ("HTTP/1.1 204\r\n\r\n", 204, false, None),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx",
                404,
                false,
                None,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
                200,
                false,
                None,
            ),
        ] {
            let (result, got_status, got_close, got_worker) = read(text, &header());
            assert_eq!(result, Ok(Progress::Done), "{text:?}");
            assert_eq!((got_status, got_close), (Some(status), close), "{text:?}");
            assert_eq!(got_worker.as_deref(), worker);
        }
    }

    #[test]
    fn every_true_prefix_is_unfinished() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ] {
            for end in 0..text.len() {
                let from = header();
                let mut response = Response::new(&from);
                assert_eq!(response.feed(&text.as_bytes()[..end]), Ok(Progress::More));
                assert!(!response.ends_at_close());
                assert_eq!(response.started(), end > 0);
            }
        }
    }

    #[test]
    fn without_a_length_the_close_ends_it() {
        let from = WorkerFrom::Body;
        let mut response = Response::new(&from);
        assert_eq!(
            response.feed(b"HTTP/1.1 200 OK\r\n\r\n4711\n"),
            Ok(Progress::More)
        );
        assert!(response.ends_at_close() && response.close);
        assert_eq!(response.worker().as_deref(), Some("4711"));
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 2OO OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
        ] {
            assert!(read(text, &header()).0.is_err(), "{text:?}");
        }
        let from = header();
        let mut endless = Response::new(&from);
        assert!(endless.feed(&vec![b'a'; MAX_HEAD + 1]).is_err());
    }
}
