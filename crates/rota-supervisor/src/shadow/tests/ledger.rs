use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use super::random::Random;
use crate::shadow::{CAPACITY, Entry, Guarded, Ledger};

/// What the functions say they do.
#[derive(Default)]
struct Model(BTreeMap<RawFd, Entry>);

impl Model {
    fn change(&mut self, fd: RawFd, change: impl Fn(u32, u64, u64, u64) -> Entry) {
        if let Some(entry) = self.0.get_mut(&fd) {
            let (app, socket, message) = entry.parts();
            let (worker, seq) = message.unwrap_or_default();
            *entry = change(app, socket, worker, seq);
        }
    }
}

#[test]
fn a_ledger_says_what_was_entered() {
    let ledger = Ledger::new().unwrap();
    let mut model = Model::default();
    let mut random = Random::new(7);
    for _ in 0..20_000 {
        let fd = random.below(40) as RawFd + 3;
        match random.below(5) {
            0 => {
                let (app, socket) = (random.next() as u32, random.next());
                ledger.held(fd, app, socket);
                model.0.insert(fd, Entry::Held { app, socket });
            }
            1 => {
                let (worker, seq) = (random.next(), random.next());
                ledger.sending(fd, worker, seq);
                model.change(fd, |app, socket, _, _| Entry::Sending {
                    app,
                    socket,
                    worker,
                    seq,
                });
            }
            2 if matches!(model.0.get(&fd), Some(Entry::Sending { .. })) => {
                ledger.sent(fd);
                model.change(fd, |app, socket, worker, seq| Entry::Sent {
                    app,
                    socket,
                    worker,
                    seq,
                });
            }
            3 => {
                ledger.back(fd);
                model.change(fd, |app, socket, _, _| Entry::Held { app, socket });
            }
            4 => {
                ledger.clear(fd);
                model.0.remove(&fd);
            }
            _ => {}
        }
        assert_eq!(ledger.get(fd), model.0.get(&fd).copied());
    }
    let entries: BTreeMap<_, _> = ledger.entries().collect();
    assert_eq!(entries, model.0);
}

#[test]
fn descriptors_without_a_place_are_not_protected() {
    let ledger = Ledger::new().unwrap();
    let last = CAPACITY as RawFd - 1;
    for fd in [-1, last, last + 1, RawFd::MAX, RawFd::MIN] {
        ledger.held(fd, 1, 2);
        ledger.sending(fd, 3, 4);
        ledger.sent(fd);
    }
    let entries: Vec<_> = ledger.entries().map(|(fd, _)| fd).collect();
    assert_eq!(entries, [last]);

    let none = Ledger::none();
    none.held(3, 1, 2);
    none.farewell();
    drop(none.accept(std::io::stdin(), 1, 2));
    assert_eq!(none.entries().count(), 0);
    assert_eq!(none.accepting(), None);
    assert!(!none.has_said_farewell());
}

#[test]
fn a_guarded_connection_leaves_when_it_is_dropped() {
    let ledger = Ledger::new().unwrap();
    let (fd, listening) = rustix::pipe::pipe().unwrap();
    let number = fd.as_raw_fd();

    let accepting = ledger.accept(&listening, 5, 6);
    let intent = ledger.accepting().unwrap();
    assert_eq!((intent.app, intent.socket), (5, 6));
    assert_eq!(intent.listening, listening.as_raw_fd());
    let connection = accepting.accepted(fd);
    assert_eq!(ledger.accepting(), None);

    let held = Entry::Held { app: 5, socket: 6 };
    assert_eq!(ledger.get(number), Some(held));
    connection.sending(7, 8);
    connection.sent();
    let sent = Entry::Sent {
        app: 5,
        socket: 6,
        worker: 7,
        seq: 8,
    };
    assert_eq!(ledger.get(number), Some(sent));
    connection.back();
    assert_eq!(ledger.get(number), Some(held));
    drop(connection);
    assert_eq!(ledger.get(number), None);

    drop(ledger.accept(&listening, 5, 6));
    assert_eq!(ledger.accepting(), None, "nobody came");
    let fd: OwnedFd = listening;
    let copy = fd.as_fd().try_clone_to_owned().unwrap();
    let connection = Guarded::hold(ledger, fd, u32::MAX, u64::MAX);
    let held = Entry::Held {
        app: u32::MAX,
        socket: u64::MAX,
    };
    assert_eq!(ledger.get(connection.as_fd().as_raw_fd()), Some(held));
    drop((connection, copy));
    assert_eq!(ledger.entries().count(), 0);
}
