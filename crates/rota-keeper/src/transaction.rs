//! Requests that wait for the rest of their transaction.

use std::mem;

use crate::keeper::Keeper;
use crate::link::{Packet, Received};
use crate::protocol::{
    FromKeeper, HELD_BYTES_MAX, HELD_FDS_MAX, HELD_MAX, Mode, Refusal, ToKeeper,
};

/// What is held, in the order of arrival; bounded.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    held: Vec<Packet<ToKeeper>>,
    bytes: usize,
    fds: usize,
}

impl Transaction {
    fn has_room_for(&self, received: &Received<ToKeeper>) -> bool {
        self.held.len() < HELD_MAX
            && self.bytes + received.bytes <= HELD_BYTES_MAX
            && self.fds + fds_of(&received.packet) <= HELD_FDS_MAX
    }

    fn hold(&mut self, received: Received<ToKeeper>) {
        self.bytes += received.bytes;
        self.fds += fds_of(&received.packet);
        self.held.push(received.packet);
    }

    /// Forgets everything, and closes the descriptors.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn fds_of(packet: &Packet<ToKeeper>) -> usize {
    match packet {
        Packet::Message(_, fds) => fds.len(),
        _ => 0,
    }
}

impl Keeper {
    /// Carries out one packet, or holds it.
    pub(crate) fn receive(&mut self, received: Received<ToKeeper>) {
        match received.mode {
            Mode::Single => self.handle(received.packet),
            Mode::Held => {
                if !self.transaction.has_room_for(&received) {
                    self.commit();
                    self.outbox.push(&FromKeeper::Refused {
                        reason: Refusal::TooMuchHeld,
                        about: String::new(),
                        message:
                            "a transaction is too large to be held; it is carried out in parts"
                                .to_owned(),
                    });
                }
                self.transaction.hold(received);
            }
            Mode::Last => {
                self.commit();
                self.handle(received.packet);
            }
        }
    }

    /// Carries out everything that is held. Nothing else happens in between: no other packet is read, no exit is
    /// looked at.
    fn commit(&mut self) {
        for packet in mem::take(&mut self.transaction).held {
            self.handle(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: usize, fds: usize) -> Received<ToKeeper> {
        let message = ToKeeper::Drop { key: String::new() };
        let null = || std::fs::File::open("/dev/null").unwrap().into();
        Received {
            mode: Mode::Held,
            bytes,
            packet: Packet::Message(message, std::iter::repeat_with(null).take(fds).collect()),
        }
    }

    #[test]
    fn what_is_held_has_limits() {
        let mut transaction = Transaction::default();
        for _ in 0..HELD_MAX {
            assert!(transaction.has_room_for(&put(0, 0)));
            transaction.hold(put(0, 0));
        }
        assert!(!transaction.has_room_for(&put(0, 0)));
        transaction.forget();
        transaction.hold(put(HELD_BYTES_MAX - 5, HELD_FDS_MAX - 2));
        assert!(transaction.has_room_for(&put(5, 2)));
        assert!(!transaction.has_room_for(&put(6, 0)));
        assert!(!transaction.has_room_for(&put(0, 3)));
        transaction.forget();
        assert!(transaction.has_room_for(&put(HELD_BYTES_MAX, 0)));
    }
}
