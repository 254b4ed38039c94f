//! What can go wrong when a process is started.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking the program up, or strings with a NUL byte in them.
    Prepare,
    /// Making the new process.
    Fork,
    /// Entering its control group.
    Cgroup,
    /// The session or process group.
    Attributes,
    /// Resource limits, and the score for the kernel's choice when memory is short.
    Limits,
    /// The scheduling priority.
    Priority,
    /// The user and its groups.
    Identity,
    /// Giving up new privileges.
    Privileges,
    /// The working directory.
    Cwd,
    /// The descriptors.
    Fds,
    /// `execve`.
    Exec,
}

/// Why no process was started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The program is on no directory of `PATH`.
    #[error("{} was not found on PATH", .0.display())]
    NotOnPath(PathBuf),
    /// A string that is passed to the program has a NUL byte in it.
    #[error("{0} has a NUL byte in it")]
    Nul(&'static str),
    /// The name of an environment variable is empty or has `=` in it.
    #[error("an environment variable has an impossible name")]
    EnvName,
    /// A descriptor's number is negative.
    #[error("a descriptor cannot have the number {0}")]
    FdNumber(i32),
    /// A system call failed.
    #[error("{}{}", describe(.stage, .program), hint(.stage, .errno))]
    Os {
        /// At which step.
        stage: Stage,
        /// The program, or the directory when the step is [`Stage::Cwd`].
        program: PathBuf,
        /// The error number.
        errno: i32,
        /// The same, with its text.
        #[source]
        source: io::Error,
    },
}

impl SpawnError {
    pub(super) fn os(stage: Stage, program: &std::path::Path, errno: i32) -> Self {
        Self::Os {
            stage,
            program: program.to_owned(),
            errno,
            source: io::Error::from_raw_os_error(errno),
        }
    }

    /// The step that failed.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Os { stage, .. } => *stage,
            Self::FdNumber(_) => Stage::Fds,
            Self::NotOnPath(_) | Self::Nul(_) | Self::EnvName => Stage::Prepare,
        }
    }

    /// The error number that belongs to it.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Self::Os { errno, .. } => *errno,
            Self::FdNumber(_) => libc::EBADF,
            Self::NotOnPath(_) => libc::ENOENT,
            Self::Nul(_) | Self::EnvName => libc::EINVAL,
        }
    }
}

fn describe(stage: &Stage, program: &std::path::Path) -> String {
    let program = program.display();
    match stage {
        Stage::Prepare => format!("cannot prepare to start {program}"),
        Stage::Fork => format!("cannot make a process for {program}"),
        Stage::Cgroup => format!("cannot put {program} into its control group"),
        Stage::Attributes => format!("cannot set up the process for {program}"),
        Stage::Limits => format!("cannot set the limits of {program}"),
        Stage::Priority => format!("cannot set the priority of {program}"),
        Stage::Identity => format!("cannot run {program} as another user"),
        Stage::Privileges => format!("cannot take the way to new privileges from {program}"),
        Stage::Cwd => format!("cannot change to the directory {program}"),
        Stage::Fds => format!("cannot pass descriptors to {program}"),
        Stage::Exec => format!("cannot run {program}"),
    }
}

fn hint(stage: &Stage, errno: &i32) -> &'static str {
    match (stage, *errno) {
        (Stage::Exec, libc::ENOENT) => {
            " (it, or the interpreter in its first line, does not exist)"
        }
        (Stage::Exec, libc::EACCES) => {
            " (is it executable, not a directory, and in folders that the user may enter?)"
        }
        (Stage::Cwd, libc::EACCES) => " (may the user enter it, and every folder above it?)",
        (Stage::Identity, libc::EPERM) => {
            " (only root can run workers as another user; in a container it needs the capabilities SETUID and SETGID)"
        }
        (Stage::Limits, libc::EPERM) => {
            " (only root can raise a limit above the hard one that rota has: ulimit -H)"
        }
        (Stage::Limits, libc::EACCES) => {
            " (only root can lower oom_score_adj; in a container it needs the capability SYS_RESOURCE)"
        }
        (Stage::Priority, libc::EPERM | libc::EACCES) => {
            " (only root can give a higher priority, which is a lower number)"
        }
        (Stage::Exec | Stage::Identity, libc::EAGAIN) => {
            " (the user has as many processes as it may have: rlimit nproc)"
        }
        (Stage::Exec, libc::ENOEXEC) => {
            " (neither a program nor a script that starts with #!; name an interpreter)"
        }
        (Stage::Exec, libc::E2BIG) => " (arguments and environment together are too large)",
        (Stage::Cgroup, libc::EACCES | libc::EPERM) => {
            " (it must be delegated to the user that runs rota: with systemd by Delegate=yes)"
        }
        (Stage::Fork, libc::EAGAIN) => {
            " (the limit of processes is reached: ulimit -u, or pids.max of the cgroup)"
        }
        (Stage::Prepare | Stage::Fds, libc::EMFILE) => " (too many open files: ulimit -n)",
        _ => "",
    }
}
