//! Large, wrong and too many messages.

use std::fs::{self};
use std::os::fd::{AsFd as _, BorrowedFd};

use rota_keeper::protocol::{FromKeeper, Mode, Refusal, SpawnSpec, ToKeeper};
use rota_sys::process::kill;
use rota_sys::signal::Signal;
use rota_sys::{procfs, scm};

use crate::rig::{Rig, pipe, put, put_blob, shell};

pub fn large() {
    let (rig, line) = Rig::supervised();
    let (read, write) = pipe();
    let many: Vec<BorrowedFd<'_>> = std::iter::repeat_n(read.as_fd(), 250).collect();
    let big = vec![0x5a; 3 * 1024 * 1024];
    line.send(
        &ToKeeper::Put {
            key: "big".into(),
            blob: big.clone(),
        },
        &many,
    );
    line.send(
        &ToKeeper::Put {
            key: "edge".into(),
            blob: vec![1; 64 * 1024 - 1],
        },
        &[],
    );
    line.send(
        &ToKeeper::Put {
            key: "over".into(),
            blob: vec![1; 9 * 1024 * 1024],
        },
        &[],
    );
    assert!(matches!(
        line.message(),
        FromKeeper::Refused {
            reason: Refusal::Limit,
            ..
        }
    ));
    let too_many: Vec<_> = std::iter::repeat_n(read.as_fd(), 251).collect();
    let error = line
        .client
        .send(
            &ToKeeper::Put {
                key: "x".into(),
                blob: vec![],
            },
            &too_many,
        )
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    drop((read, write));
    kill(line.pid, Signal::KILL).unwrap();
    drop(line);
    let line = rig.supervisor();
    let restored = line.restored();
    let (_, blob, fds) = restored
        .entries
        .iter()
        .find(|(key, ..)| key == "big")
        .unwrap();
    assert!(*blob == big && fds.len() == 250);
    rig.finish(&line);
}

pub fn rubbish() {
    let (rig, line) = Rig::supervised();
    let (read, _write) = pipe();
    let before = procfs::fd_count(rig.keeper).unwrap();
    let packets: [&[u8]; 9] = [
        &[7, 1, 2],
        &[0],
        &[0, 0xff],
        &[0, 0x82, 0x18, 99, 0x80],
        &[0, 0x9f, 0x9f, 0x9f, 0x9f],
        &[
            0, 0x82, 0, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        &[1],
        &[1, 0xff, 0xff, 0xff, 0xff],
        &[1, 4, 0, 0, 0],
    ];
    let mut long = vec![0_u8; 80_000];
    long[1] = 0x5a;
    for packet in packets.into_iter().chain([long.as_slice()]) {
        for fds in [vec![], vec![read.as_fd(); 3]] {
            scm::send(&line.client, packet, &fds).unwrap();
            let FromKeeper::Refused {
                reason, message, ..
            } = line.message()
            else {
                panic!()
            };
            assert_eq!(reason, Refusal::Undecodable, "{message}");
        }
    }
    assert_eq!(
        procfs::fd_count(rig.keeper).unwrap(),
        before,
        "descriptors that came with rubbish are closed"
    );
    line.spawn(1, shell("exit 0"), &[]);
    line.exited(1);
    rig.finish(&line);
}

pub fn full_table() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let (rig, line) = Rig::supervised();
    let (read, _write) = pipe();
    let keeper = Pid::from_raw(i32::try_from(rig.keeper).unwrap());
    let limit = |current| {
        prlimit(
            keeper,
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                maximum: Some(4096),
            },
        )
        .unwrap()
    };
    let taken =
        |number: &u64| fs::symlink_metadata(format!("/proc/{}/fd/{number}", rig.keeper)).is_ok();
    limit((0..).find(|number| !taken(number)).unwrap());
    let fds = [read.as_fd(), read.as_fd()];
    line.send(
        &ToKeeper::Put {
            key: "a".into(),
            blob: vec![],
        },
        &fds,
    );
    let FromKeeper::Refused {
        reason,
        about,
        message,
    } = line.message()
    else {
        panic!()
    };
    assert_eq!((reason, about.as_str()), (Refusal::FdsLost, "a"));
    assert!(message.contains("ulimit -n"), "{message}");
    for targets in [vec![1, 2], vec![]] {
        let spec = SpawnSpec {
            targets: targets.clone(),
            ..shell("exit 0")
        };
        line.send(
            &ToKeeper::Spawn {
                request: 5,
                child: 5,
                spec,
            },
            &fds[..targets.len()],
        );
        let FromKeeper::SpawnFailed {
            request: 5,
            errno,
            message,
            ..
        } = line.message()
        else {
            panic!()
        };
        assert_eq!(errno, rustix::io::Errno::MFILE.raw_os_error(), "{message}");
        assert!(message.contains("ulimit -n"), "{message}");
    }
    // No supervisor can be started either, until there is room again.
    kill(line.pid, Signal::KILL).unwrap();
    drop(line);
    limit(256);
    let line = rig.supervisor();
    assert_eq!(line.restored().entries.len(), 2);
    line.spawn(5, shell("exit 0"), &[]);
    line.exited(5);
    rig.finish(&line);
}

pub fn much_to_hand_back() {
    let (rig, line) = Rig::supervised();
    // Much more than the socket takes at once, each with descriptors of its own.
    const ENTRIES: usize = 1000;
    let ends: Vec<_> = (0..ENTRIES)
        .map(|number| {
            let (read, write) = pipe();
            let entry = put(&format!("entry {number:04}"), &[b'x'; 1000]);
            line.send(&entry, &[read.as_fd(), write.as_fd()]);
            rustix::fs::fstat(&read).unwrap().st_ino
        })
        .collect();
    line.settle();
    line.kill();
    // This one hardly begins to read, and dies.
    let line = rig.supervisor();
    assert!(matches!(line.message(), FromKeeper::Hello(_)));
    line.kill();
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.entries.len(), ENTRIES + 2);
    for ((key, blob, fds), inode) in restored.entries[2..].iter().zip(ends) {
        assert_eq!((blob.len(), fds.len()), (1000, 2), "{key}");
        assert_eq!(rustix::fs::fstat(&fds[0]).unwrap().st_ino, inode, "{key}");
    }
    let before = procfs::fd_count(rig.keeper).unwrap();
    for (key, ..) in &restored.entries[2..] {
        line.send(&ToKeeper::Drop { key: key.clone() }, &[]);
    }
    line.settle();
    assert_eq!(procfs::fd_count(rig.keeper).unwrap(), before - 2 * ENTRIES);
    rig.finish(&line);
}

pub fn no_growth() {
    let (rig, line) = Rig::supervised();
    let (read, _write) = pipe();
    let mut random = fastrand::Rng::with_seed(4);
    let mut state = [0; 4000];
    let mut turn = |turns: usize| {
        for _ in 0..turns {
            let key = format!("state/{}", random.usize(..100));
            let length = random.usize(..state.len());
            state[..8].fill(random.u8(..));
            line.hold(&put_blob(&key, &state[..length]), &[]);
            if random.usize(..10) == 0 {
                let key = format!("listener/{}", random.usize(..100));
                line.send_as(Mode::Last, &put(&key, &state[..length]), &[read.as_fd()]);
            }
        }
        line.settle();
        resident_kib(rig.keeper)
    };
    turn(20_000);
    let before = turn(20_000);
    let after = turn(60_000);
    assert!(
        after < before + 512,
        "{before} KiB, and {after} KiB after three times as many requests"
    );
    rig.finish(&line);
}

pub fn no_growth_by_children() {
    let (rig, line) = Rig::supervised();
    let round = |from: u64, children: u64| {
        for child in from..from + children {
            line.spawn(child, shell("exit 0"), &[]);
            line.exited(child);
            line.send(&ToKeeper::Forget { child }, &[]);
        }
        line.settle();
        let fds = procfs::fd_count(rig.keeper).unwrap();
        (resident_kib(rig.keeper), fds)
    };
    round(1, 500);
    let (before, fds) = round(1_001, 500);
    let (after, fds_after) = round(10_001, 4_000);
    assert!(
        after < before + 256,
        "{before} KiB, and {after} KiB after eight times as many children"
    );
    assert_eq!(fds_after, fds);
    rig.finish(&line);
}

fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .unwrap()
}
