//! The tests.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use rota_keeper::protocol::{
    Env, ExitStatus, FromKeeper, PROTOCOL_VERSION, Refusal, SpawnSpec, SpawnStage, ToKeeper,
};
use rota_sys::process::{self, kill};
use rota_sys::signal::Signal;
use rota_sys::{procfs, scm};

use crate::rig::{Rig, is_gone, pipe, shell, worker};

/// Every test by name.
pub const ALL: &[(&str, fn())] = &[
    ("greets_and_hands_over_what_it_was_started_with", greets),
    ("tells_how_children_end", ends),
    ("signals_a_process_or_its_group", signals),
    (
        "failed_spawns_say_why_and_leave_the_key_free",
        failed_spawns,
    ),
    (
        "descriptors_arrive_under_their_numbers_and_no_others",
        descriptors,
    ),
    ("the_environment_is_what_was_given_and_the_pid", environment),
    ("nothing_of_a_worker_survives_it", family),
    ("a_moved_main_process_is_the_child", moved_main),
    ("main_pids_of_others_are_refused", foreign_main),
    ("a_killed_supervisor_loses_nothing", killed_supervisor),
    ("a_supervisor_that_hangs_up_is_replaced", hung_up),
    ("what_was_sent_before_death_is_done", last_words),
    ("exits_wait_for_the_next_supervisor", exits_wait),
    ("signals_to_the_keeper_are_handed_on", forwarded),
    ("a_keeper_without_supervisor_can_be_stopped", doomed),
    ("large_messages_and_many_descriptors", large),
    ("rubbish_is_refused_and_harms_nothing", rubbish),
    ("many_children_at_once", many),
    ("exit_kills_what_is_left", exit_kills),
];

fn greets() {
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

fn ends() {
    let (rig, line) = Rig::supervised();
    line.spawn(1, shell("exit 7"), &[]);
    assert_eq!(line.exited(1).status, ExitStatus::Code(7));
    line.spawn(2, shell("kill -9 $$"), &[]);
    assert_eq!(
        line.exited(2).status,
        ExitStatus::Signal {
            number: 9,
            core: false
        }
    );
    // Default dispositions and no blocked signals, although the keeper blocks TERM and ignores PIPE.
    line.spawn(3, shell("kill -TERM $$; sleep 1000"), &[]);
    assert_eq!(
        line.exited(3).status,
        ExitStatus::Signal {
            number: 15,
            core: false
        }
    );
    line.spawn(4, shell("kill -PIPE $$; sleep 1000"), &[]);
    assert!(matches!(
        line.exited(4).status,
        ExitStatus::Signal { number: 13, .. }
    ));
    line.spawn(
        5,
        shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"),
        &[],
    );
    let used = line.exited(5);
    assert!(used.max_rss_kib > 100);
    assert!(used.user_us + used.system_us > 0);
    rig.finish(&line);
}

fn signals() {
    let (rig, line) = Rig::supervised();
    let (read, write) = pipe();
    let mut spec = shell("trap 'echo got' USR1; sleep 1000 & while :; do echo up; wait; done");
    spec.targets = vec![1];
    line.spawn(1, spec, &[write.as_fd()]);
    drop(write);
    let mut output = String::new();
    let mut file = File::from(read);
    let mut until = |what: &str| {
        let mut buffer = [0; 64];
        while !output.contains(what) {
            let read = file.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "ended before {what}");
            output.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    };
    until("up");
    line.send(
        &ToKeeper::Signal {
            child: 1,
            signal: Signal::USR1.number(),
            group: false,
        },
        &[],
    );
    until("got");
    line.send(
        &ToKeeper::Signal {
            child: 1,
            signal: Signal::KILL.number(),
            group: true,
        },
        &[],
    );
    assert_eq!(
        line.exited(1).status,
        ExitStatus::Signal {
            number: 9,
            core: false
        }
    );
    for (child, signal) in [(1, 15), (99, 15), (1, 4711)] {
        line.send(
            &ToKeeper::Signal {
                child,
                signal,
                group: true,
            },
            &[],
        );
        assert!(
            matches!(line.message(), FromKeeper::SignalFailed { child: of, errno: 1.., .. } if of == child)
        );
    }
    rig.finish(&line);
}

fn failed_spawns() {
    let (rig, line) = Rig::supervised();
    let script = rig.folder.path().join("script");
    fs::write(&script, "echo no first line\n").unwrap();
    let plain = rig.folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    process_mode(&script, 0o755);
    let huge = vec!["x".repeat(128 * 1024).into(); 60];
    let of = |program: &str| SpawnSpec {
        program: program.into(),
        ..SpawnSpec::default()
    };
    let cases = [
        (
            of("/nowhere/program"),
            SpawnStage::Exec,
            libc_errno("ENOENT"),
            "does not exist",
        ),
        (
            of("no-such-program"),
            SpawnStage::Prepare,
            libc_errno("ENOENT"),
            "PATH",
        ),
        (
            of(plain.to_str().unwrap()),
            SpawnStage::Exec,
            libc_errno("EACCES"),
            "executable",
        ),
        (of("/"), SpawnStage::Exec, libc_errno("EACCES"), "directory"),
        (
            of(script.to_str().unwrap()),
            SpawnStage::Exec,
            libc_errno("ENOEXEC"),
            "#!",
        ),
        (
            SpawnSpec {
                args: huge,
                ..of("sh")
            },
            SpawnStage::Exec,
            libc_errno("E2BIG"),
            "too large",
        ),
        (
            SpawnSpec {
                cwd: Some("/nowhere".into()),
                ..of("sh")
            },
            SpawnStage::Cwd,
            libc_errno("ENOENT"),
            "/nowhere",
        ),
        (
            SpawnSpec {
                targets: vec![4],
                ..of("sh")
            },
            SpawnStage::Request,
            libc_errno("EINVAL"),
            "descriptors",
        ),
        (
            SpawnSpec {
                args: vec!["a\0b".into()],
                ..of("sh")
            },
            SpawnStage::Prepare,
            libc_errno("EINVAL"),
            "NUL",
        ),
    ];
    for (number, (spec, stage, errno, text)) in cases.into_iter().enumerate() {
        let request = number as u64;
        line.send(
            &ToKeeper::Spawn {
                request,
                child: 5,
                spec,
            },
            &[],
        );
        match line.message() {
            FromKeeper::SpawnFailed {
                request: of,
                child: 5,
                stage: at,
                errno: why,
                message,
            } => {
                assert_eq!((of, at, why), (request, stage, errno), "{message}");
                assert!(message.contains(text), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    line.spawn(5, shell("exec sleep 1000"), &[]);
    line.send(
        &ToKeeper::Spawn {
            request: 1,
            child: 5,
            spec: shell("exit 0"),
        },
        &[],
    );
    assert!(matches!(
        line.message(),
        FromKeeper::SpawnFailed {
            stage: SpawnStage::Request,
            ..
        }
    ));
    rig.finish(&line);
}

fn process_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn libc_errno(name: &str) -> i32 {
    use rustix::io::Errno;
    let errno = match name {
        "ENOENT" => Errno::NOENT,
        "EACCES" => Errno::ACCESS,
        "ENOEXEC" => Errno::NOEXEC,
        "E2BIG" => Errno::TOOBIG,
        _ => Errno::INVAL,
    };
    errno.raw_os_error()
}

fn descriptors() {
    let (rig, line) = Rig::supervised();
    let (mut spec, write, mut output) = worker(&["descriptors"]);
    let files: Vec<_> = ["a", "b", "c"]
        .map(|name| rig.folder.path().join(name))
        .into_iter()
        .collect();
    let open: Vec<_> = files
        .iter()
        .map(|path| File::create(path).unwrap())
        .collect();
    // In the keeper the descriptors get low numbers: some of these targets are other ones' sources.
    spec.targets = vec![1, 9, 7, 8, 40];
    let fds = [
        write.as_fd(),
        open[0].as_fd(),
        open[1].as_fd(),
        open[2].as_fd(),
        open[0].as_fd(),
    ];
    line.spawn(1, spec, &fds);
    drop(write);
    let printed = output.rest();
    let name = |index: usize| files[index].display().to_string();
    let mut expected = vec![(7, name(1)), (8, name(2)), (9, name(0)), (40, name(0))];
    let mut found: Vec<(u32, String)> = printed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(number, target)| (number.parse().unwrap(), target.to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found[0], (0, "/dev/null".to_owned()));
    found.retain(|(number, _)| *number > 2);
    assert_eq!(found, expected);
    assert_eq!(line.exited(1).status, ExitStatus::Code(0));

    // Every order of three targets over the lowest numbers.
    for (child, targets) in [
        [3, 4, 5],
        [3, 5, 4],
        [4, 3, 5],
        [4, 5, 3],
        [5, 3, 4],
        [5, 4, 3],
    ]
    .iter()
    .enumerate()
    {
        let (mut spec, write, mut output) = worker(&["descriptors"]);
        spec.targets = [1].iter().chain(targets).copied().collect();
        let fds = [
            write.as_fd(),
            open[0].as_fd(),
            open[1].as_fd(),
            open[2].as_fd(),
        ];
        line.spawn(child as u64 + 10, spec, &fds);
        drop(write);
        let printed = output.rest();
        for (index, target) in targets.iter().enumerate() {
            assert!(
                printed.contains(&format!("{target} {}\n", name(index))),
                "{targets:?}: {printed}"
            );
        }
        line.exited(child as u64 + 10);
    }
    rig.finish(&line);
}

fn environment() {
    let (rig, line) = Rig::supervised();
    let (mut spec, write, mut output) = worker(&["environment"]);
    spec.env = [
        ("B", "2"),
        ("A", "1"),
        ("A", "last"),
        ("LISTEN_PID", "nonsense"),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect::<Env>();
    spec.pid_env = vec!["LISTEN_PID".into(), "MY_PID".into()];
    let pid = line.spawn(1, spec, &[write.as_fd()]);
    drop(write);
    let printed = output.rest();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 5, "{printed}");
    assert_eq!(
        lines[..4],
        [
            "A=last",
            "B=2",
            &format!("LISTEN_PID={pid}"),
            &format!("MY_PID={pid}")
        ]
    );
    assert!(lines[4].starts_with("ROTA_WORKER=") && lines[4].ends_with(":1"));
    line.exited(1);
    rig.finish(&line);
}

fn family() {
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

fn moved_main() {
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

fn foreign_main() {
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

fn killed_supervisor() {
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

fn hung_up() {
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

fn last_words() {
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

fn exits_wait() {
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

fn forwarded() {
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

fn doomed() {
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

fn large() {
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

fn rubbish() {
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

fn many() {
    let (rig, line) = Rig::supervised();
    for child in 0..300 {
        line.send(
            &ToKeeper::Spawn {
                request: child,
                child,
                spec: shell("exit 0"),
            },
            &[],
        );
    }
    let (mut spawned, mut exited) = (0, 0);
    while exited < 300 {
        match line.message() {
            FromKeeper::Spawned { request, .. } => {
                assert_eq!(request, spawned, "answers come in order");
                spawned += 1;
            }
            FromKeeper::Exited { exit, .. } => {
                assert_eq!(exit.status, ExitStatus::Code(0));
                exited += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(spawned, 300);
    let zombies: Vec<_> = procfs::children(rig.keeper).unwrap();
    assert_eq!(zombies, [line.pid]);
    rig.finish(&line);
}

fn exit_kills() {
    let (rig, line) = Rig::supervised();
    let pid = line.spawn(
        1,
        shell("trap '' TERM INT HUP; sleep 1000 & sleep 1000"),
        &[],
    );
    line.send(&ToKeeper::Exit { code: 42 }, &[]);
    line.send(
        &ToKeeper::Spawn {
            request: 1,
            child: 2,
            spec: shell("exec sleep 1000"),
        },
        &[],
    );
    loop {
        match line.message() {
            FromKeeper::SpawnFailed { .. } => break,
            FromKeeper::Exited { child: 1, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    line.end(0);
    assert_eq!(rig.wait(), process::ExitStatus::Code(42));
    assert!(is_gone(pid));
}
