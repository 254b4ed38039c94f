//! Supervisors come and go.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use rota_keeper::protocol::{ExitStatus, FromKeeper, PROTOCOL_VERSION, ToKeeper};
use rota_sys::process::{self, kill};
use rota_sys::signal::Signal;

use crate::rig::{Rig, is_gone, pipe, shell};

pub fn greets() {
    let rig = Rig::start();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.hello.protocol, PROTOCOL_VERSION);
    assert_eq!(restored.hello.keeper_pid, rig.keeper);
    assert!(restored.hello.foreground);
    assert_eq!(
        (restored.hello.restarts, restored.hello.last_exit),
        (0, None)
    );
    assert!(restored.children.is_empty());
    let keys: Vec<_> = restored
        .entries
        .iter()
        .map(|(key, ..)| key.as_str())
        .collect();
    assert_eq!(keys, ["api", "boot"]);
    assert_eq!(restored.entries[1].1, b"the start request");
    // The API socket is the real one: a connection made before anybody listens is accepted from it.
    let client = UnixStream::connect(rig.folder.path().join("api")).unwrap();
    rota_sys::net::accept(&restored.entries[0].2[0]).unwrap();
    drop(client);
    assert!(
        rota_sys::lock::attempt(&rig.folder.path().join("lock"))
            .unwrap()
            .is_none()
    );
    rig.finish(&line);
}

pub fn killed_supervisor() {
    let (rig, line) = Rig::supervised();
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    line.spawn(2, shell("exit 3"), &[]);
    line.exited(2);
    let (read, write) = pipe();
    line.send(
        &ToKeeper::Put {
            key: "pipe".into(),
            blob: vec![1, 2, 3],
        },
        &[read.as_fd(), write.as_fd()],
    );
    line.send(
        &ToKeeper::PutBlob {
            key: "pipe".into(),
            blob: vec![4],
        },
        &[],
    );
    line.send(&ToKeeper::Drop { key: "boot".into() }, &[]);
    drop((read, write));
    // The other end of this line stays open here; it must not keep the next supervisor from starting.
    kill(line.pid, Signal::KILL).unwrap();
    let second = rig.supervisor();
    assert_eq!(second.restored().hello.restarts, 1);
    kill(second.pid, Signal::KILL).unwrap();
    drop((line, second));
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(
        restored.hello.last_exit.unwrap().status,
        ExitStatus::Signal {
            number: 9,
            core: false
        }
    );
    assert_eq!(restored.hello.restarts, 2);
    let keys: Vec<_> = restored
        .entries
        .iter()
        .map(|(key, ..)| key.as_str())
        .collect();
    assert_eq!(keys, ["api", "pipe"]);
    let (_, blob, fds) = &restored.entries[1];
    assert_eq!((blob.as_slice(), fds.len()), ([4].as_slice(), 2));
    File::from(fds[1].try_clone().unwrap())
        .write_all(b"same")
        .unwrap();
    let mut same = [0; 4];
    File::from(fds[0].try_clone().unwrap())
        .read_exact(&mut same)
        .unwrap();
    assert_eq!(&same, b"same");
    let children: Vec<_> = restored
        .children
        .iter()
        .map(|(child, _, exit)| (*child, exit.map(|e| e.status)))
        .collect();
    assert_eq!(children, [(1, None), (2, Some(ExitStatus::Code(3)))]);
    assert_eq!(restored.children[0].1, pid);
    assert!(!is_gone(pid));
    line.send(
        &ToKeeper::Signal {
            child: 1,
            signal: 15,
            group: true,
        },
        &[],
    );
    assert_eq!(
        line.exited(1).status,
        ExitStatus::Signal {
            number: 15,
            core: false
        }
    );
    rig.finish(&line);
}

pub fn hung_up() {
    let (rig, line) = Rig::supervised();
    let first = line.pid;
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    // The process lives, its line is closed: it is killed and replaced.
    let crate::rig::Line { client, .. } = line;
    drop(client);
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.children, [(1, pid, None)]);
    assert!(is_gone(first));
    rig.finish(&line);
}

pub fn last_words() {
    let (rig, line) = Rig::supervised();
    for number in 0..100 {
        line.send(
            &ToKeeper::Put {
                key: format!("entry {number:03}"),
                blob: vec![number],
            },
            &[],
        );
    }
    line.send(
        &ToKeeper::Spawn {
            request: 1,
            child: 1,
            spec: shell("exec sleep 1000"),
        },
        &[],
    );
    kill(line.pid, Signal::KILL).unwrap();
    drop(line);
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entries.len(), 102);
    assert_eq!(restored.children.len(), 1);
    rig.finish(&line);
}

pub fn exits_wait() {
    let (rig, line) = Rig::supervised();
    let (gate, hold) = pipe();
    for child in 1..=3 {
        let mut spec = shell("read x; exit 5");
        spec.targets = vec![0];
        line.spawn(child, spec, &[gate.as_fd()]);
    }
    drop(gate);
    kill(line.pid, Signal::KILL).unwrap();
    drop((line, hold));
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.children.len(), 3);
    // Told as a child that has exited, or, had it not yet, by a message afterwards.
    let mut left: Vec<_> = restored
        .children
        .iter()
        .filter(|(.., exit)| exit.is_none())
        .map(|(child, ..)| *child)
        .collect();
    while !left.is_empty() {
        let FromKeeper::Exited { child, exit, .. } = line.message() else {
            panic!()
        };
        assert_eq!(exit.status, ExitStatus::Code(5));
        left.retain(|other| *other != child);
    }
    line.send(&ToKeeper::Forget { child: 2 }, &[]);
    kill(line.pid, Signal::KILL).unwrap();
    drop(line);
    let line = rig.supervisor();
    let children: Vec<_> = line
        .restored()
        .children
        .iter()
        .map(|(child, _, exit)| (*child, exit.unwrap().status))
        .collect();
    assert_eq!(
        children,
        [(1, ExitStatus::Code(5)), (3, ExitStatus::Code(5))]
    );
    line.send(&ToKeeper::Forget { child: 1 }, &[]);
    line.spawn(1, shell("exit 0"), &[]);
    line.exited(1);
    rig.finish(&line);
}

pub fn forwarded() {
    let (rig, line) = Rig::supervised();
    for signal in [
        Signal::HUP,
        Signal::USR1,
        Signal::USR2,
        Signal::TERM,
        Signal::INT,
        Signal::QUIT,
        Signal::TTIN,
        Signal::TTOU,
    ] {
        kill(rig.keeper, signal).unwrap();
        assert_eq!(
            line.message(),
            FromKeeper::Signal {
                number: signal.number()
            }
        );
    }
    rig.finish(&line);
}

pub fn doomed() {
    let (rig, line) = Rig::supervised();
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    fs::write(rig.folder.path().join("doomed"), "").unwrap();
    kill(line.pid, Signal::KILL).unwrap();
    drop(line);
    let pidfd = process::pidfd_open(rig.keeper).unwrap();
    // Signals of one number may be merged, and one may reach a supervisor that is about to die.
    while process::kill(rig.keeper, Signal::TERM).is_ok() {
        let pause = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let mut fds = [rustix::event::PollFd::new(
            &pidfd,
            rustix::event::PollFlags::IN,
        )];
        if rustix::event::poll(&mut fds, Some(&pause)).unwrap() > 0 {
            break;
        }
    }
    assert_eq!(rig.wait(), process::ExitStatus::Code(128 + 15));
    assert!(is_gone(pid));
}

pub fn killed_again_and_again() {
    let (rig, mut line) = Rig::supervised();
    // Up, and killed at once, more often than any series of failures may go on without a pause.
    for _ in 0..30 {
        line.send(&ToKeeper::Up, &[]);
        line.kill();
        line = rig.supervisor();
        assert_eq!(line.restored().hello.series, 0);
    }
    // Two that fail by themselves, one of them although it was up, with a killed one between them.
    line.send(&ToKeeper::Up, &[]);
    line.end(3);
    line = rig.supervisor();
    assert_eq!(line.restored().hello.series, 1);
    line.kill();
    line = rig.supervisor();
    assert_eq!(line.restored().hello.series, 1);
    line.end(3);
    line = rig.supervisor();
    assert_eq!(line.restored().hello.series, 2);
    rig.finish(&line);
}
