//! The primary with several hostile workers, connections that come, time that passes and orders of the supervisor:
//! nothing panics, no queue grows beyond its limit, and every connection is either in one place or closed.
//!
//! The input is a list of actions of three bytes: what, who, and with what.

#![no_main]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use rota_node::agent::DrainOrder;
use rota_node::channel::Frame;
use rota_node::primary::{
    Bind, Delivery, Errno, Millis, Notice, Role, SockName, SocketId, Stranger, Tuning, WorkerId,
};
use rota_node::{Balance, Host, Primary};

/// Longer stories are slow, and tell nothing that a short one does not.
const MAX_ACTIONS: usize = 1000;
/// Workers at a time.
const WORKERS: u64 = 4;
/// What the primary may keep: see `MAX_IN_FLIGHT`, `MAX_QUEUE`, `MAX_WAITING` and `MAX_LISTENERS` there.
const MAX_IN_FLIGHT: usize = 256;
const MAX_QUEUE: usize = 256;
const MAX_WAITING: usize = 1024 + MAX_QUEUE * WORKERS as usize;
const MAX_LISTENERS: usize = 512;
const ROLES: [Role; 5] = [
    Role::Cluster(Balance::RoundRobin),
    Role::Cluster(Balance::IpHash),
    Role::Cluster(Balance::Shared),
    Role::Cluster(Balance::ReusePort),
    Role::Plain,
];
const QUERIES: [&str; 10] = [
    r#""port":0,"addressType":4,"address":null"#,
    r#""port":0,"addressType":4,"address":null,"data":{"x":1}"#,
    r#""port":80,"addressType":6,"address":"::","flags":1"#,
    r#""port":-1,"addressType":-1,"address":"/tmp/x","readableAll":true"#,
    r#""port":5,"addressType":"udp4","address":"127.0.0.1","flags":4"#,
    r#""port":5,"addressType":"udp6""#,
    r#""fd":3,"port":null"#,
    r#""fd":99999999999,"addressType":4"#,
    r#""port":99999,"addressType":4"#,
    r#""port":1.5,"addressType":4,"backlog":"7""#,
];

/// An accepted connection; counts itself.
struct Connection(Rc<Cell<usize>>);

impl Connection {
    fn new(alive: &Rc<Cell<usize>>) -> Self {
        alive.set(alive.get() + 1);
        Self(Rc::clone(alive))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[derive(Default)]
struct World {
    open: BTreeSet<SocketId>,
    /// Listening sockets that each worker was sent and has not confirmed; fewer, if it confirmed something else.
    unconfirmed: BTreeMap<WorkerId, usize>,
    /// Who takes nothing at the moment, as bits.
    blocked: u8,
    /// The next calls fail in this way.
    failing: u8,
}

impl Host for World {
    type Connection = Connection;

    fn open(&mut self, socket: SocketId, _: &str, bind: &Bind) -> Result<SockName, Errno> {
        if self.failing & 1 != 0 {
            return Err(-98);
        }
        assert!(self.open.insert(socket), "opened twice");
        Ok(match bind {
            Bind::Unix { path, .. } => SockName::Path(path.clone()),
            Bind::Inherited { .. } => SockName::Path(PathBuf::from("/inherited")),
            _ => SockName::Ip(SocketAddr::from(([127, 0, 0, 1], 4000))),
        })
    }
    fn close(&mut self, socket: SocketId) {
        assert!(self.open.remove(&socket), "closed what was not open");
    }
    fn send(&mut self, _: WorkerId, line: &[u8]) {
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
    }
    fn send_socket(&mut self, worker: WorkerId, line: &[u8], socket: SocketId) {
        assert!(self.open.contains(&socket), "a socket that is closed");
        self.send(worker, line);
        *self.unconfirmed.entry(worker).or_default() += 1;
    }
    fn examine(&mut self, _: &Connection, _: &SockName) -> Result<Option<SocketAddr>, Stranger> {
        match self.failing & 6 {
            2 => Err(Stranger::Listening),
            4 => Ok(None),
            _ => Ok(Some(SocketAddr::from(([10, 0, 0, 1], 1)))),
        }
    }
    fn deal(&mut self, worker: WorkerId, _: u64, line: &[u8], _: &Connection) -> Delivery {
        self.send(worker, line);
        match (self.blocked >> (worker % 8) & 1, self.failing & 8) {
            (1, _) => Delivery::Blocked,
            (_, 8) => Delivery::Unsendable,
            _ => Delivery::Sent,
        }
    }
    fn notice(&mut self, _: WorkerId, _: Notice<'_>) {}
}

struct Run {
    primary: Primary<Connection>,
    world: World,
    alive: Rc<Cell<usize>>,
    now: Millis,
    /// The number of the next worker.
    next: WorkerId,
    here: Vec<WorkerId>,
}

impl Run {
    fn add(&mut self, role: u8) {
        let role = ROLES[usize::from(role) % ROLES.len()];
        let slot = u32::try_from(self.next % WORKERS).unwrap_or(0);
        self.primary.add_worker(self.next, slot, role);
        self.here.push(self.next);
        self.next += 1;
    }

    fn say(&mut self, worker: WorkerId, line: &str, handle: bool) {
        let handle = handle.then(|| Connection::new(&self.alive));
        let frame = Frame::Line { bytes: line.as_bytes(), handle };
        self.primary.receive(worker, frame, self.now, &mut self.world);
    }

    fn confirm(&mut self, worker: WorkerId, line: &str) {
        let unconfirmed = self.world.unconfirmed.entry(worker).or_default();
        *unconfirmed = unconfirmed.saturating_sub(1);
        self.say(worker, line, false);
    }

    fn cluster(&mut self, worker: WorkerId, rest: &str) {
        self.say(worker, &format!(r#"{{"cmd":"NODE_CLUSTER",{rest},"seq":3}}"#), false);
    }

    fn agent(&mut self, worker: WorkerId, rest: &str) {
        self.say(worker, &format!(r#"{{"cmd":"NODE_ROTA",{rest}}}"#), false);
    }

    fn act(&mut self, what: u8, who: u8, with: u8) {
        let at = usize::from(who) % self.here.len();
        let worker = self.here[at];
        let choice = usize::from(with);
        let now = self.now;
        match what % 20 {
            0 | 1 => {
                let query = QUERIES[choice % QUERIES.len()];
                self.cluster(worker, &format!(r#""act":"queryServer","index":{},{query}"#, with / 64));
            }
            2 => {
                let key = self.primary.listeners().nth(choice % 8).map(|listener| listener.key.to_owned());
                let key = serde_json::to_string(&key.unwrap_or_default()).unwrap_or_default();
                self.cluster(worker, &format!(r#""act":"close","key":{key}"#));
            }
            // Numbers are given out one by one: most of these are near.
            3 | 4 => self.cluster(worker, &format!(r#""ack":{},"accepted":{}"#, choice / 2, with & 1 == 0)),
            5 => self.confirm(worker, r#"{"cmd":"NODE_HANDLE_ACK"}"#),
            6 => self.confirm(worker, r#"{"cmd":"NODE_HANDLE_NACK"}"#),
            7..=9 => self.accept(who, with),
            10 => {
                self.now += u64::from(with) * 10;
                self.primary.tick(self.now, &mut self.world);
                let next = self.primary.next_deadline(self.now);
                assert!(next.is_none_or(|next| next > self.now), "nothing but waking up");
            }
            11 => self.primary.disconnect(worker, now, &mut self.world),
            12 => {
                self.primary.remove_worker(worker, now, &mut self.world);
                self.here.remove(at);
                self.add(with);
            }
            13 => {
                let order = DrainOrder { timeout: 1, grace: 1, handover: true, last: with & 1 == 0 };
                self.primary.drain(worker, order, now, &mut self.world);
            }
            14 => {
                self.agent(worker, r#""act":"hello","v":1,"node":"v20.0.0","pid":1"#);
                self.agent(worker, &format!(r#""act":"server","id":{}"#, with % 4));
            }
            15 => {
                let order = format!(
                    r#"{{"cmd":"NODE_HANDLE","type":"net.Native","msg":{{"cmd":"NODE_ROTA","act":"handover","id":1,"server":{},"requests":1}}}}"#,
                    with % 4
                );
                self.say(worker, &order, with & 128 == 0);
            }
            16 => match with % 3 {
                0 => self.primary.stop_dealing(worker, now, &mut self.world),
                1 => self.primary.resume_dealing(worker, now, &mut self.world),
                _ => {
                    self.world.blocked = who;
                    self.primary.writable(worker, now, &mut self.world);
                }
            },
            17 => self.world.failing = with,
            18 => self.count(with),
            _ => match with % 4 {
                0 => self.primary.retire_idle(&mut self.world),
                3 => self.primary.close_idle(&mut self.world),
                1 => self.cluster(worker, r#""act":"exitedAfterDisconnect""#),
                _ => self.cluster(worker, r#""act":"listening","address":"/tmp/x","addressType":-1,"port":-1"#),
            },
        }
    }

    /// As many as there is room for, up to some.
    fn accept(&mut self, which: u8, count: u8) {
        let listener = self.primary.listeners().nth(usize::from(which) % 4).map(|listener| listener.id);
        let Some(listener) = listener else { return };
        let sockets = self.primary.sockets(listener);
        let socket = sockets[usize::from(which / 4) % sockets.len()];
        for client in 0..count {
            if self.primary.room(socket, self.now) == 0 {
                return;
            }
            let peer = (count & 1 == 0).then(|| SocketAddr::from(([10, 0, 0, client], 1)));
            let connection = Connection::new(&self.alive);
            self.primary.accepted(socket, connection, peer, self.now, &mut self.world);
        }
    }

    /// The kernel tells which connections live, or does not.
    fn count(&mut self, with: u8) {
        for (listener, _) in self.primary.to_reconcile(self.now) {
            if with & 1 == 0 {
                let live = (0..with).map(|client| SocketAddr::from(([10, 0, 0, client], 1)));
                self.primary.reconcile(listener, self.now, live);
            } else {
                self.primary.unfollow(listener, self.now);
            }
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let mut held = 0;
        for listener in self.primary.listeners() {
            assert!(listener.waiting <= MAX_WAITING, "{} wait", listener.waiting);
            held += listener.waiting;
        }
        assert!(self.primary.listeners().count() <= MAX_LISTENERS);
        for worker in self.primary.workers() {
            assert!(worker.pending <= Tuning::default().window.min(MAX_IN_FLIGHT), "{worker:?}");
            assert!(worker.queued <= MAX_QUEUE, "{worker:?}");
            held += worker.pending + worker.queued;
        }
        assert!(self.world.unconfirmed.values().all(|sent| *sent <= MAX_IN_FLIGHT), "sockets and their lines are kept");
        assert_eq!(held, self.alive.get(), "connections that are nowhere, or in two places");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&roles, actions)) = input.split_first() else { return };
    let mut run = Run {
        primary: Primary::new(1, Tuning::default()),
        world: World::default(),
        alive: Rc::default(),
        now: 0,
        next: 1,
        here: Vec::new(),
    };
    for worker in 0..WORKERS as u8 {
        // All alike, or each in another mode.
        run.add(if roles < 128 { roles } else { roles.wrapping_add(worker) });
    }
    for action in actions.chunks_exact(3).take(MAX_ACTIONS) {
        run.act(action[0], action[1], action[2]);
        run.check();
    }
    for worker in std::mem::take(&mut run.here) {
        run.primary.remove_worker(worker, run.now, &mut run.world);
        run.check();
    }
    run.primary.close_all(&mut run.world);
    run.check();
    assert!(run.alive.get() == 0 && run.world.open.is_empty(), "something is left");
});
