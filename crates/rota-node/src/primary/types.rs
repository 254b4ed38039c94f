//! Names and values that the primary shares with its host.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::agent::FromAgent;
use crate::balance::Balance;

/// Milliseconds of a monotonic clock with any origin.
pub type Millis = u64;
/// One process; never reused.
pub type WorkerId = u64;
/// The place of a worker in its app.
pub type Slot = u32;
/// A negative error number as libuv gives it.
pub type Errno = i32;

/// Error numbers that the primary itself or its host answers with.
pub mod errno {
    use super::Errno;

    /// No such descriptor.
    pub const EBADF: Errno = -9;
    /// Not allowed.
    pub const EACCES: Errno = -13;
    /// An argument makes no sense.
    pub const EINVAL: Errno = -22;
    /// Too many descriptors.
    pub const EMFILE: Errno = -24;
}

/// One listener of the primary; not reused while it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u32);

/// One socket of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    /// The listener.
    pub listener: ListenerId,
    /// `None`: the socket that was bound first. Otherwise an additional one of that slot.
    pub slot: Option<Slot>,
}

/// What the other side of a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A cluster worker.
    Cluster(Balance),
    /// A process that only exchanges the app's own messages.
    Plain,
}

/// A socket that a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// TCP.
    Tcp {
        /// An IP address; `None` = any, over IPv6 and IPv4 where there is both.
        address: Option<String>,
        /// 0 = the kernel chooses.
        port: u16,
        /// No IPv4 through this IPv6 socket.
        ipv6_only: bool,
        /// Length of the accept queue.
        backlog: i32,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Length of the accept queue.
        backlog: i32,
        /// Everybody may read.
        readable_all: bool,
        /// Everybody may write.
        writable_all: bool,
    },
    /// UDP.
    Udp {
        /// An IP address; `None` = any.
        address: Option<String>,
        /// 0 = the kernel chooses.
        port: u16,
        /// IPv6.
        v6: bool,
        /// No IPv4 through this IPv6 socket.
        ipv6_only: bool,
        /// Others may bind the same address.
        reuse_address: bool,
    },
    /// A descriptor of the primary's.
    Inherited {
        /// Its number in the app.
        number: i32,
        /// Length of the accept queue.
        backlog: i32,
        /// Datagrams.
        udp: bool,
    },
    /// Another socket on the address of a TCP listener, with `SO_REUSEPORT`.
    Sibling {
        /// The listener's first socket.
        of: ListenerId,
        /// Length of the accept queue.
        backlog: i32,
    },
}

/// The address that a socket got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SockName {
    /// An IP socket.
    Ip(SocketAddr),
    /// A Unix socket.
    Path(PathBuf),
}

impl SockName {
    /// Address, family and port, in Node's words; `None` for Unix sockets.
    #[must_use]
    pub fn ip_text(&self) -> Option<(String, &'static str, u16)> {
        match self {
            Self::Ip(SocketAddr::V4(v4)) => Some((v4.ip().to_string(), "IPv4", v4.port())),
            Self::Ip(SocketAddr::V6(v6)) => Some((v6.ip().to_string(), "IPv6", v6.port())),
            Self::Path(_) => None,
        }
    }

    /// The port; 0 for Unix sockets.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Path(_) => 0,
        }
    }
}

impl std::fmt::Display for SockName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// What became of a connection that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is under way.
    Sent,
    /// The channel takes nothing now; [`super::Primary::writable`] will say when it does.
    Blocked,
    /// This connection cannot be sent to anybody and is to be dropped.
    Unsendable,
}

/// Why a descriptor is not the connection that it is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// A file, a datagram socket or another thing.
    #[error("not a stream socket")]
    NotStream,
    /// A listening socket.
    #[error("a listening socket")]
    Listening,
    /// Never connected, or not any more: then there is nobody to be served.
    #[error("not connected")]
    NotConnected,
    /// The server does not listen at its local address.
    #[error("not a connection of that server")]
    OtherAddress,
}

/// Something the host should know.
#[derive(Debug, PartialEq)]
pub enum Notice<'a> {
    /// The worker's JavaScript runs.
    Online,
    /// A server of the worker listens.
    Listening {
        /// Where, as text.
        address: String,
        /// The port; 0 for Unix sockets.
        port: u16,
    },
    /// It has closed its last server and was not told to.
    NoListeners,
    /// It leaves by its own decision.
    Leaving,
    /// A message of the app's own, as JSON.
    User(&'a str),
    /// Its agent says something that is not only the primary's business.
    Agent(FromAgent),
    /// Another message with a `cmd` that starts with `NODE_`, as JSON.
    Internal(&'a str),
    /// Something that the primary before this one had sent to it is lost.
    LostBefore(LostBefore),
    /// It broke the protocol.
    Violation(Violation),
}

/// What is lost because a primary died while it was under way to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LostBefore {
    /// The worker did not want it, and nobody else has it any more.
    #[error("a connection that it refused, and that nobody else has any more")]
    Refused,
    /// The worker says that a descriptor did not arrive.
    #[error("a connection or listening socket that it could not receive (no free descriptors?)")]
    NotReceived,
}

/// How a worker broke the protocol. Nothing but its own traffic suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not JSON.
    #[error("it sent a line that is not JSON")]
    NotJson,
    /// A cluster message without sense.
    #[error("it sent a cluster message that cannot be understood")]
    BadCluster,
    /// A line that is too long.
    #[error("it sent a line of {0} bytes, which was skipped")]
    TooLong(u64),
    /// An answer to nothing.
    #[error("it answered a connection that it was not given")]
    ForgedAnswer,
    /// An acknowledgement of nothing.
    #[error("it acknowledged a descriptor that it was not sent")]
    ForgedHandleAck,
    /// It asked twice for the same listener.
    #[error("it asked twice for the same listener")]
    DoubleQuery,
    /// More listeners than anybody needs.
    #[error("it asked for too many listeners")]
    TooManyListeners,
    /// A cluster message from a process that is no cluster worker.
    #[error("it sent a cluster message but is no cluster worker")]
    NotCluster,
    /// Its agent speaks of a server of which there has been no question.
    #[error("its agent spoke of a server that it did not ask for")]
    ForgedServer,
    /// It handed over what is no connection of its server.
    #[error("it handed over a descriptor that is {0}")]
    BadHandover(Stranger),
    /// It did not get the listening socket in several tries.
    #[error("it could not receive the listening socket (no free descriptors?)")]
    SocketLost,
}

/// Does what the primary decides. Calls come while the primary works and must not call it back.
pub trait Host {
    /// An accepted connection. Dropping it closes our copy.
    type Connection;

    /// Binds a socket, and listens on it unless it is UDP. `key` is Node's name of the listener.
    ///
    /// # Errors
    /// The negative errno that the worker gets to see.
    fn open(&mut self, socket: SocketId, key: &str, bind: &Bind) -> Result<SockName, Errno>;

    /// The number of [`Bind::Inherited`] for what the worker has under this one: workers of one app may have inherited
    /// different descriptors. `None`: it is none of those.
    fn inherited(&self, _worker: WorkerId, number: i64) -> Option<i64> {
        Some(number)
    }

    /// Closes a socket, and removes its path.
    fn close(&mut self, socket: SocketId);

    /// Sends a line. What cannot be sent now is kept in order; a worker that takes nothing is the
    /// host's to cut off.
    fn send(&mut self, worker: WorkerId, line: &[u8]);

    /// Sends a line with a listening or UDP socket.
    fn send_socket(&mut self, worker: WorkerId, line: &[u8], socket: SocketId);

    /// Looks at a descriptor that a worker has handed over as a connection to a server at that
    /// address, and makes it fit to be passed on. Returns the client, if it has an IP address.
    ///
    /// # Errors
    /// When it is something else.
    fn examine(
        &mut self,
        connection: &Self::Connection,
        server: &SockName,
    ) -> Result<Option<SocketAddr>, Stranger>;

    /// Sends a line with a connection, now or not at all. `seq` is the number of the message.
    fn deal(
        &mut self,
        worker: WorkerId,
        seq: u64,
        line: &[u8],
        connection: &Self::Connection,
    ) -> Delivery;

    /// Tells the rest of the world.
    fn notice(&mut self, worker: WorkerId, notice: Notice<'_>);
}
