//! Spawning, descriptor passing, signals and process groups: every unsafe block of rota, behind safe types.
//!
//! Linux only. Where `rustix` has the call, it is used or the caller uses it directly; what is here adds
//! something to it: a rule (close-on-exec, bounds), a type, or a call that `rustix` does not have.

pub mod accounts;
pub mod cgroup;
pub mod cpus;
pub mod exec;
pub mod fds;
pub mod fs_user;
pub mod heir;
pub mod limits;
pub mod lock;
pub mod memfd;
pub mod net;
pub mod oom;
pub mod process;
pub mod procfs;
pub mod sched;
pub mod scm;
pub mod shared;
pub mod signal;
pub mod sock_diag;
pub mod spawn;
pub mod waits;
