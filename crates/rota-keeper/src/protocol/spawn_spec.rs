//! What to spawn.

use std::ffi::OsString;
use std::fmt;

use minicbor::{Decode, Encode};

use super::{Attributes, GroupSpec, os};

/// Everything the keeper needs to start a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SpawnSpec {
    /// The program: a path, or a name without a slash that is looked up on `PATH` of `env`.
    #[cbor(n(0), with = "os::one")]
    pub program: OsString,
    /// Its arguments, without the program's own name.
    #[cbor(n(1), with = "os::list")]
    pub args: Vec<OsString>,
    /// What the program sees as its own name; `program` when absent.
    #[cbor(n(2), with = "os::option")]
    pub argv0: Option<OsString>,
    /// The whole environment; nothing is inherited. The keeper adds `ROTA_WORKER`.
    #[n(3)]
    pub env: Env,
    /// The working directory; the keeper's own when absent.
    #[cbor(n(4), with = "os::option")]
    pub cwd: Option<OsString>,
    /// For each descriptor of the message, in order, the number under which the process finds it.
    /// Descriptor 0 is `/dev/null` when not named here, 1 and 2 are the keeper's own.
    #[n(5)]
    pub targets: Vec<u32>,
    /// A session of its own (`setsid`), not only a process group of its own.
    #[n(6)]
    pub new_session: bool,
    /// Names of environment variables whose value shall be the process's own pid (`LISTEN_PID`).
    #[cbor(n(7), with = "os::list")]
    pub pid_env: Vec<OsString>,
    /// The file mode creation mask; the keeper's own when absent.
    #[n(8)]
    pub umask: Option<u32>,
    /// Added to the scheduling priority (positive: nicer); unchanged when absent.
    #[n(9)]
    pub nice: Option<i32>,
    /// Who it is, and what it may use; the same as the keeper when absent.
    #[n(10)]
    pub attributes: Option<Box<Attributes>>,
    /// A control group of its own, if the keeper can make one. Without limits it is no error if it cannot. Ordered only
    /// from a keeper that has told its [`super::GroupsNote`]: an older one would leave the limits out.
    #[n(11)]
    pub group: Option<Box<GroupSpec>>,
}

/// An environment. Its values may be secrets, so `Debug` shows only how many there are.
#[derive(Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Env(#[cbor(n(0), with = "os::pairs")] pub Vec<(OsString, OsString)>);

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

impl FromIterator<(OsString, OsString)> for Env {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}
