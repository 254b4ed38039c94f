//! Who a process is, and what it may use.

/// The identity and the limits of a process. Everything that is absent stays as it is in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Another user.
    pub identity: Option<Identity>,
    /// Resource limits, set in this order.
    pub rlimits: Vec<Rlimit>,
    /// How gladly the kernel kills it when memory is short: -1000 (never) to 1000 (first).
    pub oom_score_adj: Option<i32>,
    /// Neither it nor what it starts can gain privileges by `execve` (setuid programs, file capabilities).
    pub no_new_privs: bool,
}

/// A user, its group, and all of its other groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Real, effective and saved user id.
    pub uid: u32,
    /// Real, effective and saved group id.
    pub gid: u32,
    /// The supplementary groups, instead of all that this process has.
    pub groups: Vec<u32>,
}

/// A limit of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// The kernel's number (`RLIMIT_NOFILE`).
    pub resource: u32,
    /// What holds; `u64::MAX` is unlimited.
    pub soft: u64,
    /// What the process itself may raise it to; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// The number of the limit of open files.
#[allow(
    clippy::unnecessary_cast,
    reason = "the C libraries differ in its type"
)]
pub const RLIMIT_NOFILE: u32 = libc::RLIMIT_NOFILE as u32;

/// The kernel's number of a limit, by its name in small letters (`nofile`).
#[must_use]
#[allow(
    clippy::unnecessary_cast,
    reason = "the C libraries differ in its type"
)]
pub fn rlimit_number(name: &str) -> Option<u32> {
    let number = match name {
        "as" => libc::RLIMIT_AS,
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "msgqueue" => libc::RLIMIT_MSGQUEUE,
        "nice" => libc::RLIMIT_NICE,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rtprio" => libc::RLIMIT_RTPRIO,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "stack" => libc::RLIMIT_STACK,
        _ => return None,
    };
    Some(number as u32)
}
