//! The line to the keeper: sends at once when it can, queues in order when it cannot.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rota_keeper::client::KeeperClient;
use rota_keeper::protocol::{FromKeeper, SpawnSpec, ToKeeper};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

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
}

/// The connection to the keeper.
pub struct KeeperLink {
    socket: AsyncFd<KeeperClient>,
    queue: RefCell<VecDeque<(ToKeeper, Vec<OwnedFd>)>>,
    queued: Notify,
    /// A message from the queue is being sent: nothing may overtake it.
    sending: Cell<bool>,
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
        })
    }

    /// The next message; `None` when the keeper is gone.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn recv(&self) -> io::Result<Option<(FromKeeper, Vec<OwnedFd>)>> {
        self.socket
            .async_io(Interest::READABLE, KeeperClient::try_recv)
            .await
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
                let Some((message, fds)) = next else { break };
                let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
                self.sending.set(true);
                let sent = self
                    .socket
                    .async_io(Interest::WRITABLE, |client| client.send(&message, &fds))
                    .await;
                self.sending.set(false);
                sent?;
            }
        }
    }

    /// Orders a process.
    pub fn spawn(&self, order: SpawnOrder) {
        let (fds, numbers): (Vec<_>, Vec<_>) = order.fds.into_iter().unzip();
        let spec = SpawnSpec {
            program: order.program,
            args: order.args,
            env: order.env.into_iter().collect(),
            cwd: Some(order.cwd.into_os_string()),
            targets: numbers,
            new_session: true,
            pid_env: order.pid_env,
            ..SpawnSpec::default()
        };
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

    fn send(&self, message: ToKeeper, fds: Vec<OwnedFd>) {
        if self.queue.borrow().is_empty() && !self.sending.get() {
            let borrowed: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
            match self.socket.get_ref().send(&message, &borrowed) {
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
        self.queue.borrow_mut().push_back((message, fds));
        self.queued.notify_one();
    }
}
