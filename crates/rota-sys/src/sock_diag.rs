//! The kernel's list of TCP connections (`NETLINK_SOCK_DIAG`), to learn which still are open.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// A TCP connection of this machine (this network namespace).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other side; an IPv4 peer of a dual-stack socket as IPv4.
    pub peer: SocketAddr,
    /// The kernel's number of the state: 1 established, 8 close-wait, and so on.
    pub state: u8,
    /// Whether some process still has it open. Connections whose owner has closed them go on for a while
    /// (FIN-WAIT, LAST-ACK) without belonging to anybody.
    pub open: bool,
    /// The kernel's number of the socket, as in `/proc/<pid>/fd`; 0 = nobody has it open.
    pub inode: u32,
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_HEADER: usize = 16;
const INET_DIAG_MSG: usize = 72;
const REQUEST: usize = NLM_HEADER + 56;
/// All states but TIME-WAIT (6), CLOSE (7), LISTEN (10) and SYN-RECV (3, 12): (1 << 1) | (1 << 2) | …
const STATES: u32 = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 8) | (1 << 9) | (1 << 11);

/// A socket to ask through; keep it for repeated questions.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl SockDiag {
    /// Opens it.
    ///
    /// # Errors
    /// Where netlink is not permitted or not built into the kernel (some sandboxes).
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            flags,
            Some(netlink::SOCK_DIAG),
        )?;
        // The kernel answers at once; this is for sandboxes that swallow the question.
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(1)))?;
        Ok(Self {
            socket,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// The connections with this local port, of IPv4 and IPv6, appended to `found`.
    ///
    /// # Errors
    /// Where the question is not permitted, or not answered.
    pub fn connections(&mut self, port: u16, found: &mut Vec<Connection>) -> io::Result<()> {
        self.dump(libc::AF_INET as u8, port, found)?;
        match self.dump(libc::AF_INET6 as u8, port, found) {
            // A kernel without IPv6.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    fn dump(&mut self, family: u8, port: u16, found: &mut Vec<Connection>) -> io::Result<()> {
        send(&self.socket, &request(family, port), SendFlags::NOSIGNAL)?;
        loop {
            let (length, _) = recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::empty())?;
            match parse(&self.buffer[..length], port, found)? {
                Dump::More if length > 0 => {}
                Dump::More => return Err(invalid()),
                Dump::Done => return Ok(()),
            }
        }
    }
}

pub(crate) enum Dump {
    More,
    Done,
}

fn request(family: u8, port: u16) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request[16] = family;
    request[17] = libc::IPPROTO_TCP as u8;
    request[20..24].copy_from_slice(&STATES.to_ne_bytes());
    request[24..26].copy_from_slice(&port.to_be_bytes());
    request
}

/// Reads the messages of one datagram. All offsets are checked: the kernel is trusted, arithmetic is not.
pub(crate) fn parse(mut rest: &[u8], port: u16, found: &mut Vec<Connection>) -> io::Result<Dump> {
    while let Some(header) = rest.first_chunk::<NLM_HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let body = rest.get(NLM_HEADER..length).ok_or_else(invalid)?;
        match u16::from_ne_bytes([header[4], header[5]]) {
            NLMSG_DONE => return Ok(Dump::Done),
            NLMSG_ERROR => return Err(error_of(body)),
            SOCK_DIAG_BY_FAMILY => found.extend(connection(body, port)),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Dump::More)
}

fn error_of(body: &[u8]) -> io::Error {
    match body
        .first_chunk::<4>()
        .map(|code| i32::from_ne_bytes(*code))
    {
        Some(code) if code < 0 => io::Error::from_raw_os_error(code.saturating_neg()),
        _ => invalid(),
    }
}

fn connection(body: &[u8], port: u16) -> Option<Connection> {
    let message = body.first_chunk::<INET_DIAG_MSG>()?;
    let local_port = u16::from_be_bytes([message[4], message[5]]);
    let peer_port = u16::from_be_bytes([message[6], message[7]]);
    let address: [u8; 16] = message[24..40].try_into().ok()?;
    let peer = if i32::from(message[0]) == libc::AF_INET {
        IpAddr::V4(Ipv4Addr::new(
            address[0], address[1], address[2], address[3],
        ))
    } else {
        IpAddr::V6(Ipv6Addr::from(address)).to_canonical()
    };
    let inode = u32::from_ne_bytes([message[68], message[69], message[70], message[71]]);
    let connection = Connection {
        peer: SocketAddr::new(peer, peer_port),
        state: message[1],
        open: inode != 0,
        inode,
    };
    (local_port == port).then_some(connection)
}

fn invalid() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an answer of sock_diag that makes no sense",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn open_and_closed_connections_are_told_apart() {
        for address in ["127.0.0.1:0", "[::]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            let peer = client.local_addr().unwrap();
            let mut diag = match SockDiag::open() {
                Ok(diag) => diag,
                Err(error) => return eprintln!("not permitted here: {error}"),
            };
            let mut look = || {
                let mut found = Vec::new();
                diag.connections(port, &mut found).unwrap();
                found.into_iter().find(|connection| connection.peer == peer)
            };
            let connection = look().unwrap();
            assert_eq!((connection.state, connection.open), (1, true));
            let own = crate::procfs::sockets(std::process::id()).unwrap();
            assert!(own.contains(&connection.inode));
            drop(server);
            assert!(
                !look().is_some_and(|connection| connection.open),
                "the client alone has not closed"
            );
        }
    }

    #[test]
    fn damaged_answers_are_errors_or_nothing() {
        let mut found = Vec::new();
        let mut message = request(2, 80).to_vec();
        assert!(matches!(parse(&message, 80, &mut found), Ok(Dump::More)));
        assert!(found.is_empty(), "too short for a connection");
        message[0] = 255;
        assert!(parse(&message, 80, &mut found).is_err());
        message[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert!(parse(&message, 80, &mut found).is_err());
    }
}
