//! Starting a process.
//!
//! Everything that can fail or needs memory happens before the `fork`. Between `fork` and `execve` the child
//! only makes system calls on data that was prepared, so this is sound in a process with threads too. What fails
//! there comes back through a close-on-exec pipe, with the stage and the error number; [`Spawn::start`] returns
//! when the new program runs, or has failed to.
//!
//! The child gets: a session or process group of its own, default signal dispositions, no blocked signals,
//! the soft limit of open files that this process had before `limits::raise_nofile`, and no descriptors but
//! 0, 1, 2 and those that were named (the rest is made close-on-exec, whoever opened it).
//!
//! First of all it enters its control group: nothing that it does, and nobody whom it starts, is ever outside of it.
//! What needs privileges comes next: limits, then the priority, then the groups and the user. As that user the
//! child changes to its working directory and executes the program, so both must be open to it.
//!
//! A script without a `#!` line is an error with a hint; it is not silently given to a shell.

mod attributes;
mod child;
mod error;
mod lookup;
mod prepare;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::PathBuf;

pub use attributes::{Attributes, Identity, RLIMIT_NOFILE, Rlimit, rlimit_number};
pub use error::{SpawnError, Stage};
pub use lookup::find_program;

/// A process to be started.
#[derive(Debug)]
pub struct Spawn<'fd> {
    /// A path, or a name without a slash that is looked up on `PATH` of `env`. A relative path is relative
    /// to `cwd`.
    pub program: PathBuf,
    /// The arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// What the program sees as its own name; `program` when absent.
    pub argv0: Option<OsString>,
    /// The whole environment; nothing is inherited. Of a name given twice the last counts.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; this process's own when absent.
    pub cwd: Option<PathBuf>,
    /// Descriptors, and the numbers under which the child finds them. Descriptor 0 is `/dev/null` when
    /// not named; 1 and 2 are this process's own.
    pub fds: Vec<(BorrowedFd<'fd>, RawFd)>,
    /// A session of its own (`setsid`), not only a process group of its own.
    pub new_session: bool,
    /// Names of environment variables whose value shall be the child's own pid (`LISTEN_PID`).
    pub pid_env: Vec<OsString>,
    /// The file mode creation mask; this process's own when absent.
    pub umask: Option<u32>,
    /// Added to the scheduling priority (positive: nicer).
    pub nice: Option<i32>,
    /// Who it is, and what it may use.
    pub attributes: Attributes,
    /// The control group that it begins in, by its entrance (`cgroup.procs`); this process's own when absent.
    pub cgroup: Option<BorrowedFd<'fd>>,
}

impl<'fd> Spawn<'fd> {
    /// A program without arguments, with an empty environment, in a process group of its own.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            argv0: None,
            env: Vec::new(),
            cwd: None,
            fds: Vec::new(),
            new_session: false,
            pid_env: Vec::new(),
            umask: None,
            nice: None,
            attributes: Attributes::default(),
            cgroup: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives the child a descriptor under this number.
    #[must_use]
    pub fn fd(mut self, fd: &'fd impl AsFd, number: RawFd) -> Self {
        self.fds.push((fd.as_fd(), number));
        self
    }

    /// Starts it and returns its process id once the program runs. The caller has to reap it.
    ///
    /// # Errors
    /// See [`SpawnError`]. No process is left.
    pub fn start(&self) -> Result<u32, SpawnError> {
        prepare::Prepared::new(self)?.start()
    }
}
