//! Whether a descriptor that a worker hands over is what it is said to be. Workers may send anything.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use rota_node::primary::{SockName, Stranger};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketAddrUnix, SocketType, getpeername, getsockname, sockopt};

/// Looks at a connection to a server at that address, and makes it non-blocking: a blocking one would
/// stall the whole worker that gets it. Returns the client, if it has an IP address.
pub(super) fn connection_of(
    connection: impl AsFd + Copy,
    server: &SockName,
) -> Result<Option<SocketAddr>, Stranger> {
    match sockopt::socket_type(connection) {
        Ok(SocketType::STREAM) => {}
        _ => return Err(Stranger::NotStream),
    }
    if sockopt::socket_acceptconn(connection) != Ok(false) {
        return Err(Stranger::Listening);
    }
    let peer = getpeername(connection).map_err(|_| Stranger::NotConnected)?;
    let own = getsockname(connection).map_err(|_| Stranger::NotConnected)?;
    if !is_at(own, server) {
        return Err(Stranger::OtherAddress);
    }
    make_non_blocking(connection).map_err(|_| Stranger::NotStream)?;
    Ok(peer.and_then(|peer| peer.try_into().ok()))
}

/// Whether a connection with that local address has come through the server's socket.
fn is_at(own: SocketAddrAny, server: &SockName) -> bool {
    match server {
        SockName::Ip(server) => {
            SocketAddr::try_from(own).is_ok_and(|own| own.port() == server.port())
        }
        // The name may be a shorter way to the same path; one end of a pair has none.
        SockName::Path(_) => {
            SocketAddrUnix::try_from(own).is_ok_and(|own| own.path_bytes().is_some())
        }
    }
}

fn make_non_blocking(connection: impl AsFd + Copy) -> Result<(), Errno> {
    use rustix::fs::OFlags;
    let flags = rustix::fs::fcntl_getfl(connection)?;
    if flags.contains(OFlags::NONBLOCK) {
        return Ok(());
    }
    rustix::fs::fcntl_setfl(connection, flags | OFlags::NONBLOCK)
}
