//! What goes into the dispatcher and what comes out of it.

use std::fmt;
use std::os::fd::OwnedFd;

use rota_node::Balance;
use rota_node::agent::{DrainOrder, DrainReport, FromAgent};
use rota_sys::fs_user::FsUser;

/// What a worker's channel is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// A cluster worker (`NODE_UNIQUE_ID` is set): its `listen()` calls reach us.
    Cluster {
        /// How this worker gets its connections.
        balance: Balance,
    },
    /// A Node process in fork mode: only the app's own messages.
    Plain,
}

/// An order to the dispatcher. Orders about a worker or app that is not (or no longer) known are
/// ignored, so that the sender need not know who was faster.
pub enum DispatchCommand {
    /// A process was started. Send it before the process can have written anything, or soon after.
    AddWorker {
        /// The incarnation: never reused, `NODE_UNIQUE_ID` of a cluster worker.
        worker: u64,
        /// The app that it belongs to. The app exists from its first worker to [`Self::RemoveApp`].
        app: u32,
        /// The place of the worker in its app.
        slot: u32,
        /// What the channel is for.
        kind: ChannelKind,
        /// What it has inherited as descriptors 3, 4, …: numbers of [`Self::InheritFd`].
        inherits: Vec<i32>,
        /// Our end of the socket pair. Closed by the dispatcher.
        channel: OwnedFd,
    },
    /// The app's workers run as this user: Unix sockets that they ask for are made and removed with the file
    /// system rights of it, not with ours. `None` takes it back. To be sent before the app's first worker.
    ActAs {
        /// The app.
        app: u32,
        /// The user.
        user: Option<FsUser>,
    },
    /// The worker gets no more connections. What it has been given stays with it.
    StopDealing {
        /// The worker.
        worker: u64,
    },
    /// Takes `StopDealing` back.
    ResumeDealing {
        /// The worker.
        worker: u64,
    },
    /// `StopDealing`, and Node's own polite end: the worker closes its servers, waits for their
    /// connections and closes the channel ([`DispatchEvent::ChannelClosed`] is "drained").
    Disconnect {
        /// The worker.
        worker: u64,
    },
    /// `StopDealing`, and word when the worker has finished: [`DispatchEvent::Drained`] as soon as it has
    /// no connection any more. One with an agent is told to it; of one without, that cannot be watched so, or
    /// whose connections stay, gets a `Disconnect`, whose end is [`DispatchEvent::ChannelClosed`].
    Drain {
        /// The worker.
        worker: u64,
        /// How.
        order: DrainOrder,
        /// It has not become ready. If it has never been given anything either, it has finished at once.
        starting: bool,
    },
    /// One message for the worker.
    SendMessage {
        /// The worker.
        worker: u64,
        /// One JSON value without a line break.
        json: String,
    },
    /// Close our end. A cluster worker that has not been disconnected exits at once.
    CloseChannel {
        /// The worker.
        worker: u64,
    },
    /// The process is gone: connections that it had not acknowledged go to others. Answered by
    /// [`DispatchEvent::Removed`], whether or not there was such a worker.
    RemoveWorker {
        /// The worker.
        worker: u64,
    },
    /// A descriptor that workers of the app may name in `listen({fd})`.
    InheritFd {
        /// The app.
        app: u32,
        /// Its number in the app.
        number: i32,
        /// The socket.
        fd: OwnedFd,
    },
    /// Workers may not name it any more; a listener on it is closed.
    ForgetFd {
        /// The app.
        app: u32,
        /// Its number in the app.
        number: i32,
    },
    /// A socket on which workers of the app's listen that a dead daemon has left behind: the app's own workers get it when
    /// they ask for its address. To be sent before the app's first worker.
    Recover {
        /// The app.
        app: u32,
        /// The socket.
        fd: OwnedFd,
    },
    /// Such sockets could not be had: the app's new ones are bound beside them, as far as the kernel lets them.
    BindBeside {
        /// The app.
        app: u32,
    },
    /// Closes our copies of such sockets that nobody has asked for.
    EndRecovery {
        /// The app.
        app: u32,
    },
    /// A socket that has been open since a daemon before, whose app is not known: whoever asks for its address gets it,
    /// and [`DispatchEvent::Claimed`] is said.
    Store {
        /// The key of its entry with the keeper.
        key: String,
        /// The socket.
        fd: OwnedFd,
    },
    /// Such a socket is somebody else's from now on.
    TakeStored {
        /// The key of its entry.
        key: String,
    },
    /// Those that are left listen no more, whoever has a copy.
    EndStored,
    /// The daemon ends: sockets that are closed from now on stay open in the copies that others have, and with the
    /// keeper, for the next daemon. Not those with a file.
    LeaveSockets,
    /// Answered by [`DispatchEvent::Alive`].
    Ping {
        /// To be repeated.
        number: u64,
    },
    /// Closes the app's listeners that no worker uses, if a worker shows that it serves without them. Send it when a
    /// rollout has ended: the new code may listen elsewhere.
    RetireIdleListeners {
        /// The app.
        app: u32,
    },
    /// Closes the app's listeners that no worker uses. Send it when the app has stopped.
    CloseIdleListeners {
        /// The app.
        app: u32,
    },
    /// Closes every listener of the app and forgets it.
    RemoveApp {
        /// The app.
        app: u32,
    },
    /// Asks for figures.
    Stats {
        /// Called on the dispatcher's thread: must not block.
        reply: Box<dyn FnOnce(Stats) + Send>,
    },
}

/// What happened at a worker's channel or a listener.
#[derive(Debug)]
pub enum DispatchEvent {
    /// The worker's JavaScript runs.
    Online {
        /// The worker.
        worker: u64,
    },
    /// A server of the worker listens: it is ready.
    Listening {
        /// The worker.
        worker: u64,
        /// Where, as text: `0.0.0.0:3000`, `[::]:3000` or a path.
        address: String,
        /// The port; 0 for a Unix socket.
        port: u16,
    },
    /// The worker closed its last server and still lives, without having been told to disconnect:
    /// probably it is about to leave. Its port stays open until it is known.
    NoListeners {
        /// The worker.
        worker: u64,
    },
    /// A message of the app's own (`process.send()`), as JSON text.
    UserMessage {
        /// The worker.
        worker: u64,
        /// One JSON value.
        json: String,
    },
    /// Something that the worker's agent said and that is not the dispatcher's own business.
    Agent {
        /// The worker.
        worker: u64,
        /// What it said.
        message: FromAgent,
    },
    /// The worker leaves by its own decision (`worker.disconnect()`, `worker.kill()`).
    Leaving {
        /// The worker.
        worker: u64,
    },
    /// After [`DispatchCommand::Drain`]: the worker has no connections, or its time is over. Its channel is
    /// open.
    Drained {
        /// The worker.
        worker: u64,
        /// What became of them, by its agent.
        report: Option<DrainReport>,
    },
    /// After [`DispatchCommand::Drain`]: the channel of a worker has ended before its agent had said what
    /// became of its connections. Followed by [`Self::ChannelClosed`] unless the worker was removed.
    Undrained {
        /// The worker.
        worker: u64,
        /// What it had.
        lost: Lost,
    },
    /// The channel has ended (drained, `process.disconnect()`, `CloseChannel`, or dead). Sent once
    /// per worker, and not after [`DispatchCommand::RemoveWorker`].
    ChannelClosed {
        /// The worker.
        worker: u64,
    },
    /// [`DispatchCommand::RemoveWorker`] is carried out: nothing more will be said of the worker.
    Removed {
        /// The worker.
        worker: u64,
    },
    /// Something that was under way to the worker when the process before this one died is lost. At most a few per
    /// second and worker.
    LostBefore {
        /// The worker.
        worker: u64,
        /// What, for people.
        what: String,
    },
    /// The worker broke the protocol or a limit. At most a few per second and worker.
    Violation {
        /// The worker.
        worker: u64,
        /// What it did, for people.
        what: String,
    },
    /// A stored socket is a listener's now.
    Claimed {
        /// The key of the entry as which it was stored.
        key: String,
    },
    /// The answer to [`DispatchCommand::Ping`].
    Alive {
        /// As in the question.
        number: u64,
    },
    /// The dispatcher itself had trouble (no descriptors left, accept failed), for the log.
    Trouble {
        /// What, for people.
        what: String,
    },
}

/// What a worker had that has not said what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Its app.
    pub app: u32,
    /// Its slot.
    pub slot: u32,
    /// Open connections, as far as known: at most so many are lost if the worker is dead. `None` where
    /// they are not counted (`shared`, `reuseport`, Unix sockets).
    pub open: Option<u64>,
}

/// Figures of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStats {
    /// The worker.
    pub worker: u64,
    /// Its app.
    pub app: u32,
    /// Its slot.
    pub slot: u32,
    /// Open connections as far as known (exact within about a second for TCP).
    pub open: u64,
    /// Handed over and not yet acknowledged.
    pub pending: u32,
    /// Connections that it has taken since it started.
    pub dealt: u64,
    /// Connections that it has not taken.
    pub refused: u64,
    /// Open connections that it has handed over to others.
    pub handed_over: u64,
    /// Of those that it has taken, the ones that others have handed over.
    pub taken_over: u64,
    /// Its agent has said that it is there.
    pub agent: bool,
    /// It may get connections at this moment, as far as orders and its behaviour go.
    pub dealing: bool,
    /// Lines, descriptors and acknowledgements that broke the protocol.
    pub violations: u64,
}

/// Figures of one listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerStats {
    /// Its number: its entry with the keeper is `listener/<number>`.
    pub listener: u64,
    /// Where, as text.
    pub address: String,
    /// How its connections are handed out now; `None` while no worker uses it.
    pub balance: Option<Balance>,
    /// UDP.
    pub udp: bool,
    /// The slot whose own socket it is.
    pub slot: Option<u32>,
    /// Workers that use it.
    pub workers: u32,
    /// Accepted and waiting for a worker.
    pub waiting: u32,
}

/// Figures of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStats {
    /// The app.
    pub app: u32,
    /// Its listeners.
    pub listeners: Vec<ListenerStats>,
}

/// Figures of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Per worker that has a channel, by id.
    pub workers: Vec<WorkerStats>,
    /// Per app, by id.
    pub apps: Vec<AppStats>,
}

impl fmt::Debug for DispatchCommand {
    // Messages and descriptors are left out: messages may hold the app's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddWorker {
                worker,
                app,
                slot,
                kind,
                ..
            } => write!(f, "AddWorker({worker}, app {app}, slot {slot}, {kind:?})"),
            Self::ActAs { app, user } => write!(f, "ActAs(app {app}, {user:?})"),
            Self::StopDealing { worker } => write!(f, "StopDealing({worker})"),
            Self::ResumeDealing { worker } => write!(f, "ResumeDealing({worker})"),
            Self::Disconnect { worker } => write!(f, "Disconnect({worker})"),
            Self::Drain { worker, .. } => write!(f, "Drain({worker})"),
            Self::SendMessage { worker, json } => {
                write!(f, "SendMessage({worker}, {} bytes)", json.len())
            }
            Self::CloseChannel { worker } => write!(f, "CloseChannel({worker})"),
            Self::RemoveWorker { worker } => write!(f, "RemoveWorker({worker})"),
            Self::InheritFd { app, number, .. } => write!(f, "InheritFd(app {app}, {number})"),
            Self::ForgetFd { app, number } => write!(f, "ForgetFd(app {app}, {number})"),
            Self::Recover { app, .. } => write!(f, "Recover(app {app})"),
            Self::BindBeside { app } => write!(f, "BindBeside({app})"),
            Self::EndRecovery { app } => write!(f, "EndRecovery({app})"),
            Self::Store { key, .. } => write!(f, "Store({key})"),
            Self::TakeStored { key } => write!(f, "TakeStored({key})"),
            Self::EndStored => f.write_str("EndStored"),
            Self::LeaveSockets => f.write_str("LeaveSockets"),
            Self::Ping { number } => write!(f, "Ping({number})"),
            Self::RetireIdleListeners { app } => write!(f, "RetireIdleListeners({app})"),
            Self::CloseIdleListeners { app } => write!(f, "CloseIdleListeners({app})"),
            Self::RemoveApp { app } => write!(f, "RemoveApp({app})"),
            Self::Stats { .. } => f.write_str("Stats"),
        }
    }
}
