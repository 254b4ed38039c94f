//! How a child ended.

use std::fmt;

use minicbor::{Decode, Encode};
use rota_sys::signal::Signal;

use super::GroupExit;

/// How a child ended, and what it has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExitInfo {
    /// The status.
    #[n(0)]
    pub status: ExitStatus,
    /// The largest resident set that it ever had, in KiB (the largest of its descendants' too, as far as
    /// it has waited for them).
    #[n(1)]
    pub max_rss_kib: u64,
    /// Processor time in user mode, in microseconds, waited-for descendants included.
    #[n(2)]
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds, waited-for descendants included.
    #[n(3)]
    pub system_us: u64,
    /// What its control group has counted, if it had one.
    #[n(4)]
    pub group: Option<GroupExit>,
}

/// The exit status of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ExitStatus {
    /// It called `exit` with this code (0 to 255).
    #[n(0)]
    Code(#[n(0)] i32),
    /// A signal ended it.
    #[n(1)]
    Signal {
        /// The signal's number.
        #[n(0)]
        number: i32,
        /// Whether the kernel wrote a core file.
        #[n(1)]
        core: bool,
    },
    /// The process was not the keeper's child (a `MAINPID` below some other process), so its status went
    /// to somebody else.
    #[n(2)]
    Unknown,
}

/// What a process did: `exited with code 3`, `was ended by SIGSEGV`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal { number, .. } => match Signal::from_number(*number) {
                Some(signal) => write!(f, "was ended by {signal}"),
                None => write!(f, "was ended by signal {number}"),
            },
            Self::Unknown => f.write_str("ended"),
        }
    }
}

impl ExitStatus {
    /// Whether SIGKILL ended it, which no process can be blamed for.
    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::Signal { number, .. } if number == Signal::KILL.number())
    }
}
