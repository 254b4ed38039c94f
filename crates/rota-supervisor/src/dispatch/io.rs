//! The primary's host: sends, binds and reports with system calls.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use rota_node::Host;
use rota_node::agent::FromAgent;
use rota_node::primary::{
    Bind, Delivery, Errno as Code, LostBefore, Millis, Notice, SockName, SocketId, Stranger,
};
use rustix::event::epoll::{self, EventFlags};

use super::channel::{Channel, Overflow, Sent};
use super::keep::{Keep, socket_key};
use super::limits::Limits;
use super::sockets::Sockets;
use super::token::Token;
use super::types::DispatchEvent;
use crate::shadow::{Guarded, Ledger};

/// How long a worker is left alone when the kernel lacks something to send to it.
const LATER: Millis = 50;

/// The first number under which a worker finds what it has inherited, systemd's `SD_LISTEN_FDS_START`.
const FIRST_INHERITED: i64 = 3;

/// Where the thread's events go.
pub(super) type Events = Box<dyn Fn(DispatchEvent) + Send>;

/// A channel with what is watched of it.
pub(super) struct Link {
    pub(super) channel: Channel,
    pub(super) app: u32,
    /// What it has inherited as descriptors 3, 4, …, by the numbers of the app.
    inherits: Vec<i32>,
    watched: EventFlags,
    /// A connection found it full.
    full: bool,
    limits: Limits,
}

/// Every descriptor of the thread, and the way out for events.
pub(super) struct Io {
    pub(super) epoll: OwnedFd,
    pub(super) links: HashMap<u64, Link>,
    pub(super) sockets: Sockets,
    pub(super) events: Events,
    pub(super) now: Millis,
    /// Workers to be tried again, and when.
    pub(super) later: Vec<(Millis, u64)>,
    /// Workers whose agents have been told to drain them and have not said that they are done.
    pub(super) told_to_drain: HashSet<u64>,
    pub(super) keep: Box<dyn Keep>,
    /// Where connections are entered that nobody else has yet.
    pub(super) ledger: Ledger,
    /// The daemon ends, and sockets stay open for the next one.
    pub(super) leaves_sockets: bool,
    /// Lines wait until what they tell is saved.
    holding: bool,
    /// Workers for whom some wait.
    held: Vec<u64>,
}

impl Io {
    pub(super) fn new(epoll: OwnedFd, events: Events, keep: Box<dyn Keep>) -> Self {
        Self {
            epoll,
            links: HashMap::new(),
            sockets: Sockets::default(),
            events,
            now: 0,
            later: Vec::new(),
            told_to_drain: HashSet::new(),
            keep,
            ledger: Ledger::none(),
            leaves_sockets: false,
            holding: false,
            held: Vec::new(),
        }
    }

    /// From now on lines wait for [`Self::release`].
    pub(super) fn hold(&mut self) {
        self.holding = true;
    }

    /// Sends what has waited.
    pub(super) fn release(&mut self) {
        self.holding = false;
        for worker in std::mem::take(&mut self.held) {
            if let Some(link) = self.links.get_mut(&worker) {
                link.channel.flush();
            }
            // A connection that came behind is tried again when the channel says that it is writable.
            self.rewatch(worker);
        }
    }

    /// Begins to watch a worker's channel.
    pub(super) fn add_link(
        &mut self,
        worker: u64,
        app: u32,
        inherits: Vec<i32>,
        socket: OwnedFd,
    ) -> std::io::Result<()> {
        let channel = Channel::new(socket)?;
        let watched = EventFlags::IN;
        epoll::add(
            &self.epoll,
            &channel,
            Token::Channel(worker).into(),
            watched,
        )?;
        let link = Link {
            channel,
            app,
            inherits,
            watched,
            full: false,
            limits: Limits::new(),
        };
        self.links.insert(worker, link);
        Ok(())
    }

    /// Closes a worker's channel.
    pub(super) fn drop_link(&mut self, worker: u64) {
        self.told_to_drain.remove(&worker);
        if let Some(link) = self.links.remove(&worker) {
            let _ = epoll::delete(&self.epoll, &link.channel);
        }
    }

    /// Watches what the channel wants now.
    pub(super) fn rewatch(&mut self, worker: u64) {
        let Some(link) = self.links.get_mut(&worker) else {
            return;
        };
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, link.channel.wants_to_read());
        wanted.set(EventFlags::OUT, link.full || link.channel.wants_to_write());
        if wanted != link.watched {
            link.watched = wanted;
            let token = Token::Channel(worker).into();
            // Cannot fail for a registered descriptor, except for lack of memory: then an old
            // event wakes us once more.
            let _ = epoll::modify(&self.epoll, &link.channel, token, wanted);
        }
    }

    /// The channel is writable: sends what waits. Returns whether connections can be sent again.
    pub(super) fn flush(&mut self, worker: u64) -> bool {
        let Some(link) = self.links.get_mut(&worker) else {
            return false;
        };
        link.full = false;
        let free = link.channel.flush();
        self.rewatch(worker);
        free
    }

    /// Sends a line; a worker that takes none loses it, and is reported.
    pub(super) fn send(&mut self, worker: u64, line: &[u8], socket: Option<(u32, SocketId)>) {
        let Some(link) = self.links.get_mut(&worker) else {
            return;
        };
        let socket = match socket {
            None => None,
            Some((app, id)) => match self.sockets.get(app, id) {
                Some((_, socket)) => Some(socket.fd.as_fd()),
                None => return,
            },
        };
        let sent = if self.holding {
            self.held.push(worker);
            link.channel.hold(line, socket)
        } else {
            link.channel.send(line, socket)
        };
        if sent == Err(Overflow) {
            self.violation(
                worker,
                "it does not read its channel: a message for it was dropped",
            );
        }
        if !self.holding {
            self.rewatch(worker);
        }
    }

    pub(super) fn violation(&mut self, worker: u64, what: &str) {
        let Some(link) = self.links.get_mut(&worker) else {
            return;
        };
        if let Some(unreported) = link.limits.violation(self.now) {
            let what = match unreported {
                0 => what.to_owned(),
                more => format!("{what} (and {more} more)"),
            };
            (self.events)(DispatchEvent::Violation { worker, what });
        }
    }

    /// Something that was under way to a worker when the process before this one died is lost.
    fn lost_before(&mut self, worker: u64, lost: LostBefore) {
        let Some(link) = self.links.get_mut(&worker) else {
            return;
        };
        if link.limits.violation(self.now).is_some() {
            let what = format!("lost while rota was being started again: {lost}");
            (self.events)(DispatchEvent::LostBefore { worker, what });
        }
    }

    fn user_message(&mut self, worker: u64, json: &str) {
        let Some(link) = self.links.get_mut(&worker) else {
            return;
        };
        if link.limits.user_message(json, self.now) {
            let json = json.to_owned();
            (self.events)(DispatchEvent::UserMessage { worker, json });
        } else {
            self.violation(worker, "it sends too many messages: some were dropped");
        }
    }

    /// Something that the agent said, for the rest of the supervisor.
    fn agent_message(&mut self, worker: u64, message: FromAgent) {
        if let FromAgent::Drained(report) = message {
            // Unasked for it means nothing. It is heard behind a flood.
            if self.told_to_drain.remove(&worker) {
                let report = Some(report);
                (self.events)(DispatchEvent::Drained { worker, report });
            }
        } else if self.is_within_limits(worker) {
            (self.events)(DispatchEvent::Agent { worker, message });
        }
    }

    /// Whether one more internal message is heard; otherwise it is reported.
    fn is_within_limits(&mut self, worker: u64) -> bool {
        let Some(link) = self.links.get_mut(&worker) else {
            return false;
        };
        let within = link.limits.internal_message(self.now);
        if !within {
            self.violation(
                worker,
                "it sends too many internal messages: some were dropped",
            );
        }
        within
    }
}

/// The host of one app's primary.
pub(super) struct AppHost<'a> {
    pub(super) io: &'a mut Io,
    pub(super) app: u32,
}

impl Host for AppHost<'_> {
    type Connection = Guarded;

    fn open(&mut self, id: SocketId, key: &str, bind: &Bind) -> Result<SockName, Code> {
        let (number, name) = self.io.sockets.open(self.app, id, bind)?;
        self.io.keep_socket(number, key, &name.to_string());
        Ok(name)
    }

    fn inherited(&self, worker: u64, number: i64) -> Option<i64> {
        let inherits = &self.io.links.get(&worker)?.inherits;
        let place = usize::try_from(number.checked_sub(FIRST_INHERITED)?).ok()?;
        inherits.get(place).copied().map(i64::from)
    }

    fn close(&mut self, id: SocketId) {
        let io = &mut *self.io;
        if io.leaves_sockets && io.sockets.leave(self.app, id, &io.epoll) {
            return;
        }
        if let Some(listener) = io.sockets.close(self.app, id, &io.epoll) {
            io.keep.drop_entry(&socket_key(listener));
        }
    }

    fn send(&mut self, worker: u64, line: &[u8]) {
        self.io.send(worker, line, None);
    }

    fn send_socket(&mut self, worker: u64, line: &[u8], socket: SocketId) {
        self.io.send(worker, line, Some((self.app, socket)));
    }

    fn examine(
        &mut self,
        connection: &Guarded,
        server: &SockName,
    ) -> Result<Option<SocketAddr>, Stranger> {
        super::examine::connection_of(connection, server)
    }

    fn deal(&mut self, worker: u64, seq: u64, line: &[u8], connection: &Guarded) -> Delivery {
        let Some(link) = self.io.links.get_mut(&worker) else {
            return Delivery::Blocked;
        };
        connection.sending(worker, seq);
        let sent = link.channel.deal(line, connection.as_fd());
        if sent == Sent::Yes {
            connection.sent();
        } else {
            connection.back();
        }
        match sent {
            Sent::Yes => {
                if link.channel.wants_to_write() {
                    self.io.rewatch(worker);
                }
                Delivery::Sent
            }
            Sent::Full => {
                link.full = true;
                self.io.rewatch(worker);
                Delivery::Blocked
            }
            Sent::Later => {
                self.io.later.push((self.io.now + LATER, worker));
                Delivery::Blocked
            }
            // It stays blocked until its end is read.
            Sent::Gone => Delivery::Blocked,
            Sent::Never => Delivery::Unsendable,
        }
    }

    fn notice(&mut self, worker: u64, notice: Notice<'_>) {
        let event = match notice {
            Notice::Online => DispatchEvent::Online { worker },
            Notice::Listening { address, port } => DispatchEvent::Listening {
                worker,
                address,
                port,
            },
            Notice::NoListeners => DispatchEvent::NoListeners { worker },
            Notice::Leaving => DispatchEvent::Leaving { worker },
            Notice::User(json) => return self.io.user_message(worker, json),
            Notice::Agent(message) => return self.io.agent_message(worker, message),
            // Nobody here knows what it means; it is counted all the same.
            Notice::Internal(_) => {
                self.io.is_within_limits(worker);
                return;
            }
            Notice::LostBefore(lost) => return self.io.lost_before(worker, lost),
            Notice::Violation(violation) => {
                return self.io.violation(worker, &violation.to_string());
            }
        };
        (self.io.events)(event);
    }
}
