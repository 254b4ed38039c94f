//! The listening and UDP sockets of all apps.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use rota_node::primary::{Bind, Errno as Code, Millis, SockName, SocketId, errno};
use rota_sys::fs_user::{self, FsUser};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags, acceptfrom_with};

use super::bind::{self, Bound, SocketPath, TcpOptions};
use super::keep::SocketFile;
use super::recovered::{self, Recovered};
use super::token::Token;
use crate::shadow::{Guarded, Ledger};

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) app: u32,
    pub(super) id: SocketId,
    pub(super) fd: OwnedFd,
    path: Option<SocketPath>,
    /// Ours to stop listening on when we close it, whoever keeps a duplicate.
    pub(super) stop_on_close: bool,
    armed: bool,
    /// There may be connections that nobody has accepted.
    pub(super) ready: bool,
}

/// What an attempt to accept came to.
#[derive(Debug)]
pub(super) enum Accepted {
    /// A connection, with its client's address if it has an IP one.
    Connection(Guarded, Option<std::net::SocketAddr>),
    /// Nobody waits.
    Nobody,
    /// That one is gone; there may be others.
    TryAgain,
    /// The process or the machine is out of something: pause.
    Shortage(Errno),
    /// The socket does not accept (any more).
    Broken(Errno),
}

/// All sockets, by a number that is never reused.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    by_number: HashMap<u64, Socket>,
    by_id: HashMap<(u32, SocketId), u64>,
    inherited: HashMap<(u32, i32), OwnedFd>,
    /// As whom the files of Unix sockets are made and removed, where that is not this process's own user.
    acting: HashMap<u32, FsUser>,
    /// What a dead daemon's workers listen on.
    pub(super) recovered: Recovered,
    last: u64,
}

impl Sockets {
    pub(super) fn get(&self, app: u32, id: SocketId) -> Option<(u64, &Socket)> {
        let number = *self.by_id.get(&(app, id))?;
        Some((number, self.by_number.get(&number)?))
    }

    pub(super) fn by_number(&mut self, number: u64) -> Option<&mut Socket> {
        self.by_number.get_mut(&number)
    }

    pub(super) fn inherit(&mut self, app: u32, number: i32, fd: OwnedFd) {
        self.inherited.insert((app, number), fd);
    }

    pub(super) fn disinherit(&mut self, app: u32, number: i32) {
        self.inherited.remove(&(app, number));
    }

    /// From now on the app's Unix sockets are made and removed as this user.
    pub(super) fn act_as(&mut self, app: u32, user: Option<FsUser>) {
        match user {
            Some(user) => self.acting.insert(app, user),
            None => self.acting.remove(&app),
        };
    }

    /// A worker of another user names the path: what is done there must be what that user may do.
    fn as_user_of<T>(&self, app: u32, work: impl FnOnce() -> T) -> io::Result<T> {
        match self.acting.get(&app) {
            Some(user) => fs_user::as_user(user, work),
            None => Ok(work()),
        }
    }

    pub(super) fn forget_inherited(&mut self, app: u32) {
        self.acting.remove(&app);
        self.inherited.retain(|(of, _), _| *of != app);
    }

    /// Opens a socket; returns its number and address.
    pub(super) fn open(
        &mut self,
        app: u32,
        id: SocketId,
        what: &Bind,
    ) -> Result<(u64, SockName), Code> {
        let bound = self.bind(app, what)?;
        self.last += 1;
        let name = bound.name.clone();
        let tcp = matches!(what, Bind::Tcp { .. } | Bind::Sibling { .. });
        let socket = Socket {
            app,
            id,
            fd: bound.fd,
            path: bound.path,
            stop_on_close: tcp,
            armed: false,
            ready: false,
        };
        self.by_number.insert(self.last, socket);
        self.by_id.insert((app, id), self.last);
        Ok((self.last, name))
    }

    /// Opens a socket once more, at the address that it had.
    pub(super) fn open_again(
        &mut self,
        app: u32,
        id: SocketId,
        what: &Bind,
        name: &SockName,
    ) -> Result<u64, Code> {
        let (number, _) = self.open(app, id, &at(what, name))?;
        Ok(number)
    }

    /// Puts a socket into its place that has been open since before this process.
    pub(super) fn adopt(&mut self, number: u64, mut socket: Socket) {
        socket.armed = false;
        socket.ready = false;
        self.last = self.last.max(number);
        self.by_id.insert((socket.app, socket.id), number);
        self.by_number.insert(number, socket);
    }

    /// Numbers up to this one are taken.
    pub(super) fn skip_to(&mut self, number: u64) {
        self.last = self.last.max(number);
    }

    fn bind(&mut self, app: u32, what: &Bind) -> Result<Bound, Code> {
        let first = match what {
            Bind::Sibling { of, .. } => {
                let id = SocketId {
                    listener: *of,
                    slot: None,
                };
                self.get(app, id).map(|(_, socket)| socket.fd.as_fd())
            }
            _ => None,
        };
        let wanted = recovered::Wanted::of(what, first);
        if let Some(wanted) = wanted {
            let user = self.acting.get(&app).map(|user| user.uid);
            if let Some(bound) = self.recovered.take(app, &wanted, user) {
                return Ok(bound);
            }
        }
        match what {
            Bind::Tcp {
                address,
                port,
                ipv6_only,
                backlog,
            } => {
                let options = TcpOptions {
                    ipv6_only: *ipv6_only,
                    backlog: *backlog,
                    reuse_port: self.recovered.is_beside(app),
                };
                bind::tcp(address.as_deref(), *port, options)
            }
            Bind::Unix {
                path,
                backlog,
                readable_all,
                writable_all,
            } => self
                .as_user_of(app, || {
                    bind::unix(path, *backlog, *readable_all, *writable_all)
                })
                .unwrap_or(Err(errno::EACCES)),
            Bind::Udp {
                address,
                port,
                v6,
                ipv6_only,
                reuse_address,
            } => bind::udp(address.as_deref(), *port, *v6, *ipv6_only, *reuse_address),
            Bind::Inherited {
                number,
                backlog,
                udp,
            } => {
                let fd = self.inherited.get(&(app, *number));
                bind::inherited(fd.ok_or(errno::EBADF)?.as_fd(), *backlog, *udp)
            }
            Bind::Sibling { of, backlog } => {
                let first = SocketId {
                    listener: *of,
                    slot: None,
                };
                let (_, first) = self.get(app, first).ok_or(errno::EBADF)?;
                bind::sibling(first.fd.as_fd(), *backlog)
            }
        }
    }

    /// Closes a socket; returns its number.
    pub(super) fn close(&mut self, app: u32, id: SocketId, epoll: &OwnedFd) -> Option<u64> {
        let (number, socket) = self.remove(app, id, epoll)?;
        // Where that fails a file stays, as that of a server that was killed.
        let _ = self.as_user_of(app, || socket.end());
        Some(number)
    }

    /// Closes our copy of a socket, and no other: whoever has one listens. False for one with a file: if nobody goes on
    /// with it, the file would be in the way of the app's next start.
    pub(super) fn leave(&mut self, app: u32, id: SocketId, epoll: &OwnedFd) -> bool {
        let known = self.get(app, id);
        let has_file = known.is_some_and(|(_, socket)| socket.path.is_some());
        !has_file && self.remove(app, id, epoll).is_some()
    }

    fn remove(&mut self, app: u32, id: SocketId, epoll: &OwnedFd) -> Option<(u64, Socket)> {
        let number = self.by_id.remove(&(app, id))?;
        let socket = self.by_number.remove(&number)?;
        // A duplicate elsewhere would keep the registration alive.
        if socket.armed {
            let _ = epoll::delete(epoll, &socket.fd);
        }
        Some((number, socket))
    }

    /// Watches the socket for connections, or ceases to. A socket from which workers accept by
    /// themselves must not wake us for each of their connections.
    pub(super) fn arm(&mut self, app: u32, id: SocketId, armed: bool, epoll: &OwnedFd) {
        let Some(&number) = self.by_id.get(&(app, id)) else {
            return;
        };
        let Some(socket) = self.by_number.get_mut(&number) else {
            return;
        };
        if socket.armed == armed {
            return;
        }
        let done = if armed {
            // Edge-triggered: whether somebody waits is remembered in `ready`, and accepting stops
            // and starts with the workers' room, without a system call for it.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(epoll, &socket.fd, Token::Socket(number).into(), flags)
        } else {
            socket.ready = false;
            epoll::delete(epoll, &socket.fd)
        };
        if done.is_ok() {
            socket.armed = armed;
        }
    }
}

impl Socket {
    pub(super) fn new(
        app: u32,
        id: SocketId,
        fd: OwnedFd,
        ours: bool,
        file: Option<SocketFile>,
    ) -> Self {
        Self {
            app,
            id,
            fd,
            path: file.map(SocketPath::known),
            stop_on_close: ours,
            armed: false,
            ready: false,
        }
    }

    /// The file that goes with it.
    pub(super) fn file(&self) -> Option<SocketFile> {
        self.path.as_ref()?.file()
    }

    /// Nobody shall reach it any more, whoever keeps a duplicate.
    pub(super) fn end(&self) {
        if self.stop_on_close {
            // Otherwise the port would be taken until the last duplicate is closed.
            let _ = rustix::net::shutdown(&self.fd, Shutdown::Both);
        }
        if let Some(path) = &self.path {
            path.remove();
        }
    }

    /// Accepts one connection, which is in the ledger from its first moment on. `number` is this socket's.
    pub(super) fn accept(&self, number: u64, ledger: Ledger) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepting = ledger.accept(&self.fd, self.app, number);
        match acceptfrom_with(&self.fd, flags) {
            Ok((fd, peer)) => {
                let connection = accepting.accepted(fd);
                let peer = peer.and_then(|peer| peer.try_into().ok());
                Accepted::Connection(connection, peer)
            }
            Err(Errno::AGAIN) => Accepted::Nobody,
            Err(e @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                Accepted::Shortage(e)
            }
            Err(e @ (Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP)) => {
                Accepted::Broken(e)
            }
            // Network errors of that one connection, an interruption, a firewall's refusal.
            Err(_) => Accepted::TryAgain,
        }
    }
}

/// The same at exactly that address.
fn at(what: &Bind, name: &SockName) -> Bind {
    let SockName::Ip(name) = name else {
        return what.clone();
    };
    let ip = match name {
        SocketAddr::V6(v6) if v6.scope_id() > 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        name => name.ip().to_string(),
    };
    let mut what = what.clone();
    if let Bind::Tcp { address, port, .. } | Bind::Udp { address, port, .. } = &mut what {
        *address = Some(ip);
        *port = name.port();
    }
    what
}

/// How long nothing is accepted when descriptors or memory have run out.
pub(super) const SHORTAGE_PAUSE: Millis = 100;
