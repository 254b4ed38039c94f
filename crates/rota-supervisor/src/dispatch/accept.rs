//! Takes connections from sockets, as many as there is room for.

use rota_node::primary::Millis;

use super::io::AppHost;
use super::shell::Shell;
use super::sockets::{Accepted, SHORTAGE_PAUSE};
use super::types::DispatchEvent;

/// Connections accepted from a socket per turn.
const BATCH: usize = 64;

/// How soon a shortage of descriptors is told again, in milliseconds: it may last, and the log is to stay readable.
const TOLD_AGAIN: Millis = 60_000;

impl Shell {
    /// Accepts wherever somebody waits and a worker has room. Returns whether there is more to do
    /// at once.
    pub(super) fn accept_ready(&mut self) -> bool {
        if self.paused_until.is_some() {
            return false;
        }
        let mut busy = false;
        for _ in 0..self.ready.len() {
            let Some(number) = self.ready.pop_front() else {
                break;
            };
            let (still_ready, more) = self.accept_from(number);
            if still_ready {
                self.ready.push_back(number);
            }
            busy |= more;
        }
        busy
    }

    /// Accepts from one socket. Returns whether somebody may still wait there, and whether there
    /// was room for them.
    fn accept_from(&mut self, number: u64) -> (bool, bool) {
        let (now, ledger) = (self.io.now, self.io.ledger);
        for _ in 0..BATCH {
            let Some(socket) = self.io.sockets.by_number(number) else {
                return (false, false);
            };
            let (app, id) = (socket.app, socket.id);
            let Some(state) = self.apps.get_mut(&app).filter(|_| socket.ready) else {
                return (false, false);
            };
            if state.primary.room(id, now) == 0 {
                return (true, false);
            }
            match socket.accept(number, ledger) {
                Accepted::Connection(connection, peer) => {
                    let mut host = AppHost {
                        io: &mut self.io,
                        app,
                    };
                    state.primary.accepted(id, connection, peer, now, &mut host);
                }
                Accepted::TryAgain => {}
                Accepted::Nobody => {
                    socket.ready = false;
                    return (false, false);
                }
                Accepted::Shortage(error) => {
                    self.pause(error);
                    return (true, false);
                }
                Accepted::Broken(error) => {
                    socket.ready = false;
                    let what = format!("a socket does not accept connections: {error}");
                    (self.io.events)(DispatchEvent::Trouble { what });
                    return (false, false);
                }
            }
        }
        (true, true)
    }

    fn pause(&mut self, error: rustix::io::Errno) {
        let now = self.io.now;
        self.paused_until = Some(now + SHORTAGE_PAUSE);
        if self
            .shortage_told
            .is_some_and(|told| now < told + TOLD_AGAIN)
        {
            return;
        }
        self.shortage_told = Some(now);
        let what = format!("no connection can be accepted for the moment: {error}");
        (self.io.events)(DispatchEvent::Trouble { what });
    }
}
