//! Large, wrong and too many messages.

use std::fs::{self};
use std::os::fd::{AsFd as _, BorrowedFd};

use rota_keeper::protocol::{FromKeeper, Refusal, SpawnSpec, ToKeeper};
use rota_sys::process::kill;
use rota_sys::signal::Signal;
use rota_sys::{procfs, scm};

use crate::rig::{Rig, pipe, shell};

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
