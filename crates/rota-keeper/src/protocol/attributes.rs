//! Who a process is, and what it may use.

use minicbor::{Decode, Encode};

/// The identity and the limits of a process. Everything that is absent stays as it is in the keeper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Attributes {
    /// Another user. Only a keeper that is root can do that.
    #[n(0)]
    pub identity: Option<Identity>,
    /// Resource limits, set in this order.
    #[n(1)]
    #[cbor(default)]
    pub rlimits: Vec<Rlimit>,
    /// How gladly the kernel kills it when memory is short: -1000 (never) to 1000 (first).
    #[n(2)]
    pub oom_score_adj: Option<i32>,
    /// Neither it nor what it starts can gain privileges by `execve`.
    #[n(3)]
    #[cbor(default)]
    pub no_new_privs: bool,
}

/// A user, its group, and all of its other groups.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// The user id.
    #[n(0)]
    pub uid: u32,
    /// The group id.
    #[n(1)]
    pub gid: u32,
    /// The supplementary groups, instead of all that the keeper has.
    #[n(2)]
    pub groups: Vec<u32>,
}

/// A limit of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rlimit {
    /// The kernel's number (`RLIMIT_NOFILE`).
    #[n(0)]
    pub resource: u32,
    /// What holds; `u64::MAX` is unlimited.
    #[n(1)]
    pub soft: u64,
    /// What the process may raise it to; `u64::MAX` is unlimited.
    #[n(2)]
    pub hard: u64,
}

impl Attributes {
    /// As [`rota_sys::spawn`] takes them.
    pub(crate) fn to_sys(&self) -> rota_sys::spawn::Attributes {
        let identity = self.identity.as_ref();
        let rlimit = |limit: &Rlimit| rota_sys::spawn::Rlimit {
            resource: limit.resource,
            soft: limit.soft,
            hard: limit.hard,
        };
        rota_sys::spawn::Attributes {
            identity: identity.map(|identity| rota_sys::spawn::Identity {
                uid: identity.uid,
                gid: identity.gid,
                groups: identity.groups.clone(),
            }),
            rlimits: self.rlimits.iter().map(rlimit).collect(),
            oom_score_adj: self.oom_score_adj,
            no_new_privs: self.no_new_privs,
        }
    }
}
