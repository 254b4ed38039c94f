//! The keeper becomes another program.

use std::fs::{self};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rota_keeper::protocol::{ExitStatus, FromKeeper, Mode, ToKeeper, UpgradeNote};
use rota_sys::process::pidfd_open;
use rota_sys::procfs;

use crate::rig::{Line, Rig, is_gone, pipe, put, put_blob, readable, shell, worker};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn upgrade(program: &Path) -> ToKeeper {
    ToKeeper::Upgrade {
        program: program.into(),
    }
}

/// Writes a shell script, with `$real` as this very binary.
fn script(rig: &Rig, name: &str, text: &str) -> PathBuf {
    let path = rig.folder.path().join(name);
    let real = std::env::current_exe().unwrap();
    fs::write(
        &path,
        format!("#!/bin/sh\nreal='{}'\n{text}\n", real.display()),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The next message, which says that there is no upgrade.
fn failure(line: &Line) -> String {
    match line.message() {
        FromKeeper::UpgradeFailed { message } => message,
        other => panic!("{other:?}"),
    }
}

fn inode(fd: &OwnedFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

/// The soft limit of open files that children get.
fn child_limit(line: &Line, child: u64) -> String {
    let (_, write, mut output) = worker(&[]);
    let mut spec = shell("ulimit -n");
    spec.targets = vec![1];
    line.spawn(child, spec, &[write.as_fd()]);
    drop(write);
    let limit = output.rest();
    line.exited(child);
    line.send(&ToKeeper::Forget { child }, &[]);
    limit
}

pub fn keeps_everything() {
    let (rig, line) = Rig::supervised();
    let limit = child_limit(&line, 100);
    let (spec, write, mut output) = worker(&["family", "1"]);
    let family = line.spawn(1, spec, &[write.as_fd()]);
    drop(write);
    let members: Vec<_> = (0..3).map(|_| output.pid()).collect();
    let victim = line.spawn(2, shell("exec sleep 1000"), &[]);
    line.spawn(3, shell("exit 7"), &[]);
    line.exited(3);
    let (spec, write, mut output) = worker(&["daemon"]);
    let mut spec = spec;
    spec.targets.push(4);
    let (gate, hold) = pipe();
    let leader = line.spawn(4, spec, &[write.as_fd(), gate.as_fd()]);
    drop(write);
    let main = output.pid();
    line.send(
        &ToKeeper::MainPid {
            child: 4,
            pid: main,
        },
        &[],
    );
    line.settle();
    let leader_end = pidfd_open(leader).unwrap();
    drop(hold);
    readable(leader_end.as_fd());
    let (read, write) = pipe();
    line.send(&put("pipe", b"blob"), &[read.as_fd(), write.as_fd()]);
    line.send(&put_blob("large", &vec![9; 1_000_000]), &[]);
    line.settle();
    let before = procfs::fd_count(rig.keeper).unwrap();

    // The keeper's process is a shell for a while, in which a child dies and a signal comes. It uses no other programs, for a shell
    // that waits for those would reap the keeper's children.
    let program = script(
        &rig,
        "next",
        &format!(
            "if [ \"$2\" = --resume ]; then
                 kill -9 {victim}
                 kill -TERM $$
                 while read -r line </proc/{victim}/stat; do case $line in *') Z '*) break;; esac; done
             fi
             exec \"$real\" \"$@\""
        ),
    );
    line.hold(&put_blob("committed", b""), &[]);
    line.send_as(Mode::Last, &upgrade(&program), &[]);
    line.hold(&put_blob("never", b""), &[]);
    let line = rig.supervisor();
    let restored = line.restored();
    let note = UpgradeNote {
        from: VERSION.to_owned(),
        to: Some(VERSION.to_owned()),
        program: program.clone().into(),
        failed: None,
    };
    assert_eq!(restored.hello.upgrade, Some(note));
    assert_eq!(restored.hello.keeper_pid, rig.keeper);
    assert!(restored.hello.foreground);
    assert_eq!((restored.hello.restarts, restored.hello.series), (1, 0));
    let keys: Vec<_> = restored
        .entries
        .iter()
        .map(|(key, ..)| key.as_str())
        .collect();
    assert_eq!(keys, ["api", "boot", "committed", "large", "pipe"]);
    assert_eq!(restored.entry("large").unwrap().0, vec![9; 1_000_000]);
    let (_, blob, fds) = &restored.entries[4];
    assert_eq!(blob, b"blob");
    assert_eq!(
        [inode(&fds[0]), inode(&fds[1])],
        [inode(&read), inode(&write)]
    );
    let pids: Vec<_> = restored
        .children
        .iter()
        .map(|(child, pid, _)| (*child, *pid))
        .collect();
    assert_eq!(
        (pids[0], pids[1], pids[3]),
        ((1, family), (2, victim), (4, main))
    );
    assert_eq!(restored.children[2].2.unwrap().status, ExitStatus::Code(7));
    // The child's end and the signal, both from the time in between.
    let (mut end, mut signalled) = (restored.children[1].2, false);
    while end.is_none() || !signalled {
        match line.message() {
            FromKeeper::Exited { child: 2, exit, .. } => end = Some(exit),
            FromKeeper::Signal { number: 15 } => signalled = true,
            other => panic!("{other:?}"),
        }
    }
    let killed = ExitStatus::Signal {
        number: 9,
        core: false,
    };
    assert_eq!(end.unwrap().status, killed);
    assert!(
        rota_sys::lock::attempt(&rig.folder.path().join("lock"))
            .unwrap()
            .is_none()
    );

    // Up, it has let go of the program of before, and tells nothing any more.
    line.send(&ToKeeper::Up, &[]);
    line.settle();
    assert_eq!(procfs::fd_count(rig.keeper).unwrap(), before);
    assert_no_descriptor_is_inheritable(rig.keeper);
    line.kill();
    let line = rig.supervisor();
    assert_eq!(line.restored().hello.upgrade, None);
    // The children are its own as before: their limits, their families, their main processes.
    assert_eq!(child_limit(&line, 100), limit);
    for (child, gone) in [(1, members), (4, vec![main])] {
        line.send(
            &ToKeeper::Signal {
                child,
                signal: 15,
                group: false,
            },
            &[],
        );
        assert_eq!(
            line.exited(child).status,
            ExitStatus::Signal {
                number: 15,
                core: false
            }
        );
        assert!(gone.into_iter().all(is_gone));
    }
    rig.finish(&line);
}

fn assert_no_descriptor_is_inheritable(process: u32) {
    for entry in fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap() {
        let entry = entry.unwrap();
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        let info = fs::read_to_string(entry.path()).unwrap();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert!(number <= 2 || flags & 0o2_000_000 != 0, "{number}");
    }
}

pub fn failed() {
    let (rig, line) = Rig::supervised();
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    let plain = rig.folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let broken = script(&rig, "broken", "echo 'something is missing' >&2; exit 3");
    let killed = script(&rig, "killed", "kill -9 $$");
    let before = procfs::fd_count(rig.keeper).unwrap();
    for (program, text) in [
        (Path::new("/nowhere/rota"), "does not exist"),
        (Path::new("rota"), "absolute"),
        (&plain, "executable"),
        (&broken, "exited with code 3: something is missing"),
        (&killed, "was ended by SIGKILL"),
        (Path::new("/bin/true"), "is it rota?"),
    ] {
        line.send(&upgrade(program), &[]);
        let message = failure(&line);
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(procfs::fd_count(rig.keeper).unwrap(), before);
    assert_eq!(procfs::children(rig.keeper).unwrap(), [line.pid, pid]);
    rig.finish(&line);
}

pub fn serves_meanwhile() {
    let (rig, line) = Rig::supervised();
    let hanging = script(&rig, "hanging", "exec sleep 1000");
    line.send(&upgrade(&hanging), &[]);
    line.send(&upgrade(&hanging), &[]);
    assert!(failure(&line).contains("under way"));
    line.spawn(1, shell("exit 0"), &[]);
    line.exited(1);
    // It waits on for the answer although the one who has asked is gone.
    line.kill();
    let line = rig.supervisor();
    assert_eq!(line.restored().hello.upgrade, None);
    assert!(failure(&line).contains("hanging has not read"));
    line.kill();
    let line = rig.supervisor();
    let note = line.restored().hello.upgrade.unwrap();
    assert_eq!(note.to, None);
    assert!(note.failed.unwrap().contains("hanging has not read"));
    // The end of the daemon does not wait for it.
    line.send(&upgrade(&hanging), &[]);
    rig.finish(&line);
}

pub fn no_exec() {
    let (rig, line) = Rig::supervised();
    let fleeting = script(&rig, "fleeting", "chmod -x \"$0\"; exec \"$real\" \"$@\"");
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    line.send(&upgrade(&fleeting), &[]);
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(restored.children, [(1, pid, None)]);
    let note = restored.hello.upgrade.unwrap();
    assert_eq!((note.from.as_str(), note.to), (VERSION, None));
    assert!(note.failed.unwrap().contains("Permission denied"));
    assert_no_descriptor_is_inheritable(rig.keeper);
    rig.finish(&line);
}

/// A keeper that is a copy of this program, and a second copy.
fn two_programs(second: &str) -> (Rig, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        let path = folder.path().join(name);
        fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        path
    };
    let (first, second) = (copy("first"), copy(second));
    let rig = Rig::start_as(folder, &first);
    (rig, first, second)
}

fn program_of(process: u32) -> String {
    let path = fs::read_link(format!("/proc/{process}/exe")).unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

pub fn back_after_failures() {
    let (rig, first, second) = two_programs("second");
    let line = rig.supervisor();
    line.restored();
    line.send(&ToKeeper::Up, &[]);
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    let (read, _write) = pipe();
    line.send(&put("pipe", b""), &[read.as_fd()]);
    fs::write(rig.folder.path().join("doomed-second"), "").unwrap();
    // As a package manager does it, under the running keeper.
    fs::remove_file(&first).unwrap();
    line.send(&upgrade(&second), &[]);
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(program_of(rig.keeper), "first (deleted)");
    assert_eq!(program_of(line.pid), "first (deleted)");
    let note = restored.hello.upgrade.unwrap();
    assert_eq!(note.to.as_deref(), Some(VERSION));
    assert_eq!(note.program, second.as_os_str());
    assert!(note.failed.unwrap().contains("3 times"));
    // The one that was killed for the upgrade, and the three of the new program. They are not this one's series.
    assert_eq!((restored.hello.restarts, restored.hello.series), (4, 0));
    assert_eq!(restored.children, [(1, pid, None)]);
    assert_eq!(inode(&restored.entries[2].2[0]), inode(&read));
    // And once more, for good.
    fs::remove_file(rig.folder.path().join("doomed-second")).unwrap();
    line.send(&ToKeeper::Up, &[]);
    line.send(&upgrade(&second), &[]);
    let line = rig.supervisor();
    assert_eq!(line.restored().hello.upgrade.unwrap().failed, None);
    assert_eq!(
        (
            program_of(rig.keeper).as_str(),
            program_of(line.pid).as_str()
        ),
        ("second", "second")
    );
    rig.finish(&line);
}

pub fn back_after_silence() {
    let (rig, first, second) = two_programs("second");
    let line = rig.supervisor();
    line.restored();
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    line.send(&upgrade(&second), &[]);
    let silent = rig.supervisor();
    silent.restored();
    // What it has asked for before it had to go is done.
    silent.send(&put_blob("from the second", b""), &[]);
    silent.send(&upgrade(&first), &[]);
    assert!(failure(&silent).contains("under way"));
    let line = rig.supervisor();
    let restored = line.restored();
    assert!(is_gone(silent.pid));
    assert_eq!(program_of(rig.keeper), "first");
    assert!(
        restored
            .hello
            .upgrade
            .as_ref()
            .unwrap()
            .failed
            .as_ref()
            .unwrap()
            .contains("not up")
    );
    assert!(restored.entry("from the second").is_some());
    assert_eq!(restored.children, [(1, pid, None)]);
    rig.finish(&line);
}

pub fn given_back() {
    let (rig, _, second) = two_programs("overstrained");
    let line = rig.supervisor();
    line.restored();
    let pid = line.spawn(1, shell("exec sleep 1000"), &[]);
    line.send(&upgrade(&second), &[]);
    let line = rig.supervisor();
    let restored = line.restored();
    assert_eq!(program_of(rig.keeper), "first");
    assert_eq!(restored.children, [(1, pid, None)]);
    let note = restored.hello.upgrade.unwrap();
    assert_eq!(note.to, None);
    let why = note.failed.unwrap();
    assert!(why.contains("cannot read the state"), "{why}");
    assert_eq!(restored.hello.restarts, 1);
    rig.finish(&line);
}
