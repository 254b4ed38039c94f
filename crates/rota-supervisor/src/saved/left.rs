//! Everything that the keeper hands back to a new supervisor, sorted.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rota_engine::{RestoredApp, SavedShared};
use rota_keeper::protocol::{ExitInfo, FromKeeper, Hello};

use super::{DAEMON_KEY, OPERATIONS_KEY, SHARED_KEY, SavedApp, SavedDaemon, SavedWorker};
use crate::operations::{self, SavedOperations};

/// A process that the keeper has.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The worker that it is.
    pub(crate) worker: u64,
    /// Its process.
    pub(crate) pid: u32,
    /// Its end, if it has come to that.
    pub(crate) exited: Option<ExitInfo>,
    /// The directory of its control group.
    pub(crate) group: Option<String>,
}

/// What an earlier supervisor has left. Empty at the first start.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Who the keeper is.
    pub(crate) hello: Option<Hello>,
    /// The API's listening socket.
    pub(crate) api: Option<OwnedFd>,
    /// The start request of `rota run`.
    pub(crate) boot: Option<Vec<u8>>,
    /// The socket of `--health`.
    pub(crate) health: Option<OwnedFd>,
    /// The apps with their sockets of `--listen`.
    pub(crate) apps: Vec<(SavedApp, Vec<OwnedFd>)>,
    /// The engine's state of each app.
    pub(crate) engine: Vec<RestoredApp>,
    /// The engine's state of what they share.
    pub(crate) shared: Option<SavedShared>,
    /// Commands under way.
    pub(crate) operations: Option<SavedOperations>,
    /// Counters.
    pub(crate) daemon: SavedDaemon,
    /// Workers with their descriptors: both outputs, then the notify socket, then the writing end of its standard input.
    pub(crate) workers: BTreeMap<u64, (SavedWorker, Vec<OwnedFd>)>,
    /// Our ends of their channels.
    pub(crate) channels: BTreeMap<u64, OwnedFd>,
    /// Listening sockets by their numbers.
    pub(crate) listeners: Vec<(String, Vec<u8>, OwnedFd)>,
    /// The dispatcher's state of each app.
    pub(crate) primaries: Vec<(u32, Vec<u8>)>,
    /// Sockets that the manager of the service has kept, by the keys of their entries.
    pub(crate) stored: Vec<(String, OwnedFd)>,
    /// Lines to the shadows of earlier supervisors, by the number of their lives.
    pub(crate) shadows: BTreeMap<u32, OwnedFd>,
    /// Processes.
    pub(crate) children: Vec<Child>,
    /// How many entries there were.
    pub(crate) entries: usize,
    /// The bytes of their blobs.
    pub(crate) bytes: usize,
    /// Entries that were not understood, and why.
    pub(crate) complaints: Vec<String>,
}

impl Left {
    /// Takes one message. True: that was the last one.
    pub(crate) fn take(&mut self, message: FromKeeper, fds: Vec<OwnedFd>) -> bool {
        match message {
            FromKeeper::Hello(hello) => self.hello = Some(hello),
            FromKeeper::Entry { key, blob } => {
                self.entries += 1;
                self.bytes += blob.len();
                if let Err(why) = self.entry(&key, blob, fds) {
                    let complaint = format!("the entry {key} cannot be taken over: {why}");
                    self.complaints.push(complaint);
                }
            }
            FromKeeper::Child {
                child,
                pid,
                exited,
                group,
            } => self.children.push(Child {
                worker: child,
                pid,
                exited,
                group,
            }),
            FromKeeper::Exited { child, exit, .. } => {
                let children = self.children.iter_mut();
                for known in children.filter(|known| known.worker == child) {
                    known.exited = Some(exit);
                }
            }
            FromKeeper::Restored => return true,
            _ => {}
        }
        false
    }

    fn entry(&mut self, key: &str, blob: Vec<u8>, mut fds: Vec<OwnedFd>) -> Result<(), String> {
        let (kind, number) = key.split_once('/').unwrap_or((key, ""));
        match (kind, number) {
            ("api", "") => self.api = fds.pop(),
            ("health", "") => self.health = fds.pop(),
            ("boot", "") => self.boot = Some(blob),
            (DAEMON_KEY, "") => self.daemon = super::read(&blob)?,
            (SHARED_KEY, "") => self.shared = Some(super::read(&blob)?),
            (OPERATIONS_KEY, "") => self.operations = Some(operations::read(&blob)?),
            ("app", _) => self.apps.push((SavedApp::read(&blob)?, fds)),
            ("engine", _) => self.engine.push(super::read(&blob)?),
            ("worker", number) => {
                let worker = parse(number)?;
                self.workers
                    .insert(worker, (SavedWorker::read(&blob)?, fds));
            }
            ("channel", number) => {
                let channel = fds.pop().ok_or("its descriptor is missing")?;
                self.channels.insert(parse(number)?, channel);
            }
            ("listener", _) => {
                let socket = fds.pop().ok_or("its descriptor is missing")?;
                self.listeners.push((key.to_owned(), blob, socket));
            }
            ("shadow", number) => {
                let line = fds.pop().ok_or("its descriptor is missing")?;
                self.shadows.insert(parse(number)?, line);
            }
            ("stored", _) => {
                let socket = fds.pop().ok_or("its descriptor is missing")?;
                self.stored.push((key.to_owned(), socket));
            }
            ("primary", number) => self.primaries.push((parse(number)?, blob)),
            _ => return Err("it is of a kind that this rota does not know".to_owned()),
        }
        Ok(())
    }
}

fn parse<T: std::str::FromStr>(number: &str) -> Result<T, String> {
    number
        .parse()
        .map_err(|_| "its key has no number".to_owned())
}
