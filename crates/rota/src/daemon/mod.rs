//! The daemon as the command line sees it: where it lives, and how one comes to be.
//!
//! Nobody may start two daemons in one home, and nobody may lose a request to a daemon that is just
//! being started. Two locks (`flock`) see to it:
//!
//! - `start.lock` is held by whoever is starting a daemon, while it does so. Who waited for it looks
//!   again whether there is a daemon now.
//! - `daemon.lock` is held by the keeper for as long as it lives, through a descriptor that it
//!   inherits. Who holds it may take a stale socket away.
//!
//! The socket listens before the keeper exists, so the first request waits in the kernel's queue
//! until the supervisor takes it: nothing is polled.

mod home;
mod start;

pub use home::Home;
pub use start::{connect, connect_or_start, run_in_place, wait_until_gone};
