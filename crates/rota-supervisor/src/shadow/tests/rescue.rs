use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rota_sys::scm;
use rustix::net::sockopt::socket_cookie;

use super::random::Random;
use crate::shadow::packet::{BATCH, encode, end};
use crate::shadow::{Entry, Ledger, Rescue, line, rescue};

/// Longer than any test waits unless something is wrong.
const LIMIT: Duration = Duration::from_secs(30);

fn connections(count: usize) -> Vec<OwnedFd> {
    let pairs = (0..count).map(|_| UnixStream::pair().unwrap());
    pairs.map(|(one, _)| one.into()).collect()
}

fn send(line: &OwnedFd, entries: &[Entry], fds: &[OwnedFd]) {
    let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
    scm::send(line, &encode(entries), &fds).unwrap();
}

/// Everything brought is in the ledger, and nothing else.
fn check(ledger: Ledger, rescue: &Rescue) {
    for rescued in &rescue.connections {
        let number = rescued.connection.as_fd().as_raw_fd();
        assert_eq!(ledger.get(number), Some(rescued.entry));
    }
    assert_eq!(ledger.entries().count(), rescue.connections.len());
}

#[test]
fn what_was_sent_is_brought_in_order() {
    let mut random = Random::new(3);
    for count in [0, 1, BATCH, 3 * BATCH + 7] {
        let (shadow, next) = line().unwrap();
        let fds = connections(count);
        let entries: Vec<_> = (0..count).map(|_| random.entry()).collect();
        for (entries, fds) in entries.chunks(BATCH).zip(fds.chunks(BATCH)) {
            send(&shadow, entries, fds);
        }
        scm::send(&shadow, &end(), &[]).unwrap();
        let ledger = Ledger::new().unwrap();
        let rescue = rescue(ledger, vec![next], LIMIT);
        assert!(rescue.complete);
        check(ledger, &rescue);
        let brought: Vec<_> = rescue
            .connections
            .iter()
            .map(|one| (one.entry, socket_cookie(&one.connection).unwrap()))
            .collect();
        let cookies = fds.iter().map(|fd| socket_cookie(fd).unwrap());
        assert_eq!(
            brought,
            entries.into_iter().zip(cookies).collect::<Vec<_>>()
        );
        drop(rescue);
        assert_eq!(ledger.entries().count(), 0);
    }
}

#[test]
fn a_shadow_that_goes_or_is_slow_is_not_waited_for() {
    let ledger = Ledger::new().unwrap();
    let (shadow, next) = line().unwrap();
    drop(shadow);
    assert!(!rescue(ledger, vec![next], LIMIT).complete);

    let (shadow, next) = line().unwrap();
    let fds = connections(2);
    let entries = [Entry::Held { app: 1, socket: 2 }; 2];
    send(&shadow, &entries, &fds);
    let copy = next.try_clone().unwrap();
    let brought = rescue(ledger, vec![next], Duration::from_millis(5));
    assert!(!brought.complete);
    assert_eq!(brought.connections.len(), 2);
    check(ledger, &brought);

    send(&shadow, &entries, &fds);
    drop(shadow);
    let rest = rescue(Ledger::none(), vec![copy], LIMIT);
    assert!(!rest.complete);
    assert_eq!(rest.connections.len(), 2);
}

#[test]
fn a_connection_in_two_lines_is_taken_once() {
    let fds = connections(3);
    let entries = [Entry::Held { app: 1, socket: 2 }; 2];
    let (old_shadow, old) = line().unwrap();
    let (shadow, next) = line().unwrap();
    send(&old_shadow, &entries, &fds[..2]);
    send(&shadow, &entries, &fds[1..]);
    for end_of in [&old_shadow, &shadow] {
        scm::send(end_of, &end(), &[]).unwrap();
    }
    let ledger = Ledger::new().unwrap();
    let brought = rescue(ledger, vec![old, next], LIMIT);
    assert!(brought.complete);
    assert_eq!(brought.connections.len(), 3);
    check(ledger, &brought);
}

#[test]
fn whatever_comes_through_a_line_is_survived() {
    let mut random = Random::new(4);
    let ledger = Ledger::new().unwrap();
    for _ in 0..2000 {
        let (shadow, next) = line().unwrap();
        let mut entries_sent = 0;
        for _ in 0..random.below(6) {
            let count = random.below(4) as usize;
            let entries: Vec<_> = (0..count).map(|_| random.entry()).collect();
            let mut packet = match random.below(4) {
                0 => vec![0; random.below(5000) as usize + 1],
                _ => encode(&entries),
            };
            entries_sent += count;
            if random.below(2) == 0 {
                let at = random.below(packet.len() as u64) as usize;
                packet[at] = random.next() as u8;
            }
            // As many descriptors as entries, fewer or more, and not all of them sockets.
            let mut fds = connections(random.below(5) as usize);
            if random.below(4) == 0 {
                fds.push(rustix::pipe::pipe().unwrap().0);
            }
            let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
            scm::send(&shadow, &packet, &fds).unwrap();
        }
        drop(shadow);
        let brought = rescue(ledger, vec![next], LIMIT);
        assert!(brought.connections.len() <= entries_sent);
        check(ledger, &brought);
    }
}
