//! `NOTIFY_SOCKET`: what a program tells its supervisor by systemd's `sd_notify` protocol.
//!
//! Each worker has a socket of its own, so that the path says who speaks.
//!
//! ```ignore
//! let (tx, rx) = tokio::sync::mpsc::channel::<(u64, Notification)>(64);
//! let socket = NotifySocket::bind(&home.notify(), worker)?;
//! env.insert("NOTIFY_SOCKET", socket.path());
//! let socket = socket.listen(tx)?; // within a LocalSet; dropping it stops it and removes the path
//! ```

mod parse;
mod socket;

pub use parse::{MAX_DATAGRAM, Notification, parse};
pub use socket::{NotifyError, NotifySocket, Sender};
