//! Starting processes from one that has threads.

#![allow(clippy::unwrap_used)] // in what the tests share

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, OwnedFd};

use rota_sys::process::{self, ExitStatus};
use rota_sys::spawn::{Spawn, SpawnError, Stage};
use rota_sys::{limits, procfs};

/// Runs it to its end, with its stdout in a file.
fn run(spawn: Spawn<'static>) -> (ExitStatus, String) {
    let mut out = tempfile::tempfile().unwrap();
    let copy: OwnedFd = out.try_clone().unwrap().into();
    let mut spawn: Spawn<'_> = spawn;
    spawn.fds.push((copy.as_fd(), 1));
    let pid = spawn.start().unwrap();
    let pidfd = process::pidfd_open(pid).unwrap();
    let mut poll = [rustix::event::PollFd::new(
        &pidfd,
        rustix::event::PollFlags::IN,
    )];
    rustix::event::poll(&mut poll, None).unwrap();
    let (status, _) = process::reap(pid).unwrap().unwrap();
    let mut text = String::new();
    out.rewind().unwrap();
    out.read_to_string(&mut text).unwrap();
    (status, text)
}

fn sh(command: &str) -> Spawn<'static> {
    Spawn::new("sh")
        .arg("-c")
        .arg(command)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
}

#[test]
fn the_child_is_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut spawn = sh("pwd; umask; echo $0 $LISTEN_PID $$; echo $1; exit 3")
        .arg("")
        .arg("$HOME 'x'");
    spawn.args[2] = "name".into();
    spawn.cwd = Some(folder.path().to_owned());
    spawn.umask = Some(0o27);
    spawn.pid_env = vec!["LISTEN_PID".into()];
    let (status, text) = run(spawn);
    assert_eq!(status, ExitStatus::Code(3));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        folder.path().canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(lines[1].trim_start_matches('0'), "27");
    let words: Vec<_> = lines[2].split(' ').collect();
    assert!(words[0] == "name" && words[1] == words[2], "{text}");
    assert_eq!(lines[3], "$HOME 'x'");
}

#[test]
fn groups_and_sessions() {
    for new_session in [false, true] {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut spawn = sh("read x").fd(&read, 0);
        spawn.new_session = new_session;
        let pid = spawn.start().unwrap();
        let stat = procfs::stat(pid).unwrap();
        assert_eq!(stat.group, pid);
        assert_eq!(stat.session == pid, new_session);
        drop(write);
        let pidfd = process::pidfd_open(pid).unwrap();
        rustix::event::poll(
            &mut [rustix::event::PollFd::new(
                &pidfd,
                rustix::event::PollFlags::IN,
            )],
            None,
        )
        .unwrap();
        process::reap(pid).unwrap().unwrap();
    }
}

#[test]
fn failures_name_the_stage_and_leave_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let before = procfs::fd_count(std::process::id()).unwrap_or(0);
    let table: Vec<(Spawn<'_>, Stage, &str)> = vec![
        (Spawn::new("/nowhere"), Stage::Exec, "does not exist"),
        (Spawn::new(folder.path()), Stage::Exec, "directory"),
        (
            Spawn::new("nowhere").env("PATH", "/bin"),
            Stage::Prepare,
            "not found on PATH",
        ),
        (
            Spawn {
                cwd: Some("/nowhere".into()),
                ..sh("")
            },
            Stage::Cwd,
            "/nowhere",
        ),
        (sh("\0"), Stage::Prepare, "NUL"),
        (sh("").env("A=B", ""), Stage::Prepare, "impossible name"),
        (sh("").env("", ""), Stage::Prepare, "impossible name"),
    ];
    for (spawn, stage, text) in table {
        let error = spawn.start().unwrap_err();
        assert_eq!(error.stage(), stage, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_ne!(error.errno(), 0);
    }
    let null = File::open("/dev/null").unwrap();
    for number in [-1, i32::MAX] {
        let error = sh("").fd(&null, number).start().unwrap_err();
        assert!(matches!(error, SpawnError::FdNumber(_)), "{error}");
    }
    assert!(sh("").fd(&null, 2_000_000_000).start().is_err());
    drop(null);
    // Other tests open files at the same time, but not dozens.
    assert!(procfs::fd_count(std::process::id()).unwrap_or(0) < before + 40);
}

#[test]
fn children_get_the_limit_of_before() {
    let (_, before) = run(sh("ulimit -Sn"));
    let raised = limits::raise_nofile().unwrap();
    let (_, after) = run(sh("ulimit -Sn"));
    assert_eq!(before, after);
    assert!(raised >= before.trim().parse().unwrap());
}

#[test]
fn many_at_once_from_several_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(
                        run(sh("echo hello")),
                        (ExitStatus::Code(0), "hello\n".to_owned())
                    );
                }
            });
        }
    });
}
