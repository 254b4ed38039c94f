//! What a line from a worker means.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::query::Query;

/// A line from a worker.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// `NODE_HANDLE_ACK`: the oldest unanswered descriptor that we sent has arrived.
    HandleArrived,
    /// `NODE_HANDLE_NACK`: it has not.
    HandleLost,
    /// `NODE_HANDLE`: a message with a descriptor. It must be answered, or the worker sends nothing
    /// any more.
    Handle {
        /// The message itself, if there is one.
        inner: Option<Inner<'a>>,
    },
    /// The cluster's.
    Cluster {
        /// The sender's number of the message.
        seq: Option<u64>,
        /// What it says.
        message: ClusterMessage<'a>,
    },
    /// Another message whose `cmd` starts with `NODE_`, as JSON.
    Internal(&'a str),
    /// A message of the app's own, as JSON.
    User(&'a str),
}

/// The message that a descriptor comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inner<'a> {
    /// One of the app's own, as JSON.
    User(&'a str),
    /// One whose `cmd` starts with `NODE_`, as JSON.
    Internal(&'a str),
}

/// A message of the cluster protocol from a worker.
#[derive(Debug)]
pub enum ClusterMessage<'a> {
    /// The answer to a message of ours.
    Answer {
        /// Our number of that message.
        ack: u64,
        /// To a connection: whether the worker has taken it.
        accepted: bool,
    },
    /// The worker's JavaScript runs.
    Online,
    /// It wants to listen.
    QueryServer(Box<Query<'a>>),
    /// It listens.
    Listening(Box<Query<'a>>),
    /// It has closed the server of that key.
    Close {
        /// The key that it was told.
        key: Cow<'a, str>,
    },
    /// It leaves on purpose and waits for an answer.
    ExitedAfterDisconnect,
}

/// A line that no Node worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON.
    #[error("a line that is not JSON")]
    NotJson,
    /// A cluster message without sense.
    #[error("a cluster message that cannot be understood")]
    BadCluster,
}

/// Every answer to a connection starts like this, because Node writes `cmd` first.
const ANSWER: &[u8] = br#"{"cmd":"NODE_CLUSTER","ack":"#;
const ACCEPTED: &[u8] = br#","accepted":true,"#;
const REFUSED: &[u8] = br#","accepted":false,"#;
const ARRIVED: &[u8] = br#"{"cmd":"NODE_HANDLE_ACK"}"#;

/// Tells what a line means.
///
/// # Errors
/// When it is not JSON, or claims to be a cluster message and is not.
pub fn parse(line: &[u8]) -> Result<Incoming<'_>, ParseError> {
    // The two lines that come with every connection, without a JSON parser.
    if line == ARRIVED {
        return Ok(Incoming::HandleArrived);
    }
    if let Some(message) = fast_answer(line) {
        return Ok(Incoming::Cluster { seq: None, message });
    }
    let text = std::str::from_utf8(line).map_err(|_| ParseError::NotJson)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| ParseError::NotJson)?;
    let text = raw.get();
    match internal_command(text) {
        None => Ok(Incoming::User(text)),
        Some(command) => internal(&command, text),
    }
}

fn internal<'a>(command: &str, text: &'a str) -> Result<Incoming<'a>, ParseError> {
    match command {
        "NODE_CLUSTER" => cluster(text),
        "NODE_HANDLE" => Ok(Incoming::Handle { inner: inner(text) }),
        "NODE_HANDLE_ACK" => Ok(Incoming::HandleArrived),
        "NODE_HANDLE_NACK" => Ok(Incoming::HandleLost),
        _ => Ok(Incoming::Internal(text)),
    }
}

fn fast_answer(line: &[u8]) -> Option<ClusterMessage<'static>> {
    let rest = line.strip_prefix(ANSWER)?;
    let digits = rest.iter().take(17).take_while(|b| b.is_ascii_digit());
    let mut ack = 0_u64;
    let mut length = 0;
    for digit in digits {
        ack = ack * 10 + u64::from(digit - b'0');
        length += 1;
    }
    let rest = rest.get(length..).filter(|_| (1..17).contains(&length))?;
    // What follows is only the worker's own number of the message, which nobody asks for.
    let (accepted, rest) = match rest.strip_prefix(ACCEPTED) {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix(REFUSED)?),
    };
    let tail = rest.strip_prefix(br#""seq":"#)?.strip_suffix(b"}")?;
    tail.iter()
        .all(u8::is_ascii_digit)
        .then_some(ClusterMessage::Answer { ack, accepted })
}

/// The `cmd` of an object, if it marks the message as internal in Node's sense: longer than
/// `NODE_` and beginning with it.
fn internal_command(text: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow, default)]
        cmd: Option<&'a RawValue>,
    }
    if !text.starts_with('{') || memchr::memmem::find(text.as_bytes(), b"\"cmd\"").is_none() {
        return None;
    }
    let head: Head<'_> = serde_json::from_str(text).ok()?;
    let command: Cow<'_, str> = serde_json::from_str::<Text<'_>>(head.cmd?.get()).ok()?.0;
    (command.len() > "NODE_".len() && command.starts_with("NODE_")).then_some(command)
}

/// A string that is borrowed when it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The message inside a message with a descriptor.
fn inner(text: &str) -> Option<Inner<'_>> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        msg: Option<&'a RawValue>,
    }
    let outer: Outer<'_> = serde_json::from_str(text).ok()?;
    let inner = outer.msg?.get();
    Some(match internal_command(inner) {
        None => Inner::User(inner),
        Some(_) => Inner::Internal(inner),
    })
}

fn cluster(text: &str) -> Result<Incoming<'_>, ParseError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, default)]
        act: Option<Cow<'a, str>>,
        #[serde(default)]
        seq: Option<u64>,
        #[serde(default)]
        ack: Option<u64>,
        #[serde(default)]
        accepted: Option<bool>,
        #[serde(borrow, default)]
        key: Option<Cow<'a, str>>,
    }
    let bad = |_| ParseError::BadCluster;
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(bad)?;
    let query = || serde_json::from_str(text).map(Box::new).map_err(bad);
    let message = match (envelope.act.as_deref(), envelope.ack) {
        (_, Some(ack)) => ClusterMessage::Answer {
            ack,
            accepted: envelope.accepted.unwrap_or(false),
        },
        (Some("online"), None) => ClusterMessage::Online,
        (Some("queryServer"), None) => ClusterMessage::QueryServer(query()?),
        (Some("listening"), None) => ClusterMessage::Listening(query()?),
        (Some("close"), None) => ClusterMessage::Close {
            key: envelope.key.ok_or(ParseError::BadCluster)?,
        },
        (Some("exitedAfterDisconnect"), None) => ClusterMessage::ExitedAfterDisconnect,
        _ => return Err(ParseError::BadCluster),
    };
    Ok(Incoming::Cluster {
        seq: envelope.seq,
        message,
    })
}
