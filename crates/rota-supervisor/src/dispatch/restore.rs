//! Takes over from a dispatcher whose process has died.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rota_node::Primary;
use rota_node::primary::{ListenerId, Role, Saved, SockName, SocketId, Tuning};
use rustix::net::getpeername;

use super::io::AppHost;
use super::keep::{SocketEntry, socket_key, socket_number};
use super::shell::{App, Shell, random_seed};
use super::sockets::Socket;
use super::types::ChannelKind;
use crate::shadow::{Guarded, Ledger, Rescued};

/// What the keeper has handed back.
#[derive(Debug, Default)]
pub struct Restored {
    /// The entries `primary/<app>`: app and content.
    pub apps: Vec<(u32, Vec<u8>)>,
    /// The entries `listener/<n>`: key, content and socket.
    pub listeners: Vec<(String, Vec<u8>, OwnedFd)>,
    /// What workers may name in `listen({fd})`: app, number and socket, as in [`super::DispatchCommand::InheritFd`].
    pub inherited: Vec<(u32, i32, OwnedFd)>,
    /// The workers that have a channel, and only those.
    pub workers: Vec<RestoredWorker>,
    /// Where connections are entered that nobody else has yet.
    pub ledger: Ledger,
    /// Connections that the process before had, entered there.
    pub rescued: Vec<Rescued>,
    /// As after [`super::DispatchCommand::LeaveSockets`].
    pub leaves_sockets: bool,
}

/// A worker that was there before.
#[derive(Debug)]
pub struct RestoredWorker {
    /// As in [`super::DispatchCommand::AddWorker`].
    pub worker: u64,
    /// Its app.
    pub app: u32,
    /// Its slot.
    pub slot: u32,
    /// What its channel is for.
    pub kind: ChannelKind,
    /// What it has inherited, as there.
    pub inherits: Vec<i32>,
    /// Our end of its channel.
    pub channel: OwnedFd,
    /// Its process, by whose descriptors its open connections are counted.
    pub pid: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Adopted {
    /// What could not be taken over, for people.
    pub complaints: Vec<String>,
    /// The workers, in the order in which they were given.
    pub workers: Vec<RestoredFacts>,
}

/// What a worker had said before: events that the earlier process may have missed, or not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredFacts {
    /// The worker.
    pub worker: u64,
    /// Its process.
    pub pid: Option<u32>,
    /// Its app.
    pub app: u32,
    /// A server of its has listened: `Listening` was sent.
    pub listening: bool,
    /// It has sent the message `"ready"`.
    pub ready: bool,
    /// It leaves by its own decision, or said so when it was told to.
    pub leaving: bool,
    /// It has an agent.
    pub agent: bool,
}

/// Sockets that nobody has claimed yet, with their numbers.
type Unclaimed = HashMap<(u32, SocketId), (u64, SocketEntry, OwnedFd)>;

impl Shell {
    /// Puts everything back in its place. What is new or has changed by that is saved before this returns.
    pub(super) fn adopt(&mut self, restored: Restored) -> Adopted {
        let mut complaints = Vec::new();
        self.io.ledger = restored.ledger;
        self.io.leaves_sockets = restored.leaves_sockets;
        for (app, number, fd) in restored.inherited {
            self.io.sockets.inherit(app, number, fd);
        }
        let mut sockets = self.sort_sockets(restored.listeners, &mut complaints);
        for (app, blob) in restored.apps {
            match read_primary(&blob) {
                Ok(primary) => {
                    self.apps.insert(app, App::new(primary));
                    self.adopt_sockets(app, &mut sockets, &mut complaints);
                }
                Err(why) => complaints.push(format!(
                    "who listens where in app {app} cannot be taken over: {why}"
                )),
            }
        }
        self.end_unclaimed(sockets, &mut complaints);
        let workers = self.adopt_workers(restored.workers);
        self.forget_absent();
        for rescued in restored.rescued {
            self.adopt_connection(rescued);
        }
        let apps: Vec<u32> = self.apps.keys().copied().collect();
        for app in apps {
            self.settle(app);
        }
        Adopted {
            complaints,
            workers,
        }
    }

    fn sort_sockets(
        &mut self,
        listeners: Vec<(String, Vec<u8>, OwnedFd)>,
        complaints: &mut Vec<String>,
    ) -> Unclaimed {
        let mut sockets = Unclaimed::new();
        for (key, blob, fd) in listeners {
            let number = socket_number(&key).ok_or_else(|| "it has no number".to_owned());
            match number.and_then(|number| Ok((number, SocketEntry::read(&blob)?))) {
                Ok((number, entry)) => {
                    self.io.sockets.skip_to(number);
                    sockets.insert((entry.app, entry.socket()), (number, entry, fd));
                }
                Err(why) => {
                    complaints.push(format!("the socket {key} cannot be taken over: {why}"));
                    self.io.keep.drop_entry(&key);
                }
            }
        }
        sockets
    }

    /// Finds the sockets of an app's primary, or opens them again.
    fn adopt_sockets(&mut self, app: u32, sockets: &mut Unclaimed, complaints: &mut Vec<String>) {
        let Some(state) = self.apps.get_mut(&app) else {
            return;
        };
        let mut given_up: Vec<ListenerId> = Vec::new();
        for (id, key, bind, name) in state.primary.addresses() {
            if given_up.contains(&id.listener) {
                continue;
            }
            let found = sockets.remove(&(app, id));
            if let Some((number, entry, fd)) = found.filter(|(_, entry, _)| entry.key == key) {
                let socket = Socket::new(app, id, fd, entry.ours, entry.file);
                self.io.sockets.adopt(number, socket);
                // A process of an earlier version has not.
                self.io.keep.share(&socket_key(number));
                continue;
            }
            match self.io.sockets.open_again(app, id, &bind, &name) {
                Ok(number) => self.io.keep_socket(number, &key, &name.to_string()),
                Err(code) => {
                    let error = std::io::Error::from_raw_os_error(-code);
                    complaints.push(format!(
                        "the socket at {name} of app {app} is lost and cannot be opened again: {error}"
                    ));
                    let io = &mut self.io;
                    state.primary.give_up(id, &mut AppHost { io, app });
                    if id.slot.is_none() {
                        given_up.push(id.listener);
                    }
                }
            }
        }
    }

    /// Closes sockets of which no primary knows: their opening or closing was under way.
    fn end_unclaimed(&mut self, sockets: Unclaimed, complaints: &mut Vec<String>) {
        if self.io.leaves_sockets {
            // Its listener has ended with the daemon, and it is the next one's.
            return;
        }
        for ((app, id), (number, entry, fd)) in sockets {
            complaints.push(format!(
                "nobody knows of the socket at {} of app {app}: it is closed",
                entry.address
            ));
            Socket::new(app, id, fd, entry.ours, entry.file).end();
            self.io.keep.drop_entry(&socket_key(number));
        }
    }

    fn adopt_workers(&mut self, workers: Vec<RestoredWorker>) -> Vec<RestoredFacts> {
        let adopt_one = |given: RestoredWorker| {
            let (worker, app, pid) = (given.worker, given.app, given.pid);
            let role = Role::from(given.kind);
            self.add_worker(worker, app, given.slot, role, given.inherits, given.channel);
            let state = self.apps.get(&app);
            let view = state.and_then(|s| s.primary.workers().find(|w| w.worker == worker));
            RestoredFacts {
                worker,
                pid,
                app,
                listening: view.is_some_and(|w| w.listening),
                ready: view.is_some_and(|w| w.ready),
                leaving: view.is_some_and(|w| w.leaving),
                agent: view.is_some_and(|w| w.agent),
            }
        };
        workers.into_iter().map(adopt_one).collect()
    }

    /// Workers that have gone with the earlier process, or whose channel cannot be used.
    fn forget_absent(&mut self) {
        for (app, state) in &mut self.apps {
            let links = &self.io.links;
            let absent = state.primary.workers().map(|view| view.worker);
            let absent: Vec<u64> = absent.filter(|w| !links.contains_key(w)).collect();
            for worker in absent {
                let (now, io) = (self.io.now, &mut self.io);
                let mut host = AppHost { io, app: *app };
                state.primary.remove_worker(worker, now, &mut host);
            }
        }
    }
}

impl Shell {
    /// A connection that the process before had accepted, or was handing to a worker. Where nobody listens any more
    /// it is closed.
    fn adopt_connection(&mut self, rescued: Rescued) {
        let Rescued { entry, connection } = rescued;
        let (app, number, sent) = entry.parts();
        let Some(id) = self.socket_of(app, number, &connection) else {
            return;
        };
        let peer = getpeername(&connection).ok().flatten();
        let peer = peer.and_then(|peer| peer.try_into().ok());
        self.with_primary(app, |primary, host, now| match sent {
            None => primary.accepted(id, connection, peer, now, host),
            Some(sent) => primary.sent_before(id, (connection, peer), sent, now, host),
        });
    }

    /// The listening socket that a connection came through: by its number, or, where that is not known, by its address.
    fn socket_of(&mut self, app: u32, number: u64, connection: &Guarded) -> Option<SocketId> {
        if let Some(socket) = self.io.sockets.by_number(number) {
            return (socket.app == app).then_some(socket.id);
        }
        let addresses = self.apps.get(&app)?.primary.addresses();
        let mut addresses = addresses.into_iter();
        let here = |name: &SockName| super::examine::connection_of(connection, name).is_ok();
        addresses.find_map(|(id, _, _, name)| here(&name).then_some(id))
    }
}

impl From<ChannelKind> for Role {
    fn from(kind: ChannelKind) -> Self {
        match kind {
            ChannelKind::Cluster { balance } => Self::Cluster(balance),
            ChannelKind::Plain => Self::Plain,
        }
    }
}

/// The error is for people.
fn read_primary(blob: &[u8]) -> Result<Primary<Guarded>, String> {
    let saved = Saved::from_json(blob);
    let primary =
        saved.and_then(|saved| Primary::restore(&saved, random_seed(), Tuning::default(), 0));
    primary.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
