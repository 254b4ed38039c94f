//! A host without IO, and a primary with it.

#![allow(dead_code, reason = "not every test file uses everything")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;

use rota_node::channel::Frame;
use rota_node::primary::{
    Bind, Delivery, Errno, ListenerId, Millis, Notice, Role, Saved, SockName, SocketId, Stranger,
    Tuning, WorkerId,
};
use rota_node::{Balance, Host, Primary};

/// A connection that says when our copy is closed.
#[derive(Debug)]
pub struct Connection {
    pub number: u32,
    pub peer: Option<SocketAddr>,
    closed: Rc<RefCell<BTreeSet<u32>>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closed.borrow_mut().insert(self.number);
    }
}

#[derive(Debug, Default)]
pub struct FakeHost {
    /// Lines per worker; those with a socket start with `@`.
    pub sent: BTreeMap<WorkerId, Vec<String>>,
    /// Connections per worker that it has not answered: their sequence and own numbers.
    pub dealt: BTreeMap<WorkerId, Vec<(u64, u32)>>,
    /// What came with connections that were handed over.
    pub states: Vec<(WorkerId, u32, String)>,
    pub open: BTreeMap<SocketId, Bind>,
    pub notices: Vec<(WorkerId, String)>,
    /// What the next socket gets instead.
    pub failure: Option<Errno>,
    /// What workers have inherited under which numbers; empty: the same all of them.
    pub descriptors: BTreeMap<(WorkerId, i64), i64>,
    pub blocked: BTreeSet<WorkerId>,
}

impl Host for FakeHost {
    type Connection = Connection;

    fn open(&mut self, socket: SocketId, _key: &str, bind: &Bind) -> Result<SockName, Errno> {
        if let Some(errno) = self.failure {
            return Err(errno);
        }
        self.open.insert(socket, bind.clone());
        Ok(match bind {
            Bind::Unix { path, .. } => SockName::Path(path.clone()),
            _ => SockName::Ip(SocketAddr::from(([127, 0, 0, 1], 4000))),
        })
    }

    fn inherited(&self, worker: WorkerId, number: i64) -> Option<i64> {
        match self.descriptors.is_empty() {
            true => Some(number),
            false => self.descriptors.get(&(worker, number)).copied(),
        }
    }

    fn close(&mut self, socket: SocketId) {
        assert!(self.open.remove(&socket).is_some(), "closed twice");
    }

    fn send(&mut self, worker: WorkerId, line: &[u8]) {
        let line = std::str::from_utf8(line).unwrap();
        let line = line.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'));
        let lines = self.sent.entry(worker).or_default();
        lines.push(line.to_owned());
    }

    fn send_socket(&mut self, worker: WorkerId, line: &[u8], socket: SocketId) {
        assert!(self.open.contains_key(&socket), "a closed socket is sent");
        let line = std::str::from_utf8(line).unwrap().trim_end();
        let lines = self.sent.entry(worker).or_default();
        lines.push(format!("@{:?} {line}", socket.slot));
    }

    fn examine(
        &mut self,
        connection: &Connection,
        _server: &SockName,
    ) -> Result<Option<SocketAddr>, Stranger> {
        match connection.peer {
            Some(peer) => Ok(Some(peer)),
            None => Err(Stranger::NotConnected),
        }
    }

    fn deal(&mut self, worker: WorkerId, _: u64, line: &[u8], connection: &Connection) -> Delivery {
        if self.blocked.contains(&worker) {
            return Delivery::Blocked;
        }
        let json: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(json["msg"]["act"], "newconn");
        let seq = json["msg"]["seq"].as_u64().unwrap();
        if let Some(state) = json["msg"].get("rota") {
            self.states
                .push((worker, connection.number, state.to_string()));
        }
        let dealt = self.dealt.entry(worker).or_default();
        dealt.push((seq, connection.number));
        Delivery::Sent
    }

    fn notice(&mut self, worker: WorkerId, notice: Notice<'_>) {
        self.notices.push((worker, format!("{notice:?}")));
    }
}

pub struct World {
    pub primary: Primary<Connection>,
    pub host: FakeHost,
    pub now: Millis,
    pub closed: Rc<RefCell<BTreeSet<u32>>>,
    pub connections: u32,
    tuning: Tuning,
    /// What each worker has said without a descriptor, since it last sent one.
    said: BTreeMap<WorkerId, Vec<String>>,
}

pub const FIRST: SocketId = SocketId {
    listener: ListenerId(0),
    slot: None,
};

impl World {
    pub fn new(window: usize) -> Self {
        let tuning = Tuning {
            window,
            ..Tuning::default()
        };
        Self {
            primary: Primary::new(7, tuning),
            host: FakeHost::default(),
            now: 0,
            closed: Rc::default(),
            connections: 0,
            tuning,
            said: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, worker: WorkerId, slot: u32, balance: Balance) {
        self.primary
            .add_worker(worker, slot, Role::Cluster(balance));
    }

    /// A worker that listens on the first listener.
    pub fn serving(&mut self, worker: WorkerId, slot: u32, balance: Balance) {
        self.add(worker, slot, balance);
        self.query(worker, "\"port\":0");
    }

    pub fn query(&mut self, worker: WorkerId, fields: &str) {
        self.say(worker, &format!(
            "{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":0,\"data\":null,\"address\":null,\"addressType\":4,{fields},\"seq\":3}}"
        ));
    }

    pub fn say(&mut self, worker: WorkerId, line: &str) {
        let said = self.said.entry(worker).or_default();
        said.push(line.to_owned());
        self.hear(worker, line);
    }

    /// The primary dies, and another one goes on from what it had saved. Connections that it had are closed.
    pub fn die(&mut self) {
        let saved = self.primary.save().to_json();
        let saved = Saved::from_json(&saved).unwrap();
        assert_eq!(saved, self.primary.save());
        self.primary = Primary::restore(&saved, 7, self.tuning, self.now).unwrap();
    }

    /// The worker says its last lines again: they had not been taken off its channel.
    pub fn repeat(&mut self, worker: WorkerId, lines: usize) {
        let said = self.said.get(&worker).cloned().unwrap_or_default();
        for line in &said[said.len().saturating_sub(lines)..] {
            self.hear(worker, line);
        }
    }

    /// A descriptor of the worker's oldest connection did not arrive. Returns the connection's number.
    pub fn lose(&mut self, worker: WorkerId) -> Option<u32> {
        let dealt = self.host.dealt.get_mut(&worker)?;
        if dealt.is_empty() {
            return None;
        }
        let (_, number) = dealt.remove(0);
        self.say(worker, r#"{"cmd":"NODE_HANDLE_NACK"}"#);
        Some(number)
    }

    /// The worker has said that, once.
    pub fn hear(&mut self, worker: WorkerId, line: &str) {
        let frame = Frame::Line {
            bytes: line.as_bytes(),
            handle: None,
        };
        self.primary
            .receive(worker, frame, self.now, &mut self.host);
    }

    /// The worker's agent says that it is there, and the number of the server that it has asked for.
    pub fn hello(&mut self, worker: WorkerId, server: u32) {
        self.say(
            worker,
            r#"{"cmd":"NODE_ROTA","act":"hello","v":1,"node":"v20.0.0","pid":1}"#,
        );
        self.say(
            worker,
            &format!(r#"{{"cmd":"NODE_ROTA","act":"server","id":{server}}}"#),
        );
    }

    /// A worker with an agent that listens on the first listener with its server 1.
    pub fn with_agent(&mut self, worker: WorkerId, slot: u32, balance: Balance) {
        self.serving(worker, slot, balance);
        self.hello(worker, 1);
    }

    /// The worker hands over the connection of that number and client. Returns whether it is the
    /// primary's now.
    pub fn hand_over(
        &mut self,
        worker: WorkerId,
        server: u32,
        number: u32,
        peer: Option<SocketAddr>,
    ) -> bool {
        self.closed.borrow_mut().remove(&number);
        self.said.remove(&worker);
        let connection = Connection {
            number,
            peer,
            closed: Rc::clone(&self.closed),
        };
        let line = format!(
            r#"{{"cmd":"NODE_HANDLE","type":"net.Native","msg":{{"cmd":"NODE_ROTA","act":"handover","id":{number},"server":{server},"requests":2,"keep":5000}}}}"#
        );
        let before = self.host.sent.get(&worker).map_or(0, Vec::len);
        let frame = Frame::Line {
            bytes: line.as_bytes(),
            handle: Some(connection),
        };
        self.primary
            .receive(worker, frame, self.now, &mut self.host);
        let said = &self.host.sent[&worker][before..];
        assert_eq!(said[0], r#"{"cmd":"NODE_HANDLE_ACK"}"#);
        let handed =
            |ok| format!(r#"{{"cmd":"NODE_ROTA","act":"handed","id":{number},"ok":{ok}}}"#);
        let ok = said[1] == handed(true);
        assert!(ok || said[1] == handed(false), "{said:?}");
        ok
    }

    pub fn close_key(&mut self, worker: WorkerId, key: &str) {
        self.say(
            worker,
            &format!("{{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"{key}\",\"seq\":5}}"),
        );
    }

    /// Accepts one if there is room. Returns its number.
    pub fn accept(&mut self, peer: [u8; 4]) -> Option<u32> {
        if self.primary.room(FIRST, self.now) == 0 {
            return None;
        }
        self.connections += 1;
        let port = u16::try_from(self.connections % 60_000).unwrap() + 1024;
        let peer = Some(SocketAddr::from((peer, port)));
        let connection = Connection {
            number: self.connections,
            peer,
            closed: Rc::clone(&self.closed),
        };
        self.primary
            .accepted(FIRST, connection, peer, self.now, &mut self.host);
        Some(self.connections)
    }

    /// The worker answers its oldest connection. Returns its number.
    pub fn answer(&mut self, worker: WorkerId, accepted: bool) -> Option<u32> {
        let dealt = self.host.dealt.get_mut(&worker)?;
        if dealt.is_empty() {
            return None;
        }
        let (seq, number) = dealt.remove(0);
        self.say(worker, "{\"cmd\":\"NODE_HANDLE_ACK\"}");
        self.say(
            worker,
            &format!(
                "{{\"cmd\":\"NODE_CLUSTER\",\"ack\":{seq},\"accepted\":{accepted},\"seq\":9}}"
            ),
        );
        Some(number)
    }

    pub fn leave_unused(&mut self, worker: WorkerId) -> bool {
        self.primary.leave_unused(worker, self.now, &mut self.host)
    }

    pub fn remove(&mut self, worker: WorkerId) {
        self.host.dealt.remove(&worker);
        self.primary.remove_worker(worker, self.now, &mut self.host);
    }

    pub fn pass(&mut self, time: Millis) {
        self.now += time;
        self.primary.tick(self.now, &mut self.host);
    }

    pub fn has(&self, worker: WorkerId) -> Vec<u32> {
        let dealt = self.host.dealt.get(&worker);
        dealt
            .into_iter()
            .flatten()
            .map(|(_, number)| *number)
            .collect()
    }

    /// The last line for a worker.
    pub fn last(&self, worker: WorkerId) -> &str {
        self.host.sent[&worker].last().unwrap()
    }

    pub fn noticed(&self, worker: WorkerId, part: &str) -> usize {
        let mut all = self.host.notices.iter().filter(|(of, _)| *of == worker);
        all.by_ref().filter(|(_, text)| text.contains(part)).count()
    }
}
