//! Lines for journald, by its native protocol: a datagram of fields per line.

use std::cell::OnceCell;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::queue::Queue;
use super::writer::{STACK, tell};
use super::{Source, Stream};

/// Where journald listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";
/// How many bytes may wait for it.
const WAITING_BYTES: usize = 512 * 1024;
/// How often a journald that is not there is looked for.
const RETRY: Duration = Duration::from_secs(1);
/// The priorities of syslog: "informational", and "error".
const INFO: &str = "6";
const ERROR: &str = "3";

/// The way to journald. The thread starts with the first line.
pub(super) struct Journal {
    socket: PathBuf,
    queue: OnceCell<Option<Arc<Queue<Vec<u8>>>>>,
}

impl Journal {
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            queue: OnceCell::new(),
        }
    }

    /// Sends a line. One that finds no room, since journald is slower, is lost there.
    pub fn send(&self, source: &Source, line: &[u8]) {
        let queue = self.queue.get_or_init(|| start(self.socket.clone()));
        if let Some(queue) = queue.as_ref().filter(|queue| queue.has_room()) {
            let message = message(source, line);
            queue.push(message.len(), message);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some(Some(queue)) = self.queue.get() {
            queue.close();
        }
    }
}

fn start(socket: PathBuf) -> Option<Arc<Queue<Vec<u8>>>> {
    let queue = Arc::new(Queue::new(WAITING_BYTES));
    let ours = Arc::clone(&queue);
    let started = thread::Builder::new()
        .name("journald".into())
        .stack_size(STACK)
        .spawn(move || send_all(&queue, &socket));
    match started {
        Ok(_) => Some(ours),
        Err(error) => {
            tell(&format!("rota: no lines go to journald: {error}"));
            None
        }
    }
}

fn send_all(queue: &Queue<Vec<u8>>, path: &Path) {
    let mut socket: Option<UnixDatagram> = None;
    let mut failed: Option<Instant> = None;
    let mut lost = 0_u64;
    while let Some((bytes, message)) = queue.next() {
        let waits = failed.is_some_and(|at| at.elapsed() < RETRY);
        let sent = match (&socket, waits) {
            (None, true) => Err(None),
            (Some(socket), _) => socket.send(&message).map_err(Some),
            (None, false) => connect(path)
                .and_then(|new| socket.insert(new).send(&message))
                .map_err(Some),
        };
        match sent {
            Ok(_) => {
                if failed.take().is_some() {
                    tell(&format!(
                        "rota: journald takes lines again, {lost} were lost on the way to it"
                    ));
                    lost = 0;
                }
            }
            Err(error) => {
                lost += 1;
                socket = None;
                if let Some(error) = error {
                    if failed.is_none() {
                        tell(&format!(
                            "rota: journald takes no lines at {}: {error}; files are written as before",
                            path.display()
                        ));
                    }
                    failed = Some(Instant::now());
                }
            }
        }
        queue.done(bytes);
    }
}

fn connect(path: &Path) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

/// The fields of a line. Values may have any bytes: they stand behind their length.
pub(super) fn message(source: &Source, line: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(line.len() + 200);
    field(&mut message, "MESSAGE", line);
    let priority = match source.stream {
        Stream::Out => INFO,
        Stream::Err => ERROR,
    };
    field(&mut message, "PRIORITY", priority.as_bytes());
    field(&mut message, "SYSLOG_IDENTIFIER", source.app.as_bytes());
    field(&mut message, "ROTA_APP", source.app.as_bytes());
    for (name, value) in [
        ("ROTA_SLOT", u64::from(source.slot)),
        ("ROTA_WORKER", source.worker),
        ("ROTA_GENERATION", u64::from(source.generation)),
    ] {
        field(&mut message, name, value.to_string().as_bytes());
    }
    field(
        &mut message,
        "ROTA_STREAM",
        source.stream.to_string().as_bytes(),
    );
    message
}

fn field(message: &mut Vec<u8>, name: &str, value: &[u8]) {
    message.extend_from_slice(name.as_bytes());
    message.push(b'\n');
    message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            app: "api".into(),
            slot: 1,
            worker: 9,
            generation: 2,
            stream: Stream::Err,
        }
    }

    fn fields(mut message: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        while !message.is_empty() {
            let end = message.iter().position(|&byte| byte == b'\n').unwrap();
            let name = String::from_utf8(message[..end].to_vec()).unwrap();
            let (length, rest) = message[end + 1..].split_at(8);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            fields.push((name, rest[..length].to_vec()));
            assert_eq!(rest[length], b'\n');
            message = &rest[length + 1..];
        }
        fields
    }

    #[test]
    fn a_line_has_its_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let server = UnixDatagram::bind(&path).unwrap();
        let journal = Journal::new(path);
        journal.send(&source(), b"MESSAGE=\xff\nx");
        let mut buffer = vec![0; 4096];
        let size = server.recv(&mut buffer).unwrap();
        let fields = fields(&buffer[..size]);
        let value = |name: &str| {
            let field = fields.iter().find(|(known, _)| known == name).unwrap();
            field.1.as_slice()
        };
        assert_eq!(value("MESSAGE"), b"MESSAGE=\xff\nx");
        assert_eq!(value("PRIORITY"), b"3");
        assert_eq!(value("SYSLOG_IDENTIFIER"), b"api");
        assert_eq!(value("ROTA_APP"), b"api");
        assert_eq!(value("ROTA_SLOT"), b"1");
        assert_eq!(value("ROTA_WORKER"), b"9");
        assert_eq!(value("ROTA_STREAM"), b"err");
    }

    #[test]
    fn a_journald_that_is_not_there_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path().join("none"));
        for _ in 0..1000 {
            journal.send(&source(), &[b'x'; 1000]);
        }
    }
}
