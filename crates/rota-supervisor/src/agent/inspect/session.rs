//! One connection to an inspector: pause, look, resume.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use rota_node::inspector::Address;
use rota_node::inspector::protocol::{self, Incoming};
use rota_node::inspector::stack::{self, Frame};
use rota_node::inspector::websocket::{self, Decoder, Received, Violation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Seen;

/// JavaScript that runs is interrupted at once; what has not been by then is none.
const IDLE_AFTER: Duration = Duration::from_millis(300);
/// How many scripts are remembered by their number.
const SCRIPTS_MAX: usize = 4096;
const READ_SIZE: usize = 64 * 1024;

const ENABLE: u64 = 1;
const PAUSE: u64 = 2;
const RESUME: u64 = 3;

/// Why a conversation with an inspector failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not an inspector.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// It does not do what is asked.
    #[error("it refused to pause: {0}")]
    Refused(String),
}

/// Looks where JavaScript is. Waits without limit for an inspector that does not answer.
pub(super) async fn look(address: &Address, agent: &str) -> Result<Seen, SessionError> {
    let mut stream = TcpStream::connect(address.socket).await?;
    stream.write_all(&websocket::request(address)).await?;
    let (mut decoder, mut dialogue) = (Decoder::default(), Dialogue::default());
    let mut buffer = vec![0; READ_SIZE];
    while dialogue.result.is_none() {
        let Ok(read) = read(&mut stream, &mut buffer, dialogue.idle_at).await else {
            dialogue.result = Some(Ok(None));
            break;
        };
        let length = read?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        decoder.feed(&buffer[..length], |received| dialogue.receive(received))?;
        let answers = std::mem::take(&mut dialogue.answers);
        stream.write_all(&answers).await?;
    }
    // Node's inspector lets JavaScript go on when the connection ends, too: a failure does no harm.
    let _ = stream.write_all(&websocket::close()).await;
    let Some((frames, more)) = dialogue.result.unwrap_or(Ok(None))? else {
        return Ok(Seen::Idle);
    };
    let frames = with_addresses(frames, &dialogue.scripts);
    match stack::lines(&frames, more, agent) {
        // The agent's own work.
        lines if lines.is_empty() => Ok(Seen::Idle),
        lines => Ok(Seen::Stack(lines)),
    }
}

/// Reads, until the given time if there is one.
async fn read(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    until: Option<Instant>,
) -> Result<io::Result<usize>, tokio::time::error::Elapsed> {
    match until {
        Some(until) => timeout_at(until, stream.read(buffer)).await,
        None => Ok(stream.read(buffer).await),
    }
}

/// Frames of which the inspector has only told the script's number.
fn with_addresses(mut frames: Vec<Frame>, scripts: &HashMap<String, String>) -> Vec<Frame> {
    for frame in frames.iter_mut().filter(|frame| frame.url.is_empty()) {
        frame.url = scripts.get(&frame.script).cloned().unwrap_or_default();
    }
    frames
}

/// A stack as it comes, and whether there is more of it.
type Stack = (Vec<Frame>, bool);

/// What has been said so far.
#[derive(Default)]
struct Dialogue {
    /// What is to be sent.
    answers: Vec<u8>,
    /// We have asked for a pause.
    asked: bool,
    /// JavaScript stood still before we asked.
    before: Option<Stack>,
    /// When it is clear that no JavaScript runs.
    idle_at: Option<Instant>,
    scripts: HashMap<String, String>,
    /// The outcome: `None` in it for no JavaScript.
    result: Option<Result<Option<Stack>, SessionError>>,
}

impl Dialogue {
    fn command(&mut self, id: u64, method: &str) {
        let frame = websocket::text(&protocol::command(id, method));
        self.answers.extend(frame);
    }

    fn receive(&mut self, received: Received<'_>) {
        if self.result.is_some() {
            return;
        }
        match received {
            Received::Open => self.command(ENABLE, "Debugger.enable"),
            Received::Ping => self.answers.extend(websocket::pong()),
            Received::Close => {
                let error = io::Error::from(io::ErrorKind::ConnectionReset);
                self.result = Some(Err(error.into()));
            }
            Received::Message { bytes } => self.message(Incoming::parse(bytes)),
        }
    }

    fn message(&mut self, message: Incoming) {
        match message {
            Incoming::Reply {
                error: Some(why), ..
            } => self.result = Some(Err(SessionError::Refused(why))),
            Incoming::Reply { id: ENABLE, .. } => match self.before.take() {
                // Somebody debugs it and has paused it: it is theirs to resume.
                Some(stack) => self.result = Some(Ok(Some(stack))),
                None => {
                    self.asked = true;
                    self.command(PAUSE, "Debugger.pause");
                }
            },
            Incoming::Reply { id: PAUSE, .. } => self.idle_at = Some(Instant::now() + IDLE_AFTER),
            Incoming::Paused { frames, more } if self.asked => {
                self.command(RESUME, "Debugger.resume");
                self.result = Some(Ok(Some((frames, more))));
            }
            Incoming::Paused { frames, more } => self.before = Some((frames, more)),
            Incoming::Script { id, url } if self.scripts.len() < SCRIPTS_MAX => {
                self.scripts.insert(id, url);
            }
            Incoming::Reply { .. } | Incoming::Script { .. } | Incoming::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// An inspector that says this, whatever it is asked; gives what was seen.
    async fn with_server(says: Vec<u8>) -> Result<Seen, SessionError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = Address {
            socket: listener.local_addr().unwrap(),
            id: String::new(),
        };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Fails when the client has seen enough.
            let _ = stream.write_all(&says).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        };
        let client = look(&address, "/agent.js");
        tokio::join!(server, client).1
    }

    fn frame(text: &str) -> Vec<u8> {
        let mut bytes = vec![0x81, 126];
        bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    fn says(messages: &[&str]) -> Vec<u8> {
        let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        for message in messages {
            bytes.extend(frame(message));
        }
        bytes
    }

    const SCRIPT: &str =
        r#"{"method":"Debugger.scriptParsed","params":{"scriptId":"9","url":"file:///a.js"}}"#;
    const PAUSED: &str = r#"{"method":"Debugger.paused","params":{"callFrames":[{"functionName":"f",
        "url":"","location":{"scriptId":"9","lineNumber":1,"columnNumber":2}}]}}"#;

    #[tokio::test]
    async fn a_stack_is_seen() {
        let stack = Seen::Stack(vec!["f (/a.js:2:3)".to_owned()]);
        let enabled = r#"{"id":1,"result":{}}"#;
        let seen = with_server(says(&[SCRIPT, enabled, PAUSED])).await;
        assert_eq!(seen.unwrap(), stack);
        let before = with_server(says(&[SCRIPT, PAUSED, enabled])).await;
        assert_eq!(before.unwrap(), stack);
    }

    #[tokio::test]
    async fn nothing_runs() {
        let seen = with_server(says(&[
            r#"{"id":1,"result":{}}"#,
            r#"{"id":2,"result":{}}"#,
        ]))
        .await;
        assert_eq!(seen.unwrap(), Seen::Idle);
    }

    #[tokio::test]
    async fn nonsense_is_an_error() {
        for bad in [
            b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(),
            says(&[r#"{"id":1,"error":{"message":"no"}}"#]),
            [says(&[]), b"\x83\x01x".to_vec()].concat(),
            [says(&[]), b"\x88\x00".to_vec()].concat(),
        ] {
            assert!(with_server(bad).await.is_err());
        }
    }
}
