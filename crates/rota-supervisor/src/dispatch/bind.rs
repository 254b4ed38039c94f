//! Sockets as workers ask for them, with the errors that libuv would give.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rota_node::primary::{Errno as Code, SockName, errno};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::keep::SocketFile;

/// The longest path that fits into a Unix socket's address.
const MAX_UNIX_PATH: usize = 107;

/// A bound socket, listening unless it is UDP.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) fd: OwnedFd,
    pub(super) name: SockName,
    /// The path to remove when it is closed, and the file that it was then.
    pub(super) path: Option<SocketPath>,
}

/// A Unix socket's file.
#[derive(Debug)]
pub(super) struct SocketPath {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl SocketPath {
    /// A file that is known from before.
    pub(super) fn known(file: SocketFile) -> Self {
        let (path, id) = file.parts();
        let file = Some(id);
        Self { path, file }
    }

    /// What is to be remembered of it.
    pub(super) fn file(&self) -> Option<SocketFile> {
        SocketFile::new(&self.path, self.file?)
    }

    /// Removes the file, unless somebody else has put another one there.
    pub(super) fn remove(&self) {
        if self.file.is_some() && file_id(&self.path) == self.file {
            // It may be gone by now, or the folder may be read-only: nothing to be done about it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// How a TCP socket is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct TcpOptions {
    pub(super) ipv6_only: bool,
    pub(super) backlog: i32,
    pub(super) reuse_port: bool,
}

/// TCP on an address, or on any: then IPv6 that takes IPv4, too, where there is IPv6.
pub(super) fn tcp(address: Option<&str>, port: u16, options: TcpOptions) -> Result<Bound, Code> {
    match address {
        Some(text) => tcp_at(parse(text, port)?, options),
        None => tcp_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), options)
            .or_else(|_| tcp_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), options)),
    }
}

/// TCP on exactly that address.
pub(super) fn tcp_at(address: SocketAddr, options: TcpOptions) -> Result<Bound, Code> {
    let fd = socket(address, SocketType::STREAM)?;
    set_socket_reuseaddr(&fd, true).map_err(code)?;
    if options.reuse_port {
        set_socket_reuseport(&fd, true).map_err(code)?;
    }
    if address.is_ipv6() {
        set_ipv6_v6only(&fd, options.ipv6_only).map_err(code)?;
    }
    rustix::net::bind(&fd, &address).map_err(bind_code)?;
    rustix::net::listen(&fd, options.backlog).map_err(code)?;
    ip_bound(fd)
}

/// UDP.
pub(super) fn udp(
    address: Option<&str>,
    port: u16,
    v6: bool,
    ipv6_only: bool,
    reuse_address: bool,
) -> Result<Bound, Code> {
    let any = if v6 { "::" } else { "0.0.0.0" };
    let address = parse(address.unwrap_or(any), port)?;
    let fd = socket(address, SocketType::DGRAM)?;
    if reuse_address {
        set_socket_reuseaddr(&fd, true).map_err(code)?;
    }
    if address.is_ipv6() {
        set_ipv6_v6only(&fd, ipv6_only).map_err(code)?;
    }
    rustix::net::bind(&fd, &address).map_err(bind_code)?;
    ip_bound(fd)
}

/// A Unix socket.
pub(super) fn unix(path: &Path, backlog: i32, read: bool, write: bool) -> Result<Bound, Code> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(code)?;
    bind_unix(&fd, path).map_err(|errno| match errno {
        // libuv's choice, to be like Windows.
        Errno::NOENT => errno::EACCES,
        errno => code(errno),
    })?;
    let file = SocketPath {
        path: path.to_owned(),
        file: file_id(path),
    };
    let ready = open_up(path, read, write)
        .and_then(|()| rustix::net::listen(&fd, backlog))
        .map_err(code);
    if let Err(code) = ready {
        file.remove();
        return Err(code);
    }
    Ok(Bound {
        fd,
        name: SockName::Path(path.to_owned()),
        path: Some(file),
    })
}

/// A socket that we were given.
pub(super) fn inherited(fd: BorrowedFd<'_>, backlog: i32, udp: bool) -> Result<Bound, Code> {
    let fd = rustix::io::fcntl_dupfd_cloexec(fd, 0).map_err(code)?;
    rustix::io::ioctl_fionbio(&fd, true).map_err(code)?;
    if !udp {
        rustix::net::listen(&fd, backlog).map_err(code)?;
    }
    named(fd)
}

/// With the address that it has. Its file, if it has one, is somebody else's.
fn named(fd: OwnedFd) -> Result<Bound, Code> {
    let name = rustix::net::getsockname(&fd).map_err(code)?;
    let name = match SocketAddr::try_from(name.clone()) {
        Ok(address) => SockName::Ip(address),
        Err(_) => SockName::Path(
            SocketAddrUnix::try_from(name)
                .ok()
                .and_then(|unix| unix.path_bytes().map(bytes_to_path))
                .unwrap_or_default(),
        ),
    };
    Ok(Bound {
        fd,
        name,
        path: None,
    })
}

/// A socket that listens already, or takes datagrams; `None`: it is something else.
pub(super) fn recovered(fd: OwnedFd) -> Option<Bound> {
    use rustix::net::sockopt::{socket_acceptconn, socket_type};
    let datagrams = socket_type(&fd) == Ok(SocketType::DGRAM);
    if !datagrams && socket_acceptconn(&fd) != Ok(true) {
        return None;
    }
    let mut bound = named(fd).ok()?;
    if let SockName::Path(path) = &bound.name {
        let path = path.clone();
        let file = file_id(&path);
        bound.path = Some(SocketPath { path, file });
    }
    Some(bound)
}

/// Another socket on the address of `first`, to which the kernel gives a share of the connections.
///
/// The first one was bound without `SO_REUSEPORT`, so that an address that is in use was noticed.
pub(super) fn sibling(first: BorrowedFd<'_>, backlog: i32) -> Result<Bound, Code> {
    set_socket_reuseport(first, true).map_err(code)?;
    let address = rustix::net::getsockname(first).map_err(code)?;
    let address = SocketAddr::try_from(address).map_err(code)?;
    let ipv6_only = address.is_ipv6() && rustix::net::sockopt::ipv6_v6only(first).map_err(code)?;
    let options = TcpOptions {
        ipv6_only,
        backlog,
        reuse_port: true,
    };
    tcp_at(address, options)
}

fn socket(address: SocketAddr, kind: SocketType) -> Result<OwnedFd, Code> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, kind, flags, None).map_err(code)
}

fn ip_bound(fd: OwnedFd) -> Result<Bound, Code> {
    let name = rustix::net::getsockname(&fd).map_err(code)?;
    let name = SockName::Ip(SocketAddr::try_from(name).map_err(code)?);
    Ok(Bound {
        fd,
        name,
        path: None,
    })
}

/// An IP address, with the interface of a link-local one (`fe80::1%eth0`).
pub(super) fn parse(text: &str, port: u16) -> Result<SocketAddr, Code> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let (ip, zone) = text.split_once('%').ok_or(errno::EINVAL)?;
    let ip: Ipv6Addr = ip.parse().map_err(|_| errno::EINVAL)?;
    let index = match zone.parse() {
        Ok(index) => index,
        Err(_) => interface_index(zone)?,
    };
    Ok(SocketAddrV6::new(ip, port, 0, index).into())
}

fn interface_index(name: &str) -> Result<u32, Code> {
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let fd = socket(any, SocketType::DGRAM)?;
    rustix::net::netdevice::name_to_index(&fd, name).map_err(|_| errno::EINVAL)
}

/// Binds, also to a path that is too long for a socket's address: then through its folder.
fn bind_unix(fd: &OwnedFd, path: &Path) -> Result<(), Errno> {
    if path.as_os_str().len() <= MAX_UNIX_PATH {
        return rustix::net::bind(fd, &SocketAddrUnix::new(path)?);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    let short = Path::new("/proc/self/fd")
        .join(number.to_string())
        .join(name);
    rustix::net::bind(fd, &SocketAddrUnix::new(short)?)
}

/// What `readableAll` and `writableAll` ask for.
fn open_up(path: &Path, read: bool, write: bool) -> Result<(), Errno> {
    if !read && !write {
        return Ok(());
    }
    let mut mode = Mode::from_raw_mode(rustix::fs::stat(path)?.st_mode & 0o7777);
    if read {
        mode |= Mode::RUSR | Mode::RGRP | Mode::ROTH;
    }
    if write {
        mode |= Mode::WUSR | Mode::WGRP | Mode::WOTH;
    }
    rustix::fs::chmod(path, mode)
}

fn file_id(path: &Path) -> Option<(u64, u64)> {
    let data = std::fs::symlink_metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn code(error: Errno) -> Code {
    -error.raw_os_error()
}

/// libuv calls a family that the kernel lacks an invalid argument.
fn bind_code(error: Errno) -> Code {
    match error {
        Errno::AFNOSUPPORT => errno::EINVAL,
        error => code(error),
    }
}

/// A duplicate for somebody who keeps it beyond our life.
pub(super) fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 0)?)
}
