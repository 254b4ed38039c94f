//! A tiny HTTP/1.1 client: one blocking connection, answers with a length, chunks or until the end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::wait::LIMIT;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `pid` that all servers of the tests tell.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        u32::try_from(self.json()["pid"].as_u64().unwrap()).unwrap()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection that stays open.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
}

impl Connection {
    /// Connects to a port on 127.0.0.1.
    pub fn open(port: u16) -> io::Result<Self> {
        Self::to(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Connects to an address.
    pub fn to(address: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(address)?)
    }

    /// Connects to a port on 127.0.0.1 from another address of the loopback.
    pub fn from(source: IpAddr, port: u16) -> io::Result<Self> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::new(source, 0))?;
        connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
        Self::of(TcpStream::from(socket))
    }

    /// Connects to a Unix socket.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
        })
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(Box::new(stream)),
        })
    }

    /// Sends a request without waiting for the answer.
    pub fn send(&mut self, path: &str) -> io::Result<()> {
        let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(text.as_bytes())
    }

    /// Sends a request and reads its answer.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(path)?;
        self.receive()
    }

    /// Reads one line, of a server that does not speak HTTP.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Writes bytes, to a server that does not speak HTTP.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads the answer to a request.
    pub fn receive(&mut self) -> io::Result<Answer> {
        let first = self.line()?;
        if first.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "closed without an answer",
            ));
        }
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| io::Error::other(first))?;
        let (mut length, mut chunked) = (None, false);
        loop {
            let header = self.line()?.to_lowercase();
            let Some((name, value)) = header.split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse::<usize>().ok(),
                "transfer-encoding" => chunked = value == "chunked",
                _ => {}
            }
        }
        let body = self.body(length, chunked)?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn body(&mut self, length: Option<usize>, chunked: bool) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if chunked {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
                let mut chunk = vec![0; size];
                self.stream.read_exact(&mut chunk)?;
                self.line()?;
                body.extend(chunk);
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        match length {
            Some(length) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }
}

/// One request on a connection of its own, on 127.0.0.1.
#[track_caller]
pub fn get(port: u16, path: &str) -> Answer {
    try_get(port, path).unwrap_or_else(|error| panic!("GET {path} on port {port}: {error}"))
}

/// One request on a connection of its own, on 127.0.0.1.
pub fn try_get(port: u16, path: &str) -> io::Result<Answer> {
    Connection::open(port)?.get(path)
}

/// One request from another address of the loopback.
#[track_caller]
pub fn get_from(source: IpAddr, port: u16, path: &str) -> Answer {
    Connection::from(source, port)
        .and_then(|mut connection| connection.get(path))
        .unwrap()
}

/// One request over a Unix socket.
#[track_caller]
pub fn get_unix(path: &Path, request: &str) -> Answer {
    Connection::unix(path)
        .and_then(|mut connection| connection.get(request))
        .unwrap()
}
