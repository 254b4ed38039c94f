//! The line to the keeper: sends at once when it can, queues in order when it cannot.
//!
//! What belongs together is sent as one transaction ([`KeeperLink::hold`]): the keeper carries out all of it, or none
//! if the supervisor dies in the middle.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rota_keeper::client::KeeperClient;
use rota_keeper::protocol::{FromKeeper, GroupSpec, Mode, SpawnSpec, ToKeeper};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::attributes::ProcessAttributes;
use crate::dispatch::Keep;

/// A process to be created.
pub struct SpawnOrder {
    /// The worker that it will be.
    pub worker: u64,
    /// What is executed, an absolute path.
    pub program: OsString,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Descriptors and the numbers that it gets them under.
    pub fds: Vec<(OwnedFd, u32)>,
    /// Variables that hold its own process id.
    pub pid_env: Vec<OsString>,
    /// Who it is, and what it may use.
    pub attributes: ProcessAttributes,
    /// Its control group, from a keeper that knows them.
    pub group: Option<Box<GroupSpec>>,
}

/// The connection to the keeper.
pub struct KeeperLink {
    socket: AsyncFd<KeeperClient>,
    queue: RefCell<VecDeque<Packet>>,
    queued: Notify,
    /// A message from the queue is being sent: nothing may overtake it.
    sending: Cell<bool>,
    /// The transaction that is being put together.
    held: RefCell<Option<Vec<Request>>>,
    /// The version of the protocol that the keeper speaks; 0 before its first message.
    protocol: Cell<u32>,
}

/// A request with its descriptors.
type Request = (ToKeeper, Vec<OwnedFd>);

/// A message with its descriptors, and what it is to its transaction.
struct Packet {
    mode: Mode,
    message: ToKeeper,
    fds: Vec<OwnedFd>,
}

impl KeeperLink {
    /// Takes the descriptor over that the keeper left for its supervisor.
    ///
    /// # Errors
    /// When it is not a socket that can be waited for.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let client = KeeperClient::from_fd(fd)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; the client owns its descriptor and does not replace it"
        )]
        let socket = AsyncFd::with_interest(client, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            queue: RefCell::default(),
            queued: Notify::new(),
            sending: Cell::new(false),
            held: RefCell::default(),
            protocol: Cell::new(0),
        })
    }

    /// A second handle for another thread, whose messages are no part of any transaction.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn second(&self) -> io::Result<KeeperClient> {
        self.socket.get_ref().try_clone()
    }

    /// From now on messages are gathered. False: they are already, and somebody else will release them.
    pub fn hold(&self) -> bool {
        let mut held = self.held.borrow_mut();
        let begins = held.is_none();
        held.get_or_insert_default();
        begins
    }

    /// Sends what has been gathered, as one transaction.
    pub fn release(&self) {
        let held = self.held.borrow_mut().take().unwrap_or_default();
        let last = held.len().saturating_sub(1);
        for (number, (message, fds)) in held.into_iter().enumerate() {
            let mode = match number {
                0 if last == 0 => Mode::Single,
                number if number == last => Mode::Last,
                _ => Mode::Held,
            };
            self.transmit(Packet { mode, message, fds });
        }
    }

    /// The next message; `None` when the keeper is gone.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn recv(&self) -> io::Result<Option<(FromKeeper, Vec<OwnedFd>)>> {
        let received = self
            .socket
            .async_io(Interest::READABLE, KeeperClient::try_recv)
            .await?;
        if let Some((FromKeeper::Hello(hello), _)) = &received {
            self.protocol.set(hello.protocol);
        }
        Ok(received)
    }

    /// The version of the protocol that the keeper speaks, once it has said so.
    pub fn protocol(&self) -> u32 {
        self.protocol.get()
    }

    /// Sends what had to wait. Runs as a task for the life of the supervisor.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub async fn flush(&self) -> io::Result<()> {
        loop {
            self.queued.notified().await;
            loop {
                let next = self.queue.borrow_mut().pop_front();
                let Some(packet) = next else { break };
                self.sending.set(true);
                let sent = self
                    .socket
                    .async_io(Interest::WRITABLE, |client| packet.send(client))
                    .await;
                self.sending.set(false);
                sent?;
            }
        }
    }

    /// Orders a process.
    pub fn spawn(&self, order: SpawnOrder) {
        let (fds, numbers): (Vec<_>, Vec<_>) = order.fds.into_iter().unzip();
        let mut spec = SpawnSpec {
            program: order.program,
            args: order.args,
            env: order.env.into_iter().collect(),
            cwd: Some(order.cwd.into_os_string()),
            targets: numbers,
            new_session: true,
            pid_env: order.pid_env,
            group: order.group,
            ..SpawnSpec::default()
        };
        order.attributes.put_into(&mut spec);
        self.send(
            ToKeeper::Spawn {
                request: order.worker,
                child: order.worker,
                spec,
            },
            fds,
        );
    }

    /// Signals a worker's process group.
    pub fn signal_group(&self, worker: u64, signal: i32) {
        self.signal(worker, signal, true);
    }

    /// Signals a worker's main process alone.
    pub fn signal_process(&self, worker: u64, signal: i32) {
        self.signal(worker, signal, false);
    }

    fn signal(&self, child: u64, signal: i32, group: bool) {
        let message = ToKeeper::Signal {
            child,
            signal,
            group,
        };
        self.send(message, Vec::new());
    }

    /// Leaves an entry with the keeper, replacing one of that key.
    pub fn put(&self, key: &str, blob: Vec<u8>, fds: Vec<OwnedFd>) {
        let key = key.to_owned();
        self.send(ToKeeper::Put { key, blob }, fds);
    }

    /// Takes an entry back.
    pub fn drop_entry(&self, key: &str) {
        let key = key.to_owned();
        self.send(ToKeeper::Drop { key }, Vec::new());
    }

    /// The worker's main process is another one from now on.
    pub fn main_pid(&self, child: u64, pid: u32) {
        self.send(ToKeeper::MainPid { child, pid }, Vec::new());
    }

    /// The end of that worker has been dealt with.
    pub fn forget(&self, child: u64) {
        self.send(ToKeeper::Forget { child }, Vec::new());
    }

    /// The daemon ends; the keeper exits with this code when the supervisor has.
    pub fn exit(&self, code: u8) {
        let code = i32::from(code);
        self.send(ToKeeper::Exit { code }, Vec::new());
    }

    /// Changes an entry's blob; its descriptors stay.
    pub fn put_blob(&self, key: &str, blob: Vec<u8>) {
        let key = key.to_owned();
        self.send(ToKeeper::PutBlob { key, blob }, Vec::new());
    }

    /// The keeper is to become this program.
    pub fn upgrade(&self, program: OsString) {
        self.send(ToKeeper::Upgrade { program }, Vec::new());
    }

    /// What the keeper is to tell its own manager.
    pub fn notify(&self, text: String) {
        self.send(ToKeeper::Notify { text }, Vec::new());
    }

    /// What the entry holds outlives the keeper as well, if who has started that keeps it.
    pub fn share(&self, key: &str) {
        let key = key.to_owned();
        self.send(ToKeeper::Share { key }, Vec::new());
    }

    /// The answer to the keeper's question.
    pub fn alive(&self, number: u64) {
        self.send(ToKeeper::Alive { number }, Vec::new());
    }

    /// Everything that an earlier supervisor left is in our hands.
    pub fn up(&self) {
        self.send(ToKeeper::Up, Vec::new());
    }

    fn send(&self, message: ToKeeper, fds: Vec<OwnedFd>) {
        if let Some(held) = self.held.borrow_mut().as_mut() {
            return held.push((message, fds));
        }
        let mode = Mode::Single;
        self.transmit(Packet { mode, message, fds });
    }

    fn transmit(&self, packet: Packet) {
        if self.queue.borrow().is_empty() && !self.sending.get() {
            match packet.send(self.socket.get_ref()) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    // The keeper is gone: the receiving side ends the supervisor. A message that is
                    // too large was made by us, from a specification that no exec would take.
                    crate::output::tell(&format!("rota: cannot send to the keeper: {error}"));
                    return;
                }
            }
        }
        self.queue.borrow_mut().push_back(packet);
        self.queued.notify_one();
    }
}

impl Packet {
    fn send(&self, client: &KeeperClient) -> io::Result<()> {
        let fds: Vec<_> = self.fds.iter().map(OwnedFd::as_fd).collect();
        client.send_as(self.mode, &self.message, &fds)
    }
}

/// The dispatcher's own way to the keeper: what it tells is no part of any transaction, and is told at once.
pub struct DispatchKeep {
    client: KeeperClient,
}

impl DispatchKeep {
    /// By way of a second handle.
    pub fn new(client: KeeperClient) -> Self {
        Self { client }
    }

    /// Waits for room if there is none: what is told next depends on it.
    fn send(&self, message: &ToKeeper, fds: &[OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
        loop {
            match self.client.send(message, &fds) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut writable = [PollFd::new(&self.client, PollFlags::OUT)];
                    // Interrupted, or out of memory: it is tried again.
                    let _ = poll(&mut writable, None);
                }
                // The keeper is gone, and this process with it in a moment.
                Ok(()) | Err(_) => return,
            }
        }
    }
}

impl Keep for DispatchKeep {
    fn put(&mut self, key: &str, blob: Vec<u8>, fds: Option<Vec<OwnedFd>>) {
        let key = key.to_owned();
        self.send(&ToKeeper::Put { key, blob }, &fds.unwrap_or_default());
    }

    fn drop_entry(&mut self, key: &str) {
        let key = key.to_owned();
        self.send(&ToKeeper::Drop { key }, &[]);
    }

    fn share(&mut self, key: &str) {
        let key = key.to_owned();
        self.send(&ToKeeper::Share { key }, &[]);
    }
}
