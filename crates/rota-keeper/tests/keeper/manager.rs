//! Keepers that are services.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};

use rota_keeper::protocol::{ExitStatus, FromKeeper, ToKeeper};

use crate::rig::{Manager, Rig, put, shell};

fn listener() -> OwnedFd {
    TcpListener::bind("127.0.0.1:0").unwrap().into()
}

fn name(fd: &OwnedFd) -> String {
    format!("rota-{}", rustix::fs::fstat(fd).unwrap().st_ino)
}

fn share(key: &str) -> ToKeeper {
    ToKeeper::Share { key: key.into() }
}

fn drop_entry(key: &str) -> ToKeeper {
    ToKeeper::Drop { key: key.into() }
}

/// The next notice leaves this socket.
#[track_caller]
fn is_left(manager: &Manager, socket: &OwnedFd) {
    let (text, fds) = manager.hears();
    let name = name(socket);
    assert_eq!(text, format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"));
    assert_eq!(fds.iter().map(self::name).collect::<Vec<_>>(), [name]);
}

/// The next notice takes this socket back.
#[track_caller]
fn is_taken_back(manager: &Manager, name: &str) {
    let (text, fds) = manager.hears();
    assert_eq!(text, format!("FDSTOREREMOVE=1\nFDNAME={name}"));
    assert!(fds.is_empty());
}

pub fn keeps() {
    let (rig, manager) = Rig::managed(&[("FDSTORE", "8")], &[]);
    let line = rig.supervisor();
    assert!(line.restored().hello.keeps_sockets);
    let (one, two) = (listener(), listener());
    line.send(&share("listener/1"), &[]);
    line.send(&put("listener/1", b"x"), &[one.as_fd()]);
    line.send(&share("listener/1"), &[]);
    is_left(&manager, &one);
    // The same socket in another entry is there already, and another one takes the place of one that goes.
    line.send(&put("app/1", b""), &[one.as_fd(), two.as_fd()]);
    line.send(&share("app/1"), &[]);
    is_left(&manager, &two);
    line.send(&drop_entry("listener/1"), &[]);
    line.send(&put("app/1", b""), &[one.as_fd()]);
    is_taken_back(&manager, &name(&two));
    // Neither the end of a supervisor nor another program changes anything.
    line.kill();
    let line = rig.supervisor();
    line.restored();
    let program = std::env::current_exe().unwrap().into_os_string();
    line.send(&ToKeeper::Upgrade { program }, &[]);
    let line = rig.supervisor();
    assert!(line.restored().hello.keeps_sockets);
    line.send(&ToKeeper::Up, &[]);
    line.send(&share("app/1"), &[]);
    line.send(&drop_entry("app/1"), &[]);
    is_taken_back(&manager, &name(&one));
    rig.finish(&line);
}

pub fn gives_back() {
    let (one, other) = (listener(), listener());
    let (own, others) = (name(&one), name(&other));
    let address = rustix::net::getsockname(&one).unwrap();
    let address: std::net::SocketAddr = address.try_into().unwrap();
    let mut fds = vec![one, other, listener()];
    // The second is not what it is called, and the third somebody else's.
    let names = format!("{own}:rota-1:web.socket");
    let env = [
        ("FDSTORE", "8"),
        ("LISTEN_FDS", "3"),
        ("LISTEN_FDNAMES", &names),
    ];
    let (rig, manager) = Rig::managed(&env, &fds);
    fds.clear();
    let line = rig.supervisor();
    let restored = line.restored();
    is_taken_back(&manager, "rota-1");
    let key = format!("stored/{}", &own["rota-".len()..]);
    let keys: Vec<_> = restored
        .entries
        .iter()
        .map(|(key, ..)| key.as_str())
        .collect();
    assert_eq!(keys, ["api", "boot", &key]);
    let socket = &restored.entries[2].2[0];
    assert_eq!(name(socket), own);
    TcpStream::connect(address).unwrap();
    // Whoever takes it leaves it where it is; who gives it up does not.
    line.send(&put("listener/1", b""), &[socket.as_fd()]);
    line.send(&share("listener/1"), &[]);
    line.send(&drop_entry(&key), &[]);
    line.send(&drop_entry("listener/1"), &[]);
    is_taken_back(&manager, &own);
    line.send(
        &ToKeeper::Notify {
            text: others.clone(),
        },
        &[],
    );
    assert_eq!(manager.hears().0, others);
    line.settle();
    drop(restored);
    assert!(TcpStream::connect(address).is_err(), "nobody has it");
    rig.finish(&line);
}

pub fn nonsense() {
    let long = "rota-1:".repeat(2000);
    for (count, names) in [
        ("1", "rota-"),
        ("-1", "rota-1"),
        ("99999999999999999999", "rota-1"),
        ("1000000", long.as_str()),
        ("3", ":::"),
        ("", ""),
    ] {
        let env = [
            ("FDSTORE", "0"),
            ("LISTEN_FDS", count),
            ("LISTEN_FDNAMES", names),
            ("WATCHDOG_USEC", count),
            ("WATCHDOG_PID", "1"),
        ];
        let (rig, manager) = Rig::managed(&env, &[listener()]);
        let line = rig.supervisor();
        let restored = line.restored();
        assert_eq!(restored.entries.len(), 2, "{count} {names}");
        assert!(!restored.hello.keeps_sockets);
        line.send(&put("listener/1", b""), &[listener().as_fd()]);
        line.send(&share("listener/1"), &[]);
        line.send(
            &ToKeeper::Notify {
                text: "READY=1".into(),
            },
            &[],
        );
        assert_eq!(manager.hears().0, "READY=1", "the first of all notices");
        rig.finish(&line);
    }
}

pub fn watchdog() {
    let (rig, manager) = Rig::managed(&[("WATCHDOG_USEC", "1000000")], &[]);
    let line = rig.supervisor();
    line.restored();
    // Nobody is asked who has not taken over.
    for _ in 0..2 {
        assert_eq!(manager.hears().0, "WATCHDOG=1");
    }
    line.send(&ToKeeper::Up, &[]);
    let mut asked = Vec::new();
    while asked.len() < 3 {
        let FromKeeper::Ping { number } = line.message() else {
            panic!("not asked");
        };
        line.send(&ToKeeper::Alive { number }, &[]);
        asked.push(number);
    }
    asked.dedup();
    assert_eq!(asked.len(), 3, "{asked:?}");
    // One that does not answer is killed, and the next one asked only when it is up.
    let next = rig.supervisor();
    assert_ne!(next.pid, line.pid);
    let hello = next.restored().hello;
    let status = hello.last_exit.unwrap().status;
    assert!(
        matches!(status, ExitStatus::Signal { number: 9, .. }),
        "{status:?}"
    );
    for _ in 0..4 {
        assert_eq!(manager.hears().0, "WATCHDOG=1");
    }
    next.settle();
    rig.finish(&next);
}

/// Without a manager.
pub fn own_watchdog() {
    let rig = Rig::watched(1_000_000);
    let line = rig.supervisor();
    line.restored();
    let child = line.spawn(1, shell("exec sleep 1000"), &[]);
    line.send(&ToKeeper::Up, &[]);
    for _ in 0..2 {
        let FromKeeper::Ping { number } = line.message() else {
            panic!("not asked");
        };
        line.send(&ToKeeper::Alive { number }, &[]);
    }
    let next = rig.supervisor();
    assert_ne!(next.pid, line.pid);
    let restored = next.restored();
    assert_eq!(restored.children, [(1, child, None)]);
    assert_eq!(restored.hello.series, 0, "the last one had been well");
    // One that does not take over hangs as well, and so does one that never answers; they are to blame.
    let mut last = next;
    for failures in 1..3 {
        if failures == 2 {
            last.send(&ToKeeper::Up, &[]);
        }
        last = rig.supervisor();
        assert_eq!(last.restored().hello.series, failures);
    }
    rig.finish(&last);
}
