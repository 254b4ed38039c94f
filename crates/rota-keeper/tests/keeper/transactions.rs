//! Groups of requests: all of them or none.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};

use rota_keeper::protocol::{FromKeeper, HELD_FDS_MAX, HELD_MAX, Mode, Refusal, ToKeeper};
use rota_sys::process::kill;
use rota_sys::signal::Signal;
use rota_sys::{procfs, scm};

use crate::rig::{Rig, pipe, put, put_blob, shell, spawn};

pub fn forgotten() {
    let (rig, line) = Rig::supervised();
    let (read, write) = pipe();
    line.send(&put_blob("state", b"before"), &[]);
    line.hold(&put_blob("state", b"after"), &[]);
    line.hold(&put("pipe", b""), &[write.as_fd()]);
    line.hold(&spawn(1, shell("exec sleep 1000")), &[]);
    line.settle();
    drop(write);
    assert_eq!(procfs::children(rig.keeper).unwrap(), [line.pid]);
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entry("state"), Some((b"before".as_slice(), 0)));
    assert!(restored.entry("pipe").is_none() && restored.children.is_empty());
    // Nobody holds the pipe's other end any more.
    assert_eq!(File::from(read).read(&mut [0]).unwrap(), 0);
    // What a dead supervisor has begun is not ended by the next one.
    line.send_as(Mode::Last, &put_blob("other", b""), &[]);
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entry("state"), Some((b"before".as_slice(), 0)));
    assert!(restored.entry("other").is_some());
    rig.finish(&line);
}

pub fn last_words() {
    let (rig, line) = Rig::supervised();
    let (read, _write) = pipe();
    // The keeper reads nothing until the supervisor is dead.
    stop(&rig);
    for number in 0..50 {
        line.hold(&put(&format!("entry {number}"), &[number]), &[read.as_fd()]);
    }
    line.hold(&spawn(1, shell("exec sleep 1000")), &[]);
    line.send_as(Mode::Last, &put_blob("last", b"1"), &[]);
    line.hold(&put_blob("last", b"2"), &[]);
    line.kill();
    kill(rig.keeper, Signal::CONT).unwrap();
    let line = rig.supervisor();
    let restored = line.restored();
    for number in 0..50 {
        let entry = restored.entry(&format!("entry {number}"));
        assert_eq!(entry, Some(([number].as_slice(), 1)));
    }
    assert_eq!(restored.entry("last"), Some((b"1".as_slice(), 0)));
    assert_eq!(restored.children.len(), 1);
    rig.finish(&line);
}

/// Returns when the process has really stopped.
fn stop(rig: &Rig) {
    kill(rig.keeper, Signal::STOP).unwrap();
    while procfs::stat(rig.keeper).unwrap().state != 'T' {
        std::thread::yield_now();
    }
}

pub fn singles_between() {
    let (rig, line) = Rig::supervised();
    let other = line.client.try_clone().unwrap();
    line.hold(&put_blob("order", b"held"), &[]);
    line.hold(&spawn(1, shell("exec sleep 1000")), &[]);
    let thread = std::thread::spawn(move || other.send(&put_blob("order", b"single"), &[]));
    thread.join().unwrap().unwrap();
    line.send(&put_blob("single", b""), &[]);
    line.settle();
    line.send_as(
        Mode::Last,
        &ToKeeper::Drop {
            key: "single".into(),
        },
        &[],
    );
    assert!(matches!(
        line.message(),
        FromKeeper::Spawned { child: 1, .. }
    ));
    line.hold(&put_blob("order", b"never"), &[]);
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entry("order"), Some((b"held".as_slice(), 0)));
    assert_eq!(restored.entry("single"), None);
    assert_eq!(restored.children.len(), 1);
    rig.finish(&line);
}

pub fn failures_within() {
    let (rig, line) = Rig::supervised();
    let refused = |reason| {
        let message = line.message();
        assert!(
            matches!(message, FromKeeper::Refused { reason: why, .. } if why == reason),
            "{message:?}"
        );
    };
    line.hold(&put_blob("a", b""), &[]);
    // Held, and not a message.
    scm::send(&line.client, &[2, 0xff], &[]).unwrap();
    line.hold(&put_blob("", b""), &[]);
    line.hold(&spawn(1, shell("exec sleep 1000")), &[]);
    line.hold(&spawn(1, shell("exec sleep 1000")), &[]);
    line.settle();
    line.send_as(Mode::Last, &put_blob("b", b""), &[]);
    refused(Refusal::Undecodable);
    refused(Refusal::Limit);
    assert!(matches!(line.message(), FromKeeper::Spawned { .. }));
    assert!(matches!(line.message(), FromKeeper::SpawnFailed { .. }));
    // The last one is no message: the others are carried out all the same.
    line.hold(&put_blob("c", b""), &[]);
    scm::send(&line.client, &[4, 0xff], &[]).unwrap();
    refused(Refusal::Undecodable);
    // A large one, whose bytes are in a memfd.
    line.hold(&put_blob("d", &vec![7; 200_000]), &[]);
    line.send_as(Mode::Last, &put_blob("e", &vec![8; 200_000]), &[]);
    // A mode that this keeper does not know.
    scm::send(&line.client, &[6, 0], &[]).unwrap();
    refused(Refusal::Undecodable);
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    for (key, length) in [("a", 0), ("b", 0), ("c", 0), ("d", 200_000), ("e", 200_000)] {
        assert_eq!(restored.entry(key).unwrap().0.len(), length, "{key}");
    }
    rig.finish(&line);
}

pub fn too_much() {
    let (rig, line) = Rig::supervised();
    for number in 0..=HELD_MAX {
        line.hold(&put_blob("count", number.to_string().as_bytes()), &[]);
    }
    let too_much = || {
        matches!(
            line.message(),
            FromKeeper::Refused {
                reason: Refusal::TooMuchHeld,
                ..
            }
        )
    };
    assert!(too_much());
    line.send_as(Mode::Last, &put_blob("count", b"end"), &[]);
    let (read, _write) = pipe();
    let many: Vec<BorrowedFd<'_>> = vec![read.as_fd(); 250];
    let full = HELD_FDS_MAX / many.len();
    for number in 0..=full {
        line.hold(&put(&format!("fds {number}"), b""), &many);
    }
    assert!(too_much());
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entry("count"), Some((b"end".as_slice(), 0)));
    for number in 0..full {
        let (_, fds) = restored.entry(&format!("fds {number}")).unwrap();
        assert_eq!(fds, many.len());
    }
    assert_eq!(
        restored.entry(&format!("fds {full}")),
        None,
        "the new transaction was not ended"
    );
    rig.finish(&line);
}
