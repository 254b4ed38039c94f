//! A daemon that does what a script says.

use std::path::{Path, PathBuf};

use rota_api::client::Client;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What the daemon does next.
pub enum Act {
    /// Reads a request and answers with these bytes, then closes.
    Answer(Vec<u8>),
    /// Lets nobody in until the next act, as between the death of a keeper and the start of another.
    Refuse,
    /// Ends in order: takes its path away.
    End,
}

impl Act {
    pub fn answer(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Answer(bytes.into())
    }
}

/// Runs `test` beside a daemon that does this, and then is no longer there. Gives the requests that it has read.
pub fn with_script<F>(script: Vec<Act>, test: impl FnOnce(Client) -> F) -> Vec<String>
where
    F: Future<Output = ()>,
{
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("rota.sock");
    block_on(async {
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = tokio::spawn(play(script, socket, listener));
        test(Client::connect(folder.path()).await.unwrap()).await;
        daemon.await.unwrap()
    })
}

/// As [`with_script`] for one answer, at whose end the daemon is gone.
pub fn with_server<F>(answer: impl Into<Vec<u8>>, test: impl FnOnce(Client) -> F) -> String
where
    F: Future<Output = ()>,
{
    let script = vec![Act::answer(answer)];
    with_script(script, test).remove(0)
}

async fn play(script: Vec<Act>, socket: PathBuf, listener: UnixListener) -> Vec<String> {
    let mut requests = Vec::new();
    let mut listener = Some(listener);
    let mut left = script.len();
    for act in script {
        left -= 1;
        match act {
            Act::Answer(answer) => {
                let listening = listener.get_or_insert_with(|| listen_again(&socket));
                let (mut stream, request) = loop {
                    let (mut stream, _) = listening.accept().await.unwrap();
                    if let Some(request) = read(&mut stream).await {
                        break (stream, request);
                    }
                };
                requests.push(request);
                stream.write_all(&answer).await.unwrap();
                if left == 0 {
                    // Before the connection ends: who has noticed its end must not find the path.
                    std::fs::remove_file(&socket).unwrap();
                }
            }
            Act::Refuse => {
                drop(listener.take());
                // Lets the client try; whether it does so in this time makes no difference to the result.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Act::End => {
                drop(listener.take());
                std::fs::remove_file(&socket).unwrap();
            }
        }
    }
    requests
}

/// Listens at the place of a stale socket, without a moment in which there is none.
fn listen_again(socket: &Path) -> UnixListener {
    let fresh = socket.with_extension("fresh");
    let listener = UnixListener::bind(&fresh).unwrap();
    std::fs::rename(fresh, socket).unwrap();
    listener
}

/// Reads a request; `None` from somebody who only looks whether there is a daemon.
async fn read(stream: &mut UnixStream) -> Option<String> {
    let mut request = vec![0; 64 * 1024];
    let mut length = 0;
    while !complete(&request[..length]) {
        match stream.read(&mut request[length..]).await.unwrap() {
            0 => return None,
            more => length += more,
        }
    }
    request.truncate(length);
    String::from_utf8(request).ok()
}

/// A whole request: its head, and as much body as the head says.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

pub fn response(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// An answer line by line that has its end.
pub fn lines(lines: &[&str]) -> String {
    cut_off(lines) + "0\r\n\r\n"
}

/// An answer line by line that breaks off.
pub fn cut_off(lines: &[&str]) -> String {
    let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for line in lines {
        answer.push_str(&format!("{:x}\r\n{line}\n\r\n", line.len() + 1));
    }
    answer
}
