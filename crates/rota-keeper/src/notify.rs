//! The manager that has started the keeper as a service: systemd, or whoever speaks its protocol (`sd_notify`, the
//! client's side). It hears notices, and may keep sockets for the keeper that comes after this one was killed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_sys::scm;

use crate::log;
use crate::stored;

/// Where the manager listens; a path, or `@` and an abstract name.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";
/// How many descriptors it keeps. systemd says so since version 254; for older ones the unit does.
const KEEPS: &str = "FDSTORE";
/// Notices that wait for a manager that does not read; more are lost.
const WAITING_MAX: usize = 4096;
/// How long to wait before the next attempt. The kernel does not tell when there is room.
const PAUSE: Duration = Duration::from_millis(50);

/// One descriptor of an entry.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    fds: Rc<Vec<OwnedFd>>,
    place: usize,
}

impl Shared {
    pub(crate) fn new(fds: &Rc<Vec<OwnedFd>>, place: usize) -> Self {
        Self {
            fds: Rc::clone(fds),
            place,
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fds.get(self.place).map(|fd| fd.as_fd())
    }
}

#[derive(Debug)]
struct Notice {
    text: String,
    fd: Option<Shared>,
}

/// Who has started the keeper, if anybody wants to hear of it.
#[derive(Debug, Default)]
pub(crate) struct Manager {
    place: Option<OsString>,
    keeps: bool,
    /// The numbers of the sockets that lie with it.
    kept: BTreeSet<u64>,
    waiting: VecDeque<Notice>,
    retry_at: Option<Instant>,
}

impl Manager {
    /// As the environment says.
    pub(crate) fn from_env() -> Self {
        let place = std::env::var_os(SOCKET).filter(|place| !place.is_empty());
        let most = std::env::var(KEEPS).ok();
        let most = most.and_then(|most| most.parse::<u64>().ok());
        Self {
            keeps: place.is_some() && most.is_some_and(|most| most > 0),
            place,
            ..Self::default()
        }
    }

    /// Whether sockets may be left with it.
    pub(crate) fn keeps_sockets(&self) -> bool {
        self.keeps
    }

    /// Sends a notice, if anybody wants it.
    pub(crate) fn tell(&mut self, text: String) {
        self.send(Notice { text, fd: None });
    }

    /// These sockets are to lie with it, and no others of ours.
    pub(crate) fn keep(&mut self, sockets: BTreeMap<u64, Shared>) {
        if !self.keeps {
            return;
        }
        let there = std::mem::take(&mut self.kept).into_iter();
        let (stay, gone): (BTreeSet<u64>, _) = there.partition(|n| sockets.contains_key(n));
        self.kept = stay;
        for number in gone {
            self.forget(&stored::name(number));
        }
        for (number, fd) in sockets {
            if self.kept.insert(number) {
                self.send(Notice {
                    // Not to be closed by itself when something happens to it: who it is for decides.
                    text: format!("FDSTORE=1\nFDNAME={}\nFDPOLL=0", stored::name(number)),
                    fd: Some(fd),
                });
            }
        }
    }

    /// These lie with it already.
    pub(crate) fn know(&mut self, sockets: impl IntoIterator<Item = u64>) {
        self.kept.extend(sockets);
    }

    /// Nothing of this name is to lie with it any more.
    pub(crate) fn forget(&mut self, name: &str) {
        if self.keeps {
            self.tell(format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        }
    }

    /// When to try again what it did not take.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Sends what has waited.
    pub(crate) fn flush(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        let Some(place) = &self.place else {
            return;
        };
        while let Some(notice) = self.waiting.front() {
            let fd = notice.fd.as_ref().and_then(Shared::fd);
            match send(place, &notice.text, fd) {
                Ok(()) => {}
                Err(error) if is_full(&error) => {
                    self.retry_at = Some(now + PAUSE);
                    return;
                }
                Err(error) => log(format_args!("cannot notify {}: {error}", place.display())),
            }
            self.waiting.pop_front();
        }
    }

    fn send(&mut self, notice: Notice) {
        if self.place.is_none() {
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            return log(format_args!("a notice is lost: the manager reads none"));
        }
        self.waiting.push_back(notice);
        self.flush(Instant::now());
    }
}

fn is_full(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let retry = [
        Errno::AGAIN,
        Errno::TOOMANYREFS,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::INTR,
    ];
    retry
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn send(place: &OsStr, text: &str, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the keeper up.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    scm::send(&socket, text.as_bytes(), fd.as_slice()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::path::Path;

    #[test]
    fn both_kinds_of_addresses_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("rota-test-{}", std::process::id());
        let sockets = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path)),
            (
                format!("@{name}").into(),
                SocketAddr::from_abstract_name(&name)
                    .and_then(|address| UnixDatagram::bind_addr(&address)),
            ),
        ];
        for (place, socket) in sockets {
            let socket = socket.unwrap();
            send(&place, "READY=1", None).unwrap();
            let mut bytes = [0; 64];
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1");
        }
        assert!(send(OsStr::new("/nonexistent/socket"), "READY=1", None).is_err());
    }

    fn manager(path: &Path, keeps: bool) -> Manager {
        Manager {
            place: Some(path.into()),
            keeps,
            ..Manager::default()
        }
    }

    fn hears(socket: &UnixDatagram) -> (String, usize) {
        let mut bytes = [0; 256];
        let received = scm::recv(socket, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..received.len]).into_owned();
        (text, received.fds.len())
    }

    #[test]
    fn sockets_are_left_once_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let fds: Vec<OwnedFd> = vec![TcpListener::bind("127.0.0.1:0").unwrap().into()];
        let fds = Rc::new(fds);
        let number = rota_sys::net::number(&fds[0]).unwrap();
        let one = || BTreeMap::from([(number, Shared::new(&fds, 0))]);
        let mut manager = manager(&path, true);
        manager.keep(one());
        let name = format!("rota-{number}");
        let text = format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0");
        assert_eq!(hears(&socket), (text, 1));
        manager.keep(one());
        manager.keep(BTreeMap::new());
        let text = format!("FDSTOREREMOVE=1\nFDNAME={name}");
        assert_eq!(hears(&socket), (text, 0));
        let mut other = self::manager(&path, false);
        other.keep(one());
        other.forget(&name);
        other.tell("STATUS=x".to_owned());
        assert_eq!(hears(&socket).0, "STATUS=x", "one that keeps nothing");
    }

    #[test]
    fn what_a_slow_manager_does_not_take_waits_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut manager = manager(&path, true);
        let mut told = 0;
        while manager.deadline().is_none() {
            manager.tell(told.to_string());
            told += 1;
        }
        manager.tell(told.to_string());
        for number in 0..=told {
            manager.retry_at = None;
            manager.flush(Instant::now());
            assert_eq!(hears(&socket).0, number.to_string());
        }
        assert!(manager.waiting.is_empty());
        while manager.waiting.len() < WAITING_MAX {
            manager.tell(String::new());
        }
        manager.tell("one too many".to_owned());
        assert_eq!(manager.waiting.len(), WAITING_MAX);
    }
}
