//! Sockets of workers that a dead daemon has left behind, until new workers ask for their addresses.
//!
//! Such a socket is bound, and clients may wait in its queue: it cannot be had by binding again, and must not be. The
//! manager of the service may have kept others (`crate::stored`), of which is not known whose they were: they go to who
//! asks for their addresses.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rota_node::primary::{Bind, SockName};
use rustix::net::sockopt::{ipv6_v6only, socket_type};
use rustix::net::{Shutdown, SocketType};

use super::bind::{self, Bound};

/// By app.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    sockets: HashMap<u32, Vec<Bound>>,
    beside: HashSet<u32>,
    /// Anybody's, by the keys of their entries with the keeper.
    stored: Vec<(String, Bound)>,
    /// Of those, the ones that have been taken since somebody asked.
    claimed: Vec<String>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    place: Place,
    /// `None`: UDP.
    backlog: Option<i32>,
}

#[derive(Debug)]
enum Place {
    /// Exactly that address, with or without IPv4 through IPv6.
    Exactly(SocketAddr, bool),
    /// Any address, with or without IPv4 through IPv6.
    Anywhere(u16, bool),
    Path(PathBuf),
}

impl Recovered {
    /// Keeps a socket for the app. What is none that it could ask for is closed.
    pub(super) fn add(&mut self, app: u32, fd: OwnedFd) {
        let sockets = self.sockets.entry(app).or_default();
        sockets.extend(bind::recovered(fd));
    }

    /// The app's sockets could not be had: it binds its own beside them.
    pub(super) fn bind_beside(&mut self, app: u32) {
        self.beside.insert(app);
    }

    /// Whether the app's sockets may be bound beside others of the same user.
    pub(super) fn is_beside(&self, app: u32) -> bool {
        self.beside.contains(&app)
    }

    /// Closes what nobody has asked for. Whoever else has it goes on listening.
    pub(super) fn end(&mut self, app: u32) {
        self.sockets.remove(&app);
        self.beside.remove(&app);
    }

    /// Keeps a socket for whoever asks for its address.
    pub(super) fn store(&mut self, key: String, fd: OwnedFd) {
        self.stored
            .extend(bind::recovered(fd).map(|bound| (key, bound)));
    }

    /// Somebody else has taken it.
    pub(super) fn take_out(&mut self, key: &str) {
        self.stored.retain(|(of, _)| of != key);
    }

    /// Ends those that nobody has asked for. The file of a Unix socket stays, as that of a server that was killed: whose
    /// right it would be to remove it is not known.
    pub(super) fn end_stored(&mut self) {
        for (_, bound) in self.stored.drain(..) {
            if matches!(bound.name, SockName::Ip(_)) {
                // Otherwise the port would be taken until the last copy is closed. UDP has nothing to shut down.
                let _ = rustix::net::shutdown(&bound.fd, Shutdown::Both);
            }
        }
    }

    /// The keys of those that have been taken.
    pub(super) fn claimed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.claimed)
    }

    /// The socket that is asked for; `user`: on behalf of that one, if not of our own.
    pub(super) fn take(&mut self, app: u32, wanted: &Wanted, user: Option<u32>) -> Option<Bound> {
        let own = self.take_own(app, wanted);
        let bound = own.or_else(|| self.take_stored(wanted, user))?;
        if let Some(backlog) = wanted.backlog {
            // It listens already: this changes the length of its queue, and where that fails it stays as it is.
            let _ = rustix::net::listen(&bound.fd, backlog);
        }
        Some(bound)
    }

    fn take_own(&mut self, app: u32, wanted: &Wanted) -> Option<Bound> {
        let sockets = self.sockets.get_mut(&app)?;
        let at = sockets.iter().position(|bound| wanted.is(bound))?;
        Some(sockets.swap_remove(at))
    }

    fn take_stored(&mut self, wanted: &Wanted, user: Option<u32>) -> Option<Bound> {
        let is = |(_, bound): &(String, Bound)| wanted.is(bound) && may_have(bound, user);
        let at = self.stored.iter().position(is)?;
        let (key, bound) = self.stored.swap_remove(at);
        self.claimed.push(key);
        Some(bound)
    }
}

/// A path is a user's own: another one must not get what clients send there.
fn may_have(bound: &Bound, user: Option<u32>) -> bool {
    match &bound.name {
        SockName::Ip(_) => true,
        SockName::Path(path) => {
            let user = user.unwrap_or_else(|| rustix::process::geteuid().as_raw());
            owner(path) == Some(user)
        }
    }
}

fn owner(path: &Path) -> Option<u32> {
    Some(std::fs::symlink_metadata(path).ok()?.uid())
}

impl Wanted {
    /// What a worker asks for; `first` is the socket that a sibling is to stand beside. `None`: nothing that could have
    /// been left.
    pub(super) fn of(what: &Bind, first: Option<BorrowedFd<'_>>) -> Option<Self> {
        let place = match what {
            Bind::Tcp { port: 0, .. } | Bind::Udp { port: 0, .. } | Bind::Inherited { .. } => {
                return None;
            }
            Bind::Tcp {
                address,
                port,
                ipv6_only,
                ..
            } => match address {
                Some(text) => Place::Exactly(bind::parse(text, *port).ok()?, *ipv6_only),
                None => Place::Anywhere(*port, *ipv6_only),
            },
            Bind::Udp {
                address,
                port,
                v6,
                ipv6_only,
                ..
            } => {
                let any = if *v6 { "::" } else { "0.0.0.0" };
                let text = address.as_deref().unwrap_or(any);
                Place::Exactly(bind::parse(text, *port).ok()?, *ipv6_only)
            }
            Bind::Unix { path, .. } => Place::Path(path.clone()),
            Bind::Sibling { .. } => {
                let first = first?;
                let name = rustix::net::getsockname(first).ok()?;
                let address = SocketAddr::try_from(name).ok()?;
                Place::Exactly(address, is_ipv6_only(first, address))
            }
        };
        let backlog = match what {
            Bind::Tcp { backlog, .. }
            | Bind::Unix { backlog, .. }
            | Bind::Sibling { backlog, .. } => Some(*backlog),
            Bind::Udp { .. } | Bind::Inherited { .. } => None,
        };
        Some(Self { place, backlog })
    }

    fn is(&self, bound: &Bound) -> bool {
        let fd = bound.fd.as_fd();
        let udp = socket_type(fd) == Ok(SocketType::DGRAM);
        if udp == self.backlog.is_some() {
            return false;
        }
        match (&self.place, &bound.name) {
            (Place::Path(path), SockName::Path(name)) => path == name,
            (Place::Exactly(address, only), SockName::Ip(name)) => {
                address == name && (name.is_ipv4() || *only == is_ipv6_only(fd, *name))
            }
            (Place::Anywhere(port, only), SockName::Ip(name)) => {
                name.ip().is_unspecified()
                    && name.port() == *port
                    && (name.is_ipv4() || *only == is_ipv6_only(fd, *name))
            }
            _ => false,
        }
    }
}

fn is_ipv6_only(fd: BorrowedFd<'_>, address: SocketAddr) -> bool {
    address.is_ipv6() && ipv6_v6only(fd).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    fn tcp(address: Option<&str>, port: u16) -> Bind {
        Bind::Tcp {
            address: address.map(str::to_owned),
            port,
            ipv6_only: false,
            backlog: 16,
        }
    }

    fn take(recovered: &mut Recovered, app: u32, bind: &Bind) -> bool {
        let wanted = Wanted::of(bind, None);
        wanted.is_some_and(|wanted| recovered.take(app, &wanted, None).is_some())
    }

    #[test]
    fn a_socket_goes_once_to_who_asks_for_its_address() {
        let mut recovered = Recovered::default();
        let here = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = here.local_addr().unwrap().port();
        let any = TcpListener::bind("[::]:0").unwrap();
        let any_port = any.local_addr().unwrap().port();
        recovered.add(1, here.into());
        recovered.add(1, any.into());
        assert!(!take(&mut recovered, 2, &tcp(Some("127.0.0.1"), port)));
        assert!(!take(&mut recovered, 1, &tcp(None, port)), "not anywhere");
        assert!(!take(&mut recovered, 1, &tcp(Some("127.0.0.1"), 0)));
        let udp = Bind::Udp {
            address: Some("127.0.0.1".into()),
            port,
            v6: false,
            ipv6_only: false,
            reuse_address: false,
        };
        assert!(!take(&mut recovered, 1, &udp));
        assert!(take(&mut recovered, 1, &tcp(Some("127.0.0.1"), port)));
        assert!(!take(&mut recovered, 1, &tcp(Some("127.0.0.1"), port)));
        assert!(take(&mut recovered, 1, &tcp(None, any_port)));
    }

    #[test]
    fn siblings_datagrams_and_paths_are_found_and_connections_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut recovered = Recovered::default();
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        recovered.add(1, first.try_clone().unwrap().into());
        let sibling = Bind::Sibling {
            of: rota_node::primary::ListenerId(0),
            backlog: 16,
        };
        let wanted = Wanted::of(&sibling, Some(first.as_fd())).unwrap();
        assert!(recovered.take(1, &wanted, None).is_some());
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let bind = Bind::Udp {
            address: Some("127.0.0.1".into()),
            port: udp.local_addr().unwrap().port(),
            v6: false,
            ipv6_only: false,
            reuse_address: false,
        };
        recovered.add(1, udp.into());
        assert!(take(&mut recovered, 1, &bind));
        recovered.add(1, UnixListener::bind(&path).unwrap().into());
        let bind = Bind::Unix {
            path,
            backlog: 16,
            readable_all: false,
            writable_all: false,
        };
        assert!(take(&mut recovered, 1, &bind));
        let client = std::net::TcpStream::connect(first.local_addr().unwrap()).unwrap();
        recovered.add(1, client.into());
        assert!(recovered.sockets[&1].is_empty());
    }
    #[test]
    fn what_was_stored_goes_to_who_asks_first_and_the_rest_listens_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut recovered = Recovered::default();
        let [one, two, three] = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [first, second, third] = [&one, &two, &three].map(|l| l.local_addr().unwrap());
        for (key, listener) in [("stored/1", one), ("stored/2", two), ("stored/3", three)] {
            recovered.store(key.to_owned(), listener.into());
        }
        assert!(take(
            &mut recovered,
            7,
            &tcp(Some("127.0.0.1"), first.port())
        ));
        assert_eq!(recovered.claimed(), ["stored/1"]);
        assert!(recovered.claimed().is_empty());
        // Somebody else has this one: it listens on.
        let (_, bound) = &recovered.stored[0];
        let kept = bound.fd.try_clone().unwrap();
        let key = match SocketAddr::try_from(rustix::net::getsockname(&kept).unwrap()).unwrap() {
            address if address == second => "stored/2",
            _ => "stored/3",
        };
        recovered.take_out(key);
        recovered.end_stored();
        let there = |address| std::net::TcpStream::connect(address).is_ok();
        assert_eq!(there(second), key == "stored/2");
        assert_eq!(there(third), key == "stored/3");
        let path = folder.path().join("s");
        recovered.store(
            "stored/4".to_owned(),
            UnixListener::bind(&path).unwrap().into(),
        );
        let bind = Bind::Unix {
            path,
            backlog: 16,
            readable_all: false,
            writable_all: false,
        };
        let wanted = Wanted::of(&bind, None).unwrap();
        let other = rustix::process::geteuid().as_raw() + 1;
        assert!(recovered.take(1, &wanted, Some(other)).is_none());
        assert!(recovered.take(1, &wanted, None).is_some());
    }
}
