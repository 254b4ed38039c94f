//! The sockets of `--listen`: opened by rota, inherited by every worker of the app.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use rota_config::{AppSpec, ListenAddr, ListenTarget};
use rota_engine::AppId;
use rota_sys::net::{self, InetOptions};

use crate::dispatch::DispatchCommand;
use crate::supervisor::Supervisor;

/// The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Sockets of apps are for whoever the folder lets in, as with any server's Unix socket.
const SOCKET_MODE: u32 = 0o666;

/// The first number of inherited sockets, systemd's `SD_LISTEN_FDS_START`.
const LISTEN_FDS_START: i32 = 3;

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", hint(source))]
pub struct ListenError {
    address: String,
    source: io::Error,
}

impl Supervisor {
    /// Gives an app its sockets. Cluster workers may name them too, in `listen({fd: 3})`: the numbers are
    /// those under which processes find them.
    pub(crate) fn own_sockets(&self, app: AppId, sockets: Vec<Rc<OwnedFd>>) {
        for (number, socket) in (LISTEN_FDS_START..).zip(&sockets) {
            // Without a copy (no descriptors left) the worker's own listen says that it failed.
            if let Ok(fd) = socket.try_clone() {
                let app = app.0;
                self.dispatcher
                    .send(DispatchCommand::InheritFd { app, number, fd });
            }
        }
        self.with(|state| {
            if let Some(app) = state.apps.get_mut(&app) {
                app.sockets = sockets;
            }
        });
    }
}

/// Opens one of the sockets of a specification.
///
/// # Errors
/// When it cannot be had.
pub fn open_one(address: &ListenAddr, spec: &AppSpec) -> Result<Rc<OwnedFd>, ListenError> {
    open_target(&address.target, &spec.cwd)
        .map(Rc::new)
        .map_err(|source| ListenError {
            address: address.to_string(),
            source,
        })
}

fn open_target(target: &ListenTarget, cwd: &Path) -> io::Result<OwnedFd> {
    match target {
        ListenTarget::Tcp(address) => net::listen_tcp(&InetOptions::new(*address), BACKLOG),
        ListenTarget::Port(port) => listen_everywhere(*port),
        ListenTarget::Unix(path) => listen_path(&cwd.join(path)),
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

/// Removes the files of Unix sockets that are not needed any more.
pub fn remove_files(sockets: &[Rc<OwnedFd>]) {
    for socket in sockets {
        let address = rustix::net::getsockname(socket)
            .ok()
            .and_then(|address| rustix::net::SocketAddrUnix::try_from(address).ok());
        if let Some(path) = address.as_ref().and_then(|address| address.path()) {
            // Whoever has removed it before us has done no harm.
            let _ = std::fs::remove_file(Path::new(OsStr::from_bytes(path.to_bytes())));
        }
    }
}

fn is_stale(path: &Path) -> bool {
    let refused = std::os::unix::net::UnixStream::connect(path);
    refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (somebody else listens there: `ss -ltnp` shows who)",
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need the capability CAP_NET_BIND_SERVICE)"
        }
        _ => "",
    }
}
