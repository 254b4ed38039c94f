//! What of the dispatcher outlives its process, and with whom it is left.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rota_node::primary::{ListenerId, SocketId};
use serde::{Deserialize, Serialize};

use super::bind::duplicate;
use super::io::Io;
use super::shell::Shell;
use super::sockets::Socket;
use super::types::DispatchEvent;

/// Keeps entries for the next process. Called on the dispatcher's thread, and by [`super::Dispatcher::start`] on
/// that of its caller.
///
/// What has been given to it must outlive this process from the moment at which the method returns, in the order
/// of the calls: the dispatcher acts on that.
pub trait Keep: Send {
    /// Keeps an entry, instead of one with the same key. `None`: it has no descriptors.
    fn put(&mut self, key: &str, blob: Vec<u8>, fds: Option<Vec<OwnedFd>>);

    /// Forgets an entry, and closes its descriptors.
    fn drop_entry(&mut self, key: &str);

    /// What the entry holds is to outlive the keeper, too, where somebody keeps it for that.
    fn share(&mut self, _key: &str) {}
}

/// The version of [`SocketEntry`] that is written, and the only one that is read.
const VERSION: u32 = 1;

/// What is kept beside a listening or UDP socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketEntry {
    version: u32,
    pub(super) app: u32,
    /// The listener's number in its primary.
    id: u32,
    /// The slot whose own socket it is (`reuseport`).
    slot: Option<u32>,
    /// Node's key of the listener (address, port, type, fd, index).
    pub(super) key: String,
    /// Where, for people.
    pub(super) address: String,
    /// Nobody else has it: it is to stop listening when it is closed.
    pub(super) ours: bool,
    /// The file of a Unix socket, to be removed when it is closed.
    pub(super) file: Option<SocketFile>,
}

/// A Unix socket's file, as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SocketFile {
    pub(super) path: String,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl SocketFile {
    pub(super) fn new(path: &Path, (device, inode): (u64, u64)) -> Option<Self> {
        let path = path.to_str()?.to_owned();
        Some(Self {
            path,
            device,
            inode,
        })
    }

    pub(super) fn parts(self) -> (PathBuf, (u64, u64)) {
        (PathBuf::from(self.path), (self.device, self.inode))
    }
}

impl SocketEntry {
    /// Reads an entry; the error is for people.
    pub(super) fn read(blob: &[u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(blob).map_err(|error| error.to_string())?;
        if entry.version == VERSION {
            Ok(entry)
        } else {
            Err(format!("its version is {}", entry.version))
        }
    }

    pub(super) fn socket(&self) -> SocketId {
        SocketId {
            listener: ListenerId(self.id),
            slot: self.slot,
        }
    }
}

/// An entry that is read and written again, if it can be read.
#[cfg(fuzzing)]
#[must_use]
pub fn written_again(blob: &[u8]) -> Option<serde_json::Value> {
    let entry = SocketEntry::read(blob).ok()?;
    let _ = entry.socket();
    serde_json::to_value(entry).ok()
}

/// The key of an app's primary.
pub(super) fn primary_key(app: u32) -> String {
    format!("primary/{app}")
}

/// The key of a socket.
pub(super) fn socket_key(number: u64) -> String {
    format!("listener/{number}")
}

/// The number in a key that [`socket_key`] has made.
pub(super) fn socket_number(key: &str) -> Option<u64> {
    key.strip_prefix("listener/")?.parse().ok()
}

impl Io {
    /// Leaves a duplicate of a socket with the keeper, so that the port stays open beyond our life.
    pub(super) fn keep_socket(&mut self, number: u64, key: &str, address: &str) {
        let Some(socket) = self.sockets.by_number(number) else {
            return;
        };
        match duplicate(&socket.fd) {
            Ok(fd) => {
                let blob = entry_of(socket, key, address);
                self.keep.put(&socket_key(number), blob, Some(vec![fd]));
                self.keep.share(&socket_key(number));
            }
            Err(error) => (self.events)(DispatchEvent::Trouble {
                what: format!("the socket at {address} cannot be kept safe: {error}"),
            }),
        }
        // Now that it lies there as a listener's.
        for key in self.sockets.recovered.claimed() {
            (self.events)(DispatchEvent::Claimed { key });
        }
    }
}

fn entry_of(socket: &Socket, key: &str, address: &str) -> Vec<u8> {
    let entry = SocketEntry {
        version: VERSION,
        app: socket.app,
        id: socket.id.listener.0,
        slot: socket.id.slot,
        key: key.to_owned(),
        address: address.to_owned(),
        ours: socket.stop_on_close,
        file: socket.file(),
    };
    // Plain data to memory: cannot fail.
    serde_json::to_vec(&entry).unwrap_or_default()
}

impl Shell {
    /// Leaves the state of an app's primary with the keeper if it has changed.
    pub(super) fn save(&mut self, app: u32) {
        let Some(state) = self.apps.get_mut(&app) else {
            return;
        };
        let structure = state.primary.structure();
        if state.saved != structure {
            state.saved = structure;
            let blob = state.primary.save().to_json();
            self.io.keep.put(&primary_key(app), blob, None);
        }
    }

    /// Saves what has changed without words to or from a worker.
    pub(super) fn save_all(&mut self) {
        let changed = self.apps.iter();
        let changed = changed.filter(|(_, state)| state.saved != state.primary.structure());
        let changed: Vec<u32> = changed.map(|(app, _)| *app).collect();
        for app in changed {
            self.save(app);
        }
    }
}
