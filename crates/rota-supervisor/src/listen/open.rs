//! Opening the sockets of `--listen`, and ending them.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rota_config::{ListenAddr, ListenTarget};
use rota_sys::net::{self, InetOptions};
use rustix::net::Shutdown;

/// The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Sockets of apps are for whoever the folder lets in, as with any server's Unix socket.
const SOCKET_MODE: u32 = 0o666;

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", hint(source, own.as_deref()))]
pub struct ListenError {
    address: String,
    /// An address that the app has itself and that is in the way.
    own: Option<String>,
    source: io::Error,
}

impl ListenError {
    pub(super) fn new(address: &ListenAddr, own: Option<&ListenTarget>, source: io::Error) -> Self {
        let in_the_way = source.kind() == io::ErrorKind::AddrInUse;
        Self {
            address: address.to_string(),
            own: own.filter(|_| in_the_way).map(ToString::to_string),
            source,
        }
    }

    /// Of which kind it is, for those who try again.
    pub(crate) fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

/// Opens a socket; a path is absolute.
pub(super) fn open(target: &ListenTarget) -> io::Result<OwnedFd> {
    match target {
        ListenTarget::Tcp(address) => net::listen_tcp(&InetOptions::new(*address), BACKLOG),
        ListenTarget::Port(port) => listen_everywhere(*port),
        ListenTarget::Unix(path) => listen_path(path),
    }
}

/// IPv6 and IPv4 on one socket, or IPv4 alone where there is no IPv6.
fn listen_everywhere(port: u16) -> io::Result<OwnedFd> {
    let v6 = InetOptions::new((Ipv6Addr::UNSPECIFIED, port).into());
    match net::listen_tcp(&v6, BACKLOG) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            let v4 = InetOptions::new((Ipv4Addr::UNSPECIFIED, port).into());
            net::listen_tcp(&v4, BACKLOG)
        }
        result => result,
    }
}

/// A path that is left over from somebody who is gone is taken over; one that answers is in use.
fn listen_path(path: &Path) -> io::Result<OwnedFd> {
    match net::listen_unix(path, SOCKET_MODE, BACKLOG) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            std::fs::remove_file(path)?;
            net::listen_unix(path, SOCKET_MODE, BACKLOG)
        }
        result => result,
    }
}

/// Nobody shall reach it any more, whoever keeps a duplicate.
pub(super) fn end(socket: &OwnedFd) {
    // Of one that listens no more this has been done.
    let _ = rustix::net::shutdown(socket, Shutdown::Both);
    remove_file(socket);
}

/// Removes the file of a Unix socket that is not needed any more.
pub(super) fn remove_file(socket: &OwnedFd) {
    let address = rustix::net::getsockname(socket)
        .ok()
        .and_then(|address| rustix::net::SocketAddrUnix::try_from(address).ok());
    if let Some(path) = address.as_ref().and_then(|address| address.path()) {
        // Whoever has removed it before us has done no harm.
        let _ = std::fs::remove_file(Path::new(OsStr::from_bytes(path.to_bytes())));
    }
}

fn is_stale(path: &Path) -> bool {
    let refused = std::os::unix::net::UnixStream::connect(path);
    refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn hint(error: &io::Error, own: Option<&str>) -> String {
    match (error.kind(), own) {
        (io::ErrorKind::AddrInUse, Some(own)) => format!(
            " (the app itself listens on {own}, and one socket cannot be opened beside the other)"
        ),
        (io::ErrorKind::AddrInUse, None) => {
            " (somebody else listens there: `ss -ltnp` shows who)".to_owned()
        }
        (io::ErrorKind::PermissionDenied, _) => {
            " (ports below 1024 need the capability CAP_NET_BIND_SERVICE)".to_owned()
        }
        _ => String::new(),
    }
}
