//! Descendants of workers, and main processes that moved.

use std::os::fd::AsFd as _;

use rota_keeper::protocol::{ExitStatus, FromKeeper, Refusal, ToKeeper};
use rota_sys::process::{self};
use rota_sys::procfs;

use crate::rig::{Rig, is_gone, pipe, shell, worker};

pub fn family() {
    for status in [
        ExitStatus::Signal {
            number: 15,
            core: false,
        },
        ExitStatus::Signal {
            number: 9,
            core: false,
        },
    ] {
        let (rig, line) = Rig::supervised();
        let bystander = line.spawn(2, shell("setsid sleep 1000 & wait"), &[]);
        let (spec, write, mut output) = worker(&["family", "2"]);
        let pid = line.spawn(1, spec, &[write.as_fd()]);
        drop(write);
        // Itself, two children, four grandchildren; some of them without the mark, in sessions of their own.
        let all: Vec<_> = (0..7).map(|_| output.pid()).collect();
        assert!(all.contains(&pid));
        let ExitStatus::Signal { number, .. } = status else {
            unreachable!()
        };
        line.send(
            &ToKeeper::Signal {
                child: 1,
                signal: number,
                group: false,
            },
            &[],
        );
        assert_eq!(line.exited(1).status, status);
        for process in &all {
            assert!(is_gone(*process), "{process} lives on");
        }
        assert_eq!(output.rest(), "");
        assert!(!is_gone(bystander));
        assert_eq!(
            procfs::children(bystander).unwrap().len(),
            1,
            "the other worker's family is untouched"
        );
        rig.finish(&line);
    }
}

pub fn moved_main() {
    let (rig, line) = Rig::supervised();
    let (mut spec, write, mut output) = worker(&["daemon"]);
    let (gate, hold) = pipe();
    spec.targets.push(4);
    let leader = line.spawn(1, spec.clone(), &[write.as_fd(), gate.as_fd()]);
    drop(write);
    let main = output.pid();
    line.send(
        &ToKeeper::MainPid {
            child: 1,
            pid: main,
        },
        &[],
    );
    // Requests are answered in order: this answer says that the one before has been dealt with.
    line.send(
        &ToKeeper::Signal {
            child: 99,
            signal: 1,
            group: false,
        },
        &[],
    );
    assert!(matches!(
        line.message(),
        FromKeeper::SignalFailed { child: 99, .. }
    ));
    let pidfd = process::pidfd_open(leader).unwrap();
    drop(hold);
    crate::rig::readable(pidfd.as_fd());
    line.send(
        &ToKeeper::Signal {
            child: 1,
            signal: 15,
            group: false,
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
    assert!(is_gone(leader) && is_gone(main));

    // The main process ends below a leader that lives: the leader goes too, the status is its own secret.
    let (_, write, mut output) = worker(&[]);
    let mut spec = shell("sleep 1000 & echo $!; wait; sleep 1000");
    spec.targets = vec![1];
    let leader = line.spawn(2, spec, &[write.as_fd()]);
    drop(write);
    let main = output.pid();
    line.send(
        &ToKeeper::MainPid {
            child: 2,
            pid: main,
        },
        &[],
    );
    line.send(
        &ToKeeper::Signal {
            child: 2,
            signal: 15,
            group: false,
        },
        &[],
    );
    assert_eq!(line.exited(2).status, ExitStatus::Unknown);
    assert!(is_gone(leader) && is_gone(main));
    rig.finish(&line);
}

pub fn foreign_main() {
    let (rig, line) = Rig::supervised();
    line.spawn(1, shell("exec sleep 1000"), &[]);
    let other = line.spawn(2, shell("exec sleep 1000"), &[]);
    for (child, pid, reason) in [
        (1, std::process::id(), Refusal::NotADescendant),
        (1, rig.keeper, Refusal::NotADescendant),
        (1, 1, Refusal::NotADescendant),
        (1, 0, Refusal::NotADescendant),
        (1, u32::MAX, Refusal::NotADescendant),
        (1, other, Refusal::NotADescendant),
        (3, other, Refusal::NoSuchChild),
    ] {
        line.send(&ToKeeper::MainPid { child, pid }, &[]);
        assert!(
            matches!(line.message(), FromKeeper::Refused { reason: why, .. } if why == reason),
            "{pid}"
        );
    }
    line.send(&ToKeeper::Forget { child: 2 }, &[]);
    assert!(matches!(
        line.message(),
        FromKeeper::Refused {
            reason: Refusal::StillRunning,
            ..
        }
    ));
    rig.finish(&line);
}
