//! Telling connections from other descriptors.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use rota_sys::heir::Estate;
use rustix::net::{SocketAddrAny, SocketType, getpeername, getsockname, sockopt};

use super::ledger::{CAPACITY, Intent, Ledger};

/// So many unused numbers in a row are the end of the table: `accept4` takes the lowest that is free, and only what
/// other threads have closed while it did so can be unused below it.
const UNUSED: usize = 1024;

/// A stream socket that is connected. One that its client has reset is not.
pub(super) fn is_connection(fd: BorrowedFd<'_>) -> bool {
    sockopt::socket_type(fd) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(fd) == Ok(false)
        && getpeername(fd).is_ok()
}

/// The connection that was accepted and not entered: it has its listening socket's address, and no entry.
pub(super) fn find_unseen(estate: &Estate<'_>, ledger: Ledger, intent: Intent) -> Option<RawFd> {
    let listening = getsockname(estate.get(intent.listening)?).ok()?;
    let mut unused = 0;
    for number in 0..CAPACITY {
        let number = RawFd::try_from(number).ok()?;
        let Some(fd) = estate.get(number) else {
            unused += 1;
            if unused == UNUSED {
                return None;
            }
            continue;
        };
        unused = 0;
        let of_socket = || getsockname(fd).is_ok_and(|local| is_at(&local, &listening));
        if ledger.get(number).is_none() && is_connection(fd) && of_socket() {
            return Some(number);
        }
    }
    None
}

/// Whether a connection of this address may have come through that listening socket.
fn is_at(local: &SocketAddrAny, listening: &SocketAddrAny) -> bool {
    let inet = |address: &SocketAddrAny| SocketAddr::try_from(address.clone()).ok();
    match (inet(local), inet(listening)) {
        (Some(local), Some(listening)) => {
            local.is_ipv4() == listening.is_ipv4()
                && local.port() == listening.port()
                && (listening.ip().is_unspecified() || listening.ip() == local.ip())
        }
        (None, None) => local == listening,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn only_connected_streams_are_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        assert!(is_connection(connection.as_fd()));
        assert!(!is_connection(listener.as_fd()));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!is_connection(udp.as_fd()));
        // One that has only said everything still waits for an answer.
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(is_connection(connection.as_fd()));
    }

    #[test]
    fn connections_are_known_by_their_listening_socket() {
        let at = |local: &str, listening: &str| {
            let any = |text: &str| SocketAddrAny::from(text.parse::<SocketAddr>().unwrap());
            is_at(&any(local), &any(listening))
        };
        assert!(at("127.0.0.1:80", "0.0.0.0:80"));
        assert!(at("127.0.0.1:80", "127.0.0.1:80"));
        assert!(!at("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!at("127.0.0.1:81", "0.0.0.0:80"));
        assert!(at("[::ffff:127.0.0.1]:80", "[::]:80"));
        assert!(!at("127.0.0.1:80", "[::]:80"));

        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let (one, two) = (
            UnixListener::bind(path("one")).unwrap(),
            UnixListener::bind(path("two")).unwrap(),
        );
        let _client = UnixStream::connect(path("one")).unwrap();
        let connection = getsockname(one.accept().unwrap().0).unwrap();
        assert!(is_at(&connection, &getsockname(&one).unwrap()));
        assert!(!is_at(&connection, &getsockname(&two).unwrap()));
    }
}
