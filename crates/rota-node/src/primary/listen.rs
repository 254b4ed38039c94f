//! Workers that want to listen.

use std::path::PathBuf;

use serde_json::value::RawValue;

use super::core::Primary;
use super::listener::{Attachment, Listener};
use super::member::{InFlight, Member};
use super::types::{
    Bind, Errno, Host, ListenerId, Millis, Notice, SockName, SocketId, Violation, WorkerId, errno,
};
use crate::balance::Balance;
use crate::channel::outgoing::{HandleKind, Reply};
use crate::channel::{AddressType, Query};

/// Listeners of one app, used or not yet closed.
const MAX_LISTENERS: usize = 512;
/// Node's default.
const BACKLOG: i32 = 511;
/// libuv's flag: no IPv4 through an IPv6 socket.
const IPV6_ONLY: i64 = 1;
/// libuv's flag: several UDP sockets on one address.
const UDP_REUSE: i64 = 4;
/// No address is longer: the path of a Unix socket has at most 107 bytes.
const MAX_ADDRESS: usize = 1024;
/// A number that no descriptor has.
const NO_DESCRIPTOR: i64 = i64::MAX;
/// What a worker wants others to know is kept for as long as the listener: the keys of TLS tickets, half a KiB.
const MAX_DATA: usize = 16 * 1024;

impl<C> Primary<C> {
    /// Answers a `queryServer`.
    pub(super) fn query(
        &mut self,
        worker: WorkerId,
        query: &Query<'_>,
        ack: u64,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        // Node does not answer a worker that has been told to leave, and nor do we: a server that
        // came up now would have to be closed at once.
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        self.structure += u64::from(member.asked != Some(None));
        member.asked = Some(None);
        if member.is_going() {
            return;
        }
        let query = &in_the_app(worker, query, &*host);
        let key = query.key();
        let known = self.by_key.get(&key).copied();
        if known.is_some_and(|id| member.listeners.contains(&id)) {
            return match known.filter(|id| self.may_ask_again(worker, *id)) {
                Some(id) => self.reply(worker, id, ack, now, host),
                None => self.violation(worker, Violation::DoubleQuery, host),
            };
        }
        let opened = match known {
            _ if is_oversized(query) => {
                self.violation(worker, Violation::BadCluster, host);
                Err(errno::EINVAL)
            }
            _ if self.members.get(&worker).is_some_and(Member::is_silent) => {
                self.violation(worker, Violation::TooManyListeners, host);
                Err(errno::EMFILE)
            }
            Some(id) => Ok(id),
            None if self.listeners.len() >= MAX_LISTENERS => {
                self.violation(worker, Violation::TooManyListeners, host);
                Err(errno::EMFILE)
            }
            None => self.open(&key, query, host),
        };
        match opened {
            Ok(id) => {
                self.attach(worker, id, query, now);
                self.reply(worker, id, ack, now, host);
            }
            Err(errno) => {
                let line = self.failure(&key, errno, ack, query.data);
                host.send(worker, &line);
            }
        }
    }

    fn open(
        &mut self,
        key: &str,
        query: &Query<'_>,
        host: &mut impl Host<Connection = C>,
    ) -> Result<ListenerId, Errno> {
        let bind = bind(query)?;
        let id = ListenerId(self.next_listener);
        let socket = SocketId {
            listener: id,
            slot: None,
        };
        let sockname = host.open(socket, key, &bind)?;
        self.next_listener += 1;
        self.structure += 1;
        let listener = Listener::new(key.to_owned(), bind, sockname, self.seed);
        self.listeners.insert(id, listener);
        self.by_key.insert(key.to_owned(), id);
        Ok(id)
    }

    /// Lets the worker use the listener, in its mode.
    fn attach(&mut self, worker: WorkerId, id: ListenerId, query: &Query<'_>, now: Millis) {
        let head_start = self.head_start_beside_others(id, now);
        let (Some(listener), Some(member)) =
            (self.listeners.get_mut(&id), self.members.get_mut(&worker))
        else {
            return;
        };
        let balance = match member.balance() {
            _ if listener.is_udp() => Balance::Shared,
            Balance::ReusePort if !listener.is_tcp() => Balance::Shared,
            balance => balance,
        };
        if listener.data.as_deref().is_none_or(is_empty)
            && let Some(data) = query.data
        {
            listener.data = Some(data.to_owned());
        }
        listener.idle = None;
        listener.attached.push(Attachment {
            worker,
            slot: member.slot,
            balance,
            cooling_until: None,
            doubtful: false,
            head_start,
            since: now,
        });
        member.listeners.insert(id);
        self.follow_now = true;
        self.revision += 1;
        self.structure += 1;
    }

    /// Answers a worker that uses the listener: with its address or, if the worker is to accept by itself, a
    /// socket.
    fn reply(
        &mut self,
        worker: WorkerId,
        id: ListenerId,
        ack: u64,
        now: Millis,
        host: &mut impl Host<Connection = C>,
    ) {
        let seq = self.seq();
        let (Some(listener), Some(member)) =
            (self.listeners.get_mut(&id), self.members.get_mut(&worker))
        else {
            return;
        };
        member.asked = Some(Some(id));
        self.structure += 1;
        let balance = listener.attachment(worker).map(|a| a.balance);
        let balance = balance.unwrap_or_default();
        let socket = own_socket(listener, id, balance, member.slot, host);
        let line = Reply {
            seq,
            ack,
            key: &listener.key,
            errno: 0,
            sockname: socket.is_none().then_some(&listener.sockname),
            data: listener.data.as_deref(),
        };
        match socket {
            None => host.send(worker, &line.line(None)),
            Some(socket) => {
                let kind = if listener.is_udp() {
                    HandleKind::Datagram
                } else {
                    HandleKind::Stream
                };
                let line = line.line(Some(kind));
                host.send_socket(worker, &line, socket);
                member.in_flight.push_back(InFlight::Socket {
                    line: line.into(),
                    socket,
                    tries: 1,
                });
            }
        }
        // The first worker after a gap finds those that came in the meantime.
        self.deal_waiting(id, now, host);
    }

    fn failure(&mut self, key: &str, errno: Errno, ack: u64, data: Option<&RawValue>) -> Vec<u8> {
        Reply {
            seq: self.seq(),
            ack,
            key,
            errno,
            sockname: None,
            // With an error, too: a TLS server cannot do without.
            data,
        }
        .line(None)
    }

    /// Where a worker says that it listens.
    pub(super) fn listening(
        &mut self,
        worker: WorkerId,
        query: &Query<'_>,
        host: &mut impl Host<Connection = C>,
    ) {
        if let Some(member) = self.members.get_mut(&worker) {
            self.structure += u64::from(!member.listening);
            member.listening = true;
        }
        let port = query.port.and_then(|p| u16::try_from(p).ok()).unwrap_or(0);
        let members = self.members.get(&worker).map(|m| &m.listeners);
        let own = members.into_iter().flatten();
        let own = own.filter_map(|id| self.listeners.get(id));
        let address = own
            .filter(|l| match &l.sockname {
                SockName::Ip(address) => address.port() == port,
                SockName::Path(path) => {
                    query.address.as_deref().map(PathBuf::from).as_ref() == Some(path)
                }
            })
            .map(|l| l.sockname.to_string())
            .next();
        let address = address.unwrap_or_else(|| match query.address.as_deref() {
            Some(path) if query.address_type == Some(AddressType::Pipe) => path.to_owned(),
            Some(ip) if ip.contains(':') => format!("[{ip}]:{port}"),
            Some(ip) => format!("{ip}:{port}"),
            None => format!("*:{port}"),
        });
        host.notice(worker, Notice::Listening { address, port });
    }
}

/// The socket that the worker is to accept from by itself, if its mode is of that kind.
fn own_socket<C>(
    listener: &mut Listener<C>,
    id: ListenerId,
    balance: Balance,
    slot: u32,
    host: &mut impl Host<Connection = C>,
) -> Option<SocketId> {
    let first = SocketId {
        listener: id,
        slot: None,
    };
    let own = SocketId {
        listener: id,
        slot: Some(slot),
    };
    match balance {
        Balance::RoundRobin | Balance::IpHash => None,
        Balance::Shared => Some(first),
        Balance::ReusePort => {
            if *listener.first_slot.get_or_insert(slot) == slot {
                return Some(first);
            }
            if listener.slots.contains(&slot) {
                return Some(own);
            }
            let sibling = listener.sibling(id);
            // No socket of its own to be had: it shares the first one, which always works.
            Some(match host.open(own, &listener.key, &sibling) {
                Ok(_) => {
                    listener.slots.insert(slot);
                    own
                }
                Err(_) => first,
            })
        }
    }
}

/// The query with the number that a descriptor has in the app, whatever it has in the worker.
fn in_the_app<'a>(worker: WorkerId, query: &Query<'a>, host: &impl Host) -> Query<'a> {
    let of = |fd: i64| match fd {
        0.. => host.inherited(worker, fd).unwrap_or(NO_DESCRIPTOR),
        none => none,
    };
    Query {
        fd: query.fd.map(of),
        ..query.clone()
    }
}

/// More than any Node sends: it would be kept.
fn is_oversized(query: &Query<'_>) -> bool {
    query
        .address
        .as_deref()
        .is_some_and(|text| text.len() > MAX_ADDRESS)
        || query.data.is_some_and(|data| data.get().len() > MAX_DATA)
}

fn is_empty(data: &RawValue) -> bool {
    matches!(data.get(), "null" | "false" | "0" | "\"\"")
}

/// What the query asks for.
fn bind(query: &Query<'_>) -> Result<Bind, Errno> {
    let flags = query.flags.unwrap_or(0);
    let backlog = query.backlog.filter(|b| *b > 0).unwrap_or(BACKLOG.into());
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let kind = query.address_type;
    if let Some(number) = query.fd.filter(|fd| *fd >= 0) {
        return Ok(Bind::Inherited {
            number: i32::try_from(number).map_err(|_| errno::EBADF)?,
            backlog,
            udp: kind.is_some_and(AddressType::is_udp),
        });
    }
    let address = query.address.as_deref().filter(|text| !text.is_empty());
    let port = || u16::try_from(query.port.unwrap_or(0)).map_err(|_| errno::EINVAL);
    Ok(match kind.ok_or(errno::EINVAL)? {
        AddressType::Tcp4 | AddressType::Tcp6 => Bind::Tcp {
            address: address.map(str::to_owned),
            port: port()?,
            ipv6_only: flags & IPV6_ONLY != 0,
            backlog,
        },
        AddressType::Pipe => Bind::Unix {
            path: address.map(PathBuf::from).ok_or(errno::EINVAL)?,
            backlog,
            readable_all: query.readable_all,
            writable_all: query.writable_all,
        },
        udp @ (AddressType::Udp4 | AddressType::Udp6) => Bind::Udp {
            address: address.map(str::to_owned),
            port: port()?,
            v6: udp == AddressType::Udp6,
            ipv6_only: flags & IPV6_ONLY != 0,
            reuse_address: flags & UDP_REUSE != 0,
        },
    })
}
