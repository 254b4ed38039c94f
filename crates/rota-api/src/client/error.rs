//! What can go wrong between client and daemon.

use std::io;
use std::path::PathBuf;

use crate::{ApiError, ExitCode};

/// A request that did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket.
    #[error("the daemon is not running: there is no {}", socket.display())]
    NotRunning {
        /// Where it would be.
        socket: PathBuf,
    },
    /// There is a socket, but nobody listens on it.
    #[error("the daemon is not running: nobody listens on {}", socket.display())]
    Stale {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("{} may not be used by this user", socket.display())]
    Permission {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket's path does not fit into an address.
    #[error("the path {} is too long for a socket", socket.display())]
    PathTooLong {
        /// The path.
        socket: PathBuf,
    },
    /// Connecting failed for another reason.
    #[error("cannot connect to {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the daemon broke")]
    Broken(#[source] hyper::Error),
    /// The daemon closed the connection in the middle of an answer.
    #[error("the daemon ended in the middle of its answer")]
    Ended,
    /// The supervisor died in the middle of something that cannot be resumed; there is one again.
    #[error("the supervisor was restarted meanwhile; try again")]
    Restarted,
    /// The answer is not what this version understands.
    #[error("the daemon's answer is not understood: {0}")]
    Protocol(String),
    /// The daemon says no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl ClientError {
    /// A failure of the connection: an end in the middle is told apart from everything else.
    pub(super) fn of_connection(error: hyper::Error) -> Self {
        let cut_off = |error: &(dyn std::error::Error + 'static)| {
            error.downcast_ref::<io::Error>().is_some_and(|error| {
                matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::BrokenPipe
                )
            })
        };
        let ended = error.is_incomplete_message()
            || error.is_closed()
            || error.is_canceled()
            || std::error::Error::source(&error).is_some_and(cut_off);
        match ended {
            true => Self::Ended,
            false => Self::Broken(error),
        }
    }

    /// True if there is no daemon, so that one may be started.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::Stale { .. })
    }

    /// True if the connection broke: whether the request has been carried out is not known.
    pub const fn is_break(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// True if the daemon's queue of connections is full.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning { .. } | Self::Stale { .. } => {
                Some("`rota start SCRIPT` starts it together with an app".to_owned())
            }
            Self::Permission { .. } => {
                Some("use the same user as the daemon, or another ROTA_HOME".to_owned())
            }
            Self::PathTooLong { .. } => Some("choose a shorter ROTA_HOME".to_owned()),
            Self::Ended | Self::Broken(_) => Some(
                "the log in ROTA_HOME/daemon.log says why; `rota list` shows the state".to_owned(),
            ),
            Self::Protocol(_) => Some(
                "the daemon may be of another version: compare `rota version` and `rota --version`"
                    .to_owned(),
            ),
            Self::Api(error) => error.hint.clone(),
            Self::Restarted | Self::Connect { .. } => None,
        }
    }

    /// The exit code for it.
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Api(error) => error.code.exit_code(),
            Self::Ended | Self::Restarted => ExitCode::Failed,
            _ => ExitCode::NoDaemon,
        }
    }
}
