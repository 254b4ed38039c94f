//! What of a primary outlives its process, as data.
//!
//! Connections are not among it: those that were under way are closed with the process, or with their
//! worker. The form is versioned, because another version of the program may read it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::types::{Bind, ListenerId, Role, SockName};
use crate::balance::Balance;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Longer data of a worker is not kept: it could fill the memory of whoever keeps it, and everything else
/// works without it. TLS ticket keys are far shorter.
const MAX_DATA: usize = 8 * 1024;

/// A primary's state without connections: see [`super::Primary::save`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub(super) version: u32,
    /// No number from here on has been used for a message.
    pub(super) seq: u64,
    pub(super) next_listener: u32,
    pub(super) listeners: Vec<SavedListener>,
    pub(super) workers: Vec<SavedWorker>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedListener {
    pub(super) id: u32,
    pub(super) key: String,
    pub(super) bind: SavedBind,
    pub(super) name: SavedName,
    pub(super) data: Option<String>,
    pub(super) first_slot: Option<u32>,
    pub(super) slots: Vec<u32>,
    pub(super) users: Vec<SavedUser>,
    /// There is no user, and that worker was the last one.
    pub(super) closed_by: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedUser {
    pub(super) worker: u64,
    #[serde(with = "by_name")]
    pub(super) balance: Balance,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedWorker {
    pub(super) id: u64,
    pub(super) slot: u32,
    pub(super) role: SavedRole,
    pub(super) dealing: bool,
    pub(super) told_to_leave: bool,
    pub(super) leaving: bool,
    pub(super) draining: bool,
    pub(super) agent: bool,
    pub(super) listening: bool,
    pub(super) ready: bool,
    /// It has asked, and its agent has not said for which server.
    pub(super) asked: bool,
    /// What it got.
    pub(super) asked_for: Option<u32>,
    pub(super) servers: BTreeMap<u32, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedRole {
    Cluster(#[serde(with = "by_name")] Balance),
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedName {
    Ip(SocketAddr),
    Path(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedBind {
    Tcp {
        address: Option<String>,
        port: u16,
        ipv6_only: bool,
        backlog: i32,
    },
    Unix {
        path: String,
        backlog: i32,
        readable_all: bool,
        writable_all: bool,
    },
    Udp {
        address: Option<String>,
        port: u16,
        v6: bool,
        ipv6_only: bool,
        reuse_address: bool,
    },
    Inherited {
        number: i32,
        backlog: i32,
        udp: bool,
    },
    Sibling {
        of: u32,
        backlog: i32,
    },
}

/// Why nothing can be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is damaged, or of another kind.
    #[error("the saved state cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Another version of the program has written it.
    #[error("the saved state has version {0}, this program knows {VERSION}")]
    Version(u32),
    /// It contradicts itself.
    #[error("the saved state makes no sense: {0}")]
    Senseless(&'static str),
}

impl Saved {
    pub(super) fn new(
        seq: u64,
        next_listener: u32,
        listeners: Vec<SavedListener>,
        workers: Vec<SavedWorker>,
    ) -> Self {
        Self {
            version: VERSION,
            seq,
            next_listener,
            listeners,
            workers,
        }
    }

    /// Reads what [`Self::to_json`] has written.
    ///
    /// # Errors
    /// When it is damaged, or another version has written it.
    pub fn from_json(json: &[u8]) -> Result<Self, RestoreError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let head: Head = serde_json::from_slice(json)?;
        if head.version != VERSION {
            return Err(RestoreError::Version(head.version));
        }
        Ok(serde_json::from_slice(json)?)
    }

    /// The form in which it is kept.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Plain data with text as keys, written to memory: cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What is kept of a worker's data for others.
pub(super) fn data(data: &serde_json::value::RawValue) -> Option<String> {
    (data.get().len() <= MAX_DATA).then(|| data.get().to_owned())
}

impl From<Role> for SavedRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Cluster(balance) => Self::Cluster(balance),
            Role::Plain => Self::Plain,
        }
    }
}

impl From<&SavedRole> for Role {
    fn from(role: &SavedRole) -> Self {
        match role {
            SavedRole::Cluster(balance) => Self::Cluster(*balance),
            SavedRole::Plain => Self::Plain,
        }
    }
}

impl From<&SockName> for SavedName {
    fn from(name: &SockName) -> Self {
        match name {
            SockName::Ip(address) => Self::Ip(*address),
            // Paths come from JSON. Only that of an inherited socket may be no text, and it is only shown.
            SockName::Path(path) => Self::Path(path.to_string_lossy().into_owned()),
        }
    }
}

impl From<&SavedName> for SockName {
    fn from(name: &SavedName) -> Self {
        match name {
            SavedName::Ip(address) => Self::Ip(*address),
            SavedName::Path(path) => Self::Path(PathBuf::from(path)),
        }
    }
}

impl From<&Bind> for SavedBind {
    fn from(bind: &Bind) -> Self {
        match bind.clone() {
            Bind::Tcp {
                address,
                port,
                ipv6_only,
                backlog,
            } => Self::Tcp {
                address,
                port,
                ipv6_only,
                backlog,
            },
            Bind::Unix {
                path,
                backlog,
                readable_all,
                writable_all,
            } => Self::Unix {
                path: path.to_string_lossy().into_owned(),
                backlog,
                readable_all,
                writable_all,
            },
            Bind::Udp {
                address,
                port,
                v6,
                ipv6_only,
                reuse_address,
            } => Self::Udp {
                address,
                port,
                v6,
                ipv6_only,
                reuse_address,
            },
            Bind::Inherited {
                number,
                backlog,
                udp,
            } => Self::Inherited {
                number,
                backlog,
                udp,
            },
            Bind::Sibling { of, backlog } => Self::Sibling { of: of.0, backlog },
        }
    }
}

impl From<&SavedBind> for Bind {
    fn from(bind: &SavedBind) -> Self {
        match bind.clone() {
            SavedBind::Tcp {
                address,
                port,
                ipv6_only,
                backlog,
            } => Self::Tcp {
                address,
                port,
                ipv6_only,
                backlog,
            },
            SavedBind::Unix {
                path,
                backlog,
                readable_all,
                writable_all,
            } => Self::Unix {
                path: PathBuf::from(path),
                backlog,
                readable_all,
                writable_all,
            },
            SavedBind::Udp {
                address,
                port,
                v6,
                ipv6_only,
                reuse_address,
            } => Self::Udp {
                address,
                port,
                v6,
                ipv6_only,
                reuse_address,
            },
            SavedBind::Inherited {
                number,
                backlog,
                udp,
            } => Self::Inherited {
                number,
                backlog,
                udp,
            },
            SavedBind::Sibling { of, backlog } => Self::Sibling {
                of: ListenerId(of),
                backlog,
            },
        }
    }
}

/// Balance modes under the names that they have in configuration.
mod by_name {
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    use crate::balance::Balance;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(balance: &Balance, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(balance.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Balance, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}
