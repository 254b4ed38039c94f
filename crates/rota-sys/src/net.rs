//! Listening sockets and what is accepted from them. Everything is non-blocking and close-on-exec.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, chmod, fstat};
use rustix::net::sockopt;
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, acceptfrom_with, bind,
    getsockname, listen, socket_with,
};

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// How to bind a socket of the internet families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetOptions {
    /// The address; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// IPv6 only, not IPv4 too, for an IPv6 address.
    pub v6_only: bool,
    /// `SO_REUSEPORT`: several sockets on one port, among which the kernel spreads.
    pub reuse_port: bool,
}

impl InetOptions {
    /// An address, dual-stack if it is `[::]`, not shared.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            v6_only: false,
            reuse_port: false,
        }
    }

    fn socket(&self, kind: SocketType) -> io::Result<OwnedFd> {
        let family = if self.address.is_ipv6() {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let socket = socket_with(family, kind, FLAGS, None)?;
        if self.address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, self.v6_only)?;
        }
        if self.reuse_port {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        Ok(socket)
    }
}

/// A TCP socket that is bound and does not listen yet. `SO_REUSEADDR` is always set: a port whose old
/// connections still linger can be bound again.
///
/// # Errors
/// With their error numbers: `EADDRINUSE`, `EACCES` (ports below 1024), `EADDRNOTAVAIL`, `EAFNOSUPPORT`.
pub fn bind_tcp(options: &InetOptions) -> io::Result<OwnedFd> {
    let socket = options.socket(SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &options.address)?;
    Ok(socket)
}

/// A TCP socket that listens.
///
/// # Errors
/// As [`bind_tcp`]; `EADDRINUSE` also from listening.
pub fn listen_tcp(options: &InetOptions, backlog: i32) -> io::Result<OwnedFd> {
    let socket = bind_tcp(options)?;
    listen(&socket, backlog)?;
    Ok(socket)
}

/// A UDP socket. `reuse_addr` is `SO_REUSEADDR`, which for UDP lets several sockets have one port.
///
/// # Errors
/// As [`bind_tcp`].
pub fn bind_udp(options: &InetOptions, reuse_addr: bool) -> io::Result<OwnedFd> {
    let socket = options.socket(SocketType::DGRAM)?;
    sockopt::set_socket_reuseaddr(&socket, reuse_addr)?;
    bind(&socket, &options.address)?;
    Ok(socket)
}

/// A stream socket that listens on a path. The path's mode is set before anybody can connect.
///
/// # Errors
/// `EADDRINUSE` when the path exists; `ENAMETOOLONG` for more than 107 bytes; `ENOENT`, `EACCES` for its folder.
pub fn listen_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    bind(&socket, &address)?;
    let ready = chmod(path, Mode::from_raw_mode(mode)).and_then(|()| listen(&socket, backlog));
    if let Err(errno) = ready {
        // The path is this call's own; leaving it would block the next attempt.
        let _ = std::fs::remove_file(path);
        return Err(errno.into());
    }
    Ok(socket)
}

/// Accepts a connection; the peer is `None` for Unix sockets.
///
/// # Errors
/// `WouldBlock` when there is none; `ECONNABORTED`, `EMFILE` and others of `accept4`.
pub fn accept(socket: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let (connection, peer) = acceptfrom_with(socket, FLAGS)?;
    Ok((connection, peer.and_then(to_inet)))
}

/// The address that a socket is bound to; `None` for Unix sockets.
///
/// # Errors
/// When it is no socket.
pub fn local_address(socket: impl AsFd) -> io::Result<Option<SocketAddr>> {
    Ok(to_inet(getsockname(socket)?))
}

fn to_inet(address: SocketAddrAny) -> Option<SocketAddr> {
    SocketAddr::try_from(address).ok()
}

/// Who is at the other end of a Unix socket, as of when it was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Process id.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The peer of a connected Unix stream or packet socket (`SO_PEERCRED`).
///
/// # Errors
/// When it is no connected Unix socket.
pub fn peer_credentials(socket: impl AsFd) -> io::Result<Peer> {
    let credentials = sockopt::socket_peercred(socket)?;
    Ok(Peer {
        pid: credentials.pid.as_raw_nonzero().get().unsigned_abs(),
        uid: credentials.uid.as_raw(),
        gid: credentials.gid.as_raw(),
    })
}

/// The number of a socket's file (its inode): all copies of it have the same, in whatever process, and no other socket has
/// it as long as one of them is open. `None`: the kernel does not say.
pub fn number(socket: impl AsFd) -> Option<u64> {
    fstat(socket).ok().map(|stat| stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn tcp_dual_stack_and_reuse_port() {
        let options = InetOptions {
            reuse_port: true,
            ..InetOptions::new("[::]:0".parse().unwrap())
        };
        let socket = listen_tcp(&options, 16).unwrap();
        let port = local_address(&socket).unwrap().unwrap().port();
        assert_eq!(
            accept(&socket).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_connection, peer) = accept(&socket).unwrap();
        assert_eq!(peer.unwrap().port(), client.local_addr().unwrap().port());

        let address = SocketAddr::new(options.address.ip(), port);
        listen_tcp(&InetOptions { address, ..options }, 16).unwrap();
        let alone = InetOptions {
            address,
            reuse_port: false,
            ..options
        };
        assert_eq!(
            listen_tcp(&alone, 16).unwrap_err().raw_os_error(),
            Some(libc::EADDRINUSE)
        );
    }

    #[test]
    fn udp_shares_only_when_told() {
        let any = InetOptions::new("127.0.0.1:0".parse().unwrap());
        let first = bind_udp(&any, true).unwrap();
        let same = InetOptions::new(local_address(&first).unwrap().unwrap());
        bind_udp(&same, true).unwrap();
        assert_eq!(
            bind_udp(&same, false).unwrap_err().raw_os_error(),
            Some(libc::EADDRINUSE)
        );
    }

    #[test]
    fn all_copies_of_a_socket_have_its_number() {
        let one: OwnedFd = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let copy = one.try_clone().unwrap();
        let other: OwnedFd = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().into();
        assert_eq!(number(&one), number(&copy));
        assert_ne!(number(&one), number(&other));
    }

    #[test]
    fn unix_paths_have_their_mode_and_peers_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = listen_unix(&path, 0o600, 4).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let client = UnixStream::connect(&path).unwrap();
        let (connection, peer) = accept(&socket).unwrap();
        assert_eq!(peer, None);
        assert_eq!(
            peer_credentials(&connection).unwrap().pid,
            std::process::id()
        );
        drop(client);
        assert_eq!(
            listen_unix(&path, 0o600, 4).unwrap_err().raw_os_error(),
            Some(libc::EADDRINUSE)
        );
        let long = folder.path().join("x".repeat(120));
        assert_eq!(
            listen_unix(&long, 0o600, 4).unwrap_err().raw_os_error(),
            Some(libc::ENAMETOOLONG)
        );
    }
}
