//! The lines that a primary writes. Each ends with its line break.

use serde::Serialize;
use serde_json::value::RawValue;

use super::query::SocknameJson;
use crate::agent::CMD;
use crate::primary::SockName;

/// The answer to a message with a descriptor that has arrived.
pub const HANDLE_ACK: &[u8] = b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
/// The answer to a message whose descriptor is missing.
pub const HANDLE_NACK: &[u8] = b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

/// Node's name for the kind of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKind {
    /// A TCP or Unix socket, connected or listening.
    Stream,
    /// A UDP socket.
    Datagram,
}

impl HandleKind {
    fn name(self) -> &'static str {
        match self {
            Self::Stream => "net.Native",
            Self::Datagram => "dgram.Native",
        }
    }
}

/// The answer to `queryServer`.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Our number of this message.
    pub seq: u64,
    /// The worker's number of the question.
    pub ack: u64,
    /// The name of the listener.
    pub key: &'a str,
    /// A negative errno, or 0.
    pub errno: i32,
    /// The address that is listened on; `None` for Unix sockets and with a descriptor.
    pub sockname: Option<&'a SockName>,
    /// What the first worker of this listener wanted all to know.
    pub data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ReplyJson<'a> {
    cmd: &'static str,
    errno: i32,
    key: &'a str,
    ack: u64,
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockname: Option<SocknameJson<'a>>,
    seq: u64,
}

impl Reply<'_> {
    /// The line; with `handle`, as a message that goes with a descriptor of that kind.
    #[must_use]
    pub fn line(&self, handle: Option<HandleKind>) -> Vec<u8> {
        let address = self.sockname.and_then(SockName::ip_text);
        let json = ReplyJson {
            cmd: "NODE_CLUSTER",
            errno: self.errno,
            key: self.key,
            ack: self.ack,
            data: self.data,
            sockname: address
                .as_ref()
                .map(|(address, family, port)| SocknameJson {
                    address,
                    family,
                    port: *port,
                }),
            seq: self.seq,
        };
        let mut line = Vec::with_capacity(256);
        if let Some(kind) = handle {
            open_handle(&mut line, kind);
        }
        // Writing plain fields to memory cannot fail.
        let _ = serde_json::to_writer(&mut line, &json);
        if handle.is_some() {
            line.push(b'}');
        }
        line.push(b'\n');
        line
    }
}

/// The answer to `exitedAfterDisconnect`.
#[must_use]
pub fn leave(seq: u64, ack: u64) -> Vec<u8> {
    format!("{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{ack},\"seq\":{seq}}}\n").into_bytes()
}

/// Tells a worker to close its servers and then the channel.
#[must_use]
pub fn disconnect(seq: u64) -> Vec<u8> {
    format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":{seq}}}\n").into_bytes()
}

/// The message to an agent that goes with the listening socket of that server of its, see
/// [`crate::agent::FromAgent::Server`].
#[must_use]
pub fn spare(server: u32, backlog: i32) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    open_handle(&mut line, HandleKind::Stream);
    let rest = format!(
        "{{\"cmd\":\"{CMD}\",\"act\":\"spare\",\"id\":{server},\"backlog\":{backlog}}}}}\n"
    );
    line.extend_from_slice(rest.as_bytes());
    line
}

/// The part of a connection's message that is the same for all connections of a listener.
#[must_use]
pub fn connection_prefix(key: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    open_handle(&mut line, HandleKind::Stream);
    line.extend_from_slice(br#"{"cmd":"NODE_CLUSTER","act":"newconn","key":"#);
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(&mut line, key);
    line.extend_from_slice(br#","seq":"#);
    line
}

/// Writes the message that goes with a connection into `line`.
pub fn connection(line: &mut Vec<u8>, prefix: &[u8], seq: u64) {
    open_connection(line, prefix, seq);
    line.extend_from_slice(b"}}\n");
}

/// The same for a connection that another worker has handed over after so many requests, with what
/// the receiving agent has to know. Node itself passes over the extra field.
pub fn handed_connection(line: &mut Vec<u8>, prefix: &[u8], seq: u64, requests: u64, keep: u64) {
    open_connection(line, prefix, seq);
    let rest = format!(",\"rota\":{{\"requests\":{requests},\"keep\":{keep}}}}}}}\n");
    line.extend_from_slice(rest.as_bytes());
}

fn open_connection(line: &mut Vec<u8>, prefix: &[u8], seq: u64) {
    line.clear();
    line.extend_from_slice(prefix);
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = seq;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[start..]);
}

fn open_handle(line: &mut Vec<u8>, kind: HandleKind) {
    line.extend_from_slice(br#"{"cmd":"NODE_HANDLE","type":""#);
    line.extend_from_slice(kind.name().as_bytes());
    line.extend_from_slice(br#"","msg":"#);
}
