//! The thread: one epoll loop over the workers' channels and the listening sockets.

use std::io;

use super::handle::Inbox;
use super::types::DispatchEvent;

/// Where the thread's events go.
pub(super) type Events = Box<dyn Fn(DispatchEvent) + Send>;

/// Everything that the thread owns.
pub(super) struct Shell {
    inbox: Inbox,
    events: Events,
}

impl Shell {
    pub(super) fn new(inbox: Inbox, events: Events) -> io::Result<Self> {
        Ok(Self { inbox, events })
    }

    pub(super) fn run(&mut self) {}
}
