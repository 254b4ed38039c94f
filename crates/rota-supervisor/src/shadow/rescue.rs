//! The next supervisor takes the connections that its predecessor's shadow has sent.

use std::collections::HashSet;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rota_sys::scm::MAX_FDS;
use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketFlags,
    SocketType, recv, recvmsg, socketpair, sockopt,
};

use super::guarded::Guarded;
use super::ledger::{CAPACITY, Entry, Ledger};
use super::packet::{self, LONGEST, Packet};

/// The room in a line, in bytes; the kernel may grant less. It spares the shadow a wait for the next supervisor:
/// a packet of 100 connections takes some 8 KiB.
const ROOM: usize = 512 * 1024;

/// What a shadow has brought.
#[derive(Debug)]
pub struct Rescue {
    /// The connections.
    pub connections: Vec<Rescued>,
    /// All of them. If false, a shadow has gone without having said that it was ready (it was killed, or had never
    /// begun), or was too slow, a packet was not understood, or descriptors could not be opened here.
    pub complete: bool,
}

/// A connection that an earlier supervisor had.
#[derive(Debug)]
pub struct Rescued {
    /// How far it had come. It is in the ledger in just this state.
    pub entry: Entry,
    /// The connection.
    pub connection: Guarded,
}

/// Makes a line: the shadow's end, and the one for the next supervisor, to be left with the keeper.
///
/// # Errors
/// When there are no descriptors left.
pub fn line() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, next) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // What the kernel has given is enough, too.
    let _ = sockopt::set_socket_send_buffer_size(&ours, ROOM);
    Ok((ours, next))
}

/// Reads everything from the lines of earlier shadows, until each has said that it is ready or is gone, and enters
/// it in this supervisor's ledger. Its own shadow must have been started before: then nothing is lost when
/// this process dies in the middle, for a packet stays in its line until it has been entered. Blocks for at most
/// `limit` in all; normally the packets are there already.
///
/// There is more than one line if supervisors die one right after the other; a connection that is in two
/// of them is taken once.
#[must_use]
pub fn rescue(ledger: Ledger, lines: Vec<OwnedFd>, limit: Duration) -> Rescue {
    let until = Instant::now() + limit;
    let mut reader = Reader {
        ledger,
        seen: HashSet::new(),
        rescue: Rescue {
            connections: Vec::new(),
            complete: true,
        },
    };
    for line in &lines {
        reader.read(line, until);
    }
    reader.rescue
}

struct Reader {
    ledger: Ledger,
    /// The sockets' cookies, which the kernel never gives twice.
    seen: HashSet<u64>,
    rescue: Rescue,
}

/// What is next in a line.
enum Next {
    Packet(Option<Packet>, Vec<OwnedFd>),
    Nothing,
    Closed,
}

impl Reader {
    fn read(&mut self, line: &OwnedFd, until: Instant) {
        // One connection in each, at worst, and the end.
        for _ in 0..=CAPACITY {
            match peek(line) {
                Next::Packet(packet, fds) => {
                    let ended = matches!(packet, Some(Packet::End));
                    self.take(packet, fds);
                    // Without room for descriptors: the kernel closes the copies in the packet.
                    let _ = recv(line, &mut [0; 1], RecvFlags::DONTWAIT);
                    if ended {
                        return;
                    }
                }
                Next::Nothing if wait(line, until) => {}
                Next::Nothing | Next::Closed => break,
            }
        }
        self.rescue.complete = false;
    }

    fn take(&mut self, packet: Option<Packet>, fds: Vec<OwnedFd>) {
        let entries = match packet {
            Some(Packet::Connections(entries)) => entries,
            Some(Packet::End) => return,
            None => {
                self.rescue.complete = false;
                return;
            }
        };
        self.rescue.complete &= fds.len() == entries.len();
        for (entry, fd) in entries.into_iter().zip(fds) {
            // What has none is no socket, and not one of ours.
            if let Ok(cookie) = sockopt::socket_cookie(&fd)
                && self.seen.insert(cookie)
            {
                let connection = Guarded::restore(self.ledger, fd, entry);
                self.rescue.connections.push(Rescued { entry, connection });
            }
        }
    }
}

/// Looks at the next packet, and opens its descriptors here. It stays in the line.
fn peek(line: &OwnedFd) -> Next {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = loop {
        match recvmsg(
            line,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            flags,
        ) {
            Ok(message) => break message,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Next::Nothing,
            Err(_) => return Next::Closed,
        }
    };
    let mut fds = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = ancillary {
            fds.extend(received);
        }
    }
    if message.bytes == 0 {
        return Next::Closed;
    }
    let whole = !message.flags.contains(ReturnFlags::TRUNC);
    let packet = bytes.get(..message.bytes).filter(|_| whole);
    Next::Packet(packet.and_then(packet::decode), fds)
}

/// Waits for something in the line. False when the time is over.
fn wait(line: &OwnedFd, until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap_or_default();
    let mut fds = [PollFd::from_borrowed_fd(line.as_fd(), PollFlags::IN)];
    // An interruption is as good as a packet: what is next is looked at again.
    !left.is_zero() && poll(&mut fds, Some(&timeout)) != Ok(0)
}
