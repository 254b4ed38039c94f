//! What workers say.
//!
//! It is only looked at first (`MSG_PEEK`), acted on, and taken off the channel when what it has changed is saved
//! and answers are out: whoever takes over after a death finds it again, and dealing with it twice does no harm.
//!
//! Messages with descriptors are the exception: a second answer would crash Node, and a connection that is
//! handed over twice would be served by two workers. They are taken off the channel first. If the process dies
//! just then the worker waits for its answer in vain, and says nothing more.
//!
//! A line that is not all there yet is taken, too; after a death its rest is passed over. Looking never
//! yields descriptors: the kernel would hand out duplicates, even some of messages behind those that it shows.

use std::os::fd::OwnedFd;

use super::channel::{Channel, Peek};
use super::io::AppHost;
use super::shell::Shell;
use super::types::DispatchEvent;
use crate::shadow::Guarded;

/// How often a dead worker's channel is read, at most, to learn what it had taken.
const LAST_READS: usize = 256;

/// The number of a socket that no socket has.
const UNKNOWN_SOCKET: u64 = u64::MAX;

impl Shell {
    /// Reads once from a worker.
    pub(super) fn read(&mut self, worker: u64) {
        let Some(link) = self.io.links.get(&worker) else {
            return;
        };
        let goes_on = match link.channel.peek(&mut self.buffer) {
            Peek::Nothing => true,
            Peek::End => false,
            Peek::Bytes(length) => self.digest(worker, length),
        };
        if !goes_on {
            self.forget_worker(worker);
            (self.io.events)(DispatchEvent::ChannelClosed { worker });
        }
    }

    /// Reads what a dead worker has left behind, so that it is known what it had taken.
    pub(super) fn read_to_the_end(&mut self, worker: u64) {
        for _ in 0..LAST_READS {
            let Some(link) = self.io.links.get(&worker) else {
                return;
            };
            match link.channel.peek(&mut self.buffer) {
                Peek::Bytes(length) if self.digest(worker, length) => {}
                Peek::Bytes(_) | Peek::Nothing | Peek::End => return,
            }
        }
    }

    /// Acts on the first part of what is in the buffer. Returns whether the channel works.
    fn digest(&mut self, worker: u64, length: usize) -> bool {
        let (Some(link), Some(decoder)) =
            (self.io.links.get(&worker), self.decoders.get_mut(&worker))
        else {
            return false;
        };
        let app = link.app;
        let portion = decoder.portion(&self.buffer[..length]);
        if portion.is_handle {
            let taken = self.take(worker, portion.length);
            self.hear(worker, app, portion.length);
            self.settle(app);
            taken
        } else {
            self.hear(worker, app, portion.length);
            self.settle(app);
            self.take(worker, portion.length)
        }
    }

    /// Feeds the beginning of the buffer to the app's primary.
    fn hear(&mut self, worker: u64, app: u32, length: usize) {
        let (Some(decoder), Some(state)) =
            (self.decoders.get_mut(&worker), self.apps.get_mut(&app))
        else {
            return;
        };
        let now = self.io.now;
        self.io.hold();
        let mut host = AppHost {
            io: &mut self.io,
            app,
        };
        let primary = &mut state.primary;
        decoder.feed(&self.buffer[..length], |frame| {
            primary.receive(worker, frame, now, &mut host);
        });
    }

    /// Takes off the channel what the beginning of the buffer shows, with its descriptors. Returns whether that
    /// could be done.
    fn take(&mut self, worker: u64, length: usize) -> bool {
        let mut fds = Vec::new();
        let buffer = &mut self.buffer[..length];
        let channel = self.io.links.get(&worker).map(|link| &link.channel);
        let taken = channel.is_some_and(|channel| Channel::take(channel, buffer, &mut fds));
        for fd in fds {
            self.attach(worker, fd);
        }
        taken
    }

    fn attach(&mut self, worker: u64, fd: OwnedFd) {
        let (Some(link), Some(decoder)) =
            (self.io.links.get(&worker), self.decoders.get_mut(&worker))
        else {
            return;
        };
        // Only its address tells through which socket it came, if it is a connection at all.
        let connection = Guarded::hold(self.io.ledger, fd, link.app, UNKNOWN_SOCKET);
        if decoder.attach(connection).is_err() {
            self.io
                .violation(worker, "it sent descriptors that belong to no message");
        }
    }
}
