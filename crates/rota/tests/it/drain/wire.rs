//! A client that shows what happens on its one connection: bytes as they are sent, heads of answers, the moment at
//! which the server closes.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// One connection.
pub struct Wire {
    /// To the server.
    to: File,
    /// From the server.
    from: File,
    buffer: Vec<u8>,
    port: u16,
    /// Who speaks TLS for us.
    _tls: Option<Tls>,
}

struct Tls(Child);

impl Drop for Tls {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The worker that it is from.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let pid = self.json()["pid"].as_u64();
        u32::try_from(pid.unwrap_or_else(|| panic!("no pid in {self:?}"))).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Whether it says that the connection ends with it.
    pub fn says_close(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Wire {
    /// Connects to a port on 127.0.0.1.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let port = stream.local_addr().unwrap().port();
        let stream = File::from(OwnedFd::from(stream));
        Self {
            to: stream.try_clone().unwrap(),
            from: stream,
            buffer: Vec::new(),
            port,
            _tls: None,
        }
    }

    /// Connects to a port on 127.0.0.1 with TLS, by OpenSSL's client.
    pub fn open_tls(port: u16) -> Self {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-quiet", "-connect"]);
        let mut child = client
            .arg(format!("127.0.0.1:{port}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            to: File::from(OwnedFd::from(child.stdin.take().unwrap())),
            from: File::from(OwnedFd::from(child.stdout.take().unwrap())),
            buffer: Vec::new(),
            port: 0,
            _tls: Some(Tls(child)),
        }
    }

    /// Many connections that have had one request each.
    pub fn open_used(port: u16, count: usize) -> Vec<Self> {
        let open = |_| {
            let mut wire = Self::open(port);
            assert_eq!(wire.ask("/").status, 200);
            wire
        };
        (0..count).map(open).collect()
    }

    /// Our own port: what the server sees as the remote one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes bytes as they are.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.to.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request without waiting for its answer.
    #[track_caller]
    pub fn send(&mut self, path: &str) {
        self.write(request(path));
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn ask(&mut self, path: &str) -> Answer {
        self.send(path);
        self.answer()
    }

    /// Reads the answer to a request.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer()
            .unwrap_or_else(|error| panic!("no answer on port {}: {error}", self.port()))
    }

    /// Reads the answer to a request, if there is one.
    pub fn try_answer(&mut self) -> io::Result<Answer> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(head.clone()))?;
        let body = if head.contains("transfer-encoding: chunked") {
            self.chunks()?
        } else {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next());
            let length = length.and_then(|text| text.parse().ok());
            self.exactly(length.unwrap_or(0))?
        };
        Ok(Answer { status, head, body })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Reads up to and with these bytes.
    pub fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|at| at == end);
            if let Some(at) = found {
                return Ok(self.buffer.drain(..at + end.len()).collect());
            }
            self.more()?;
        }
    }

    /// Reads so many bytes.
    pub fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn more(&mut self) -> io::Result<()> {
        if !self.readable(LIMIT) {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut bytes = [0; 65536];
        let count = self.from.read(&mut bytes)?;
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed"));
        }
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(())
    }

    fn readable(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap();
        poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&limit)).unwrap() > 0
    }

    /// Whether the server has it still open, and has said nothing that nobody asked for.
    pub fn is_open(&self) -> bool {
        self.stays_open(Duration::ZERO)
    }

    /// Whether that stays so for this time.
    pub fn stays_open(&self, time: Duration) -> bool {
        self.buffer.is_empty() && !self.readable(time)
    }

    /// Waits until the server closes without a word; gives the time that it took.
    #[track_caller]
    pub fn until_closed(&mut self) -> Duration {
        let begin = Instant::now();
        match self.more() {
            Err(error) if error.kind() != ErrorKind::TimedOut => begin.elapsed(),
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&self.buffer)),
        }
    }
}

/// A request as it goes over the wire.
pub fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}
