//! Why an app cannot be started as it is described.

use std::path::PathBuf;

/// An app that cannot be started as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ResolveError {
    /// What is wrong.
    pub kind: ResolveErrorKind,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveErrorKind {
    /// Neither a file nor a command.
    #[error("{script} is neither a file in {} nor a command", cwd.display())]
    NotFound {
        /// As the user wrote it.
        script: String,
        /// Where it was looked for.
        cwd: PathBuf,
    },
    /// The script is a folder.
    #[error("{} is a folder", path.display())]
    IsDirectory {
        /// The folder.
        path: PathBuf,
    },
    /// The file may not be executed, and nothing says what would run it.
    #[error("{} is not executable, and its name does not say what runs it", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The working directory does not exist or is none.
    #[error("the working directory {} is not a folder", cwd.display())]
    BadCwd {
        /// The directory.
        cwd: PathBuf,
    },
    /// The interpreter was not found.
    #[error("the interpreter {interpreter} was not found")]
    NoInterpreter {
        /// As the user or the script named it.
        interpreter: String,
    },
    /// Cluster mode for something that is not Node.
    #[error("cluster mode needs Node.js, and {script} is run by {runner}")]
    ClusterNeedsNode {
        /// As the user wrote it.
        script: String,
        /// What runs it.
        runner: String,
    },
}
