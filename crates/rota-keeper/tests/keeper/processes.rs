//! Spawning, signals and ends.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;

use rota_keeper::protocol::{ExitStatus, FromKeeper, SpawnSpec, SpawnStage, ToKeeper};
use rota_sys::process::{self};
use rota_sys::procfs;
use rota_sys::signal::Signal;

use crate::rig::{Rig, is_gone, pipe, shell};

pub fn ends() {
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

pub fn signals() {
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

pub fn failed_spawns() {
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

pub fn many() {
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

pub fn exit_kills() {
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
