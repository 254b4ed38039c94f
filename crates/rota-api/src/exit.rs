//! The exit codes of the command line.

/// How `rota` exits. Part of the interface: scripts may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// It has happened.
    Ok = 0,
    /// It was tried and failed; a failed rollout has been rolled back.
    Failed = 1,
    /// The command line is not understood.
    Usage = 2,
    /// The daemon is not running, cannot be reached or cannot be started.
    NoDaemon = 3,
    /// No app or worker is meant by the target.
    NoSuchTarget = 4,
    /// The script does not exist or cannot be run.
    CannotRun = 5,
    /// An app (or daemon) of that name runs already.
    AlreadyRunning = 6,
    /// `apply --dry-run`: there is something to do.
    Pending = 7,
}

impl ExitCode {
    /// Every code, in order.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::NoDaemon,
        Self::NoSuchTarget,
        Self::CannotRun,
        Self::AlreadyRunning,
        Self::Pending,
    ];

    /// What it means, for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "it has happened",
            Self::Failed => "it was tried and failed; a failed rollout has been rolled back",
            Self::Usage => "the command line is not understood",
            Self::NoDaemon => "the daemon is not running, cannot be reached or cannot be started",
            Self::NoSuchTarget => "no app or worker is meant by the target",
            Self::CannotRun => "the script does not exist or cannot be run",
            Self::AlreadyRunning => "an app of that name, or the daemon, runs already",
            Self::Pending => "`apply --dry-run`: there is something to do",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
