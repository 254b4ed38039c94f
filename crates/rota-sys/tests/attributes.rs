//! Who a spawned process is, and what it may use. Only root can become somebody else: the tests of that say so and
//! do nothing otherwise.

#![allow(clippy::unwrap_used)] // in what the tests share

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::AsFd as _;

use rota_sys::process::{self, ExitStatus};
use rota_sys::spawn::{Attributes, Identity, Rlimit, Spawn, Stage, rlimit_number};

/// An id that belongs to nobody.
const ID: u32 = 54_321;

/// Runs a shell command to its end and gives what it prints.
fn shell(command: &str, attributes: Attributes, nice: Option<i32>) -> String {
    let mut out: File = tempfile::tempfile().unwrap();
    let copy = out.try_clone().unwrap();
    let mut spawn = Spawn::new("/bin/sh").arg("-c").arg(command);
    spawn.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    spawn.cwd = Some("/".into());
    spawn.fds.push((copy.as_fd(), 1));
    spawn.attributes = attributes;
    spawn.nice = nice;
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
    assert_eq!(status, ExitStatus::Code(0), "{text}");
    text
}

fn status_line<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().split_whitespace().collect()
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root can do this");
    }
    root
}

fn somebody() -> Identity {
    Identity {
        uid: ID,
        gid: ID + 1,
        groups: vec![ID + 2, ID + 3],
    }
}

#[test]
fn it_is_somebody_else_for_good() {
    if !is_root() {
        return;
    }
    let attributes = Attributes {
        identity: Some(somebody()),
        no_new_privs: true,
        ..Attributes::default()
    };
    let status = shell("cat /proc/self/status", attributes, None);
    let uid = ID.to_string();
    assert_eq!(status_line(&status, "Uid:"), [uid.as_str(); 4]);
    let gid = (ID + 1).to_string();
    assert_eq!(status_line(&status, "Gid:"), [gid.as_str(); 4]);
    assert_eq!(status_line(&status, "Groups:"), ["54323", "54324"]);
    assert_eq!(status_line(&status, "NoNewPrivs:"), ["1"]);
    for kind in ["CapEff:", "CapPrm:", "CapAmb:"] {
        assert_eq!(status_line(&status, kind), ["0000000000000000"], "{kind}");
    }
}

#[test]
fn no_groups_are_left_of_root() {
    if !is_root() {
        return;
    }
    let identity = Identity {
        groups: Vec::new(),
        ..somebody()
    };
    let attributes = Attributes {
        identity: Some(identity),
        ..Attributes::default()
    };
    let status = shell("cat /proc/self/status", attributes, None);
    assert!(status_line(&status, "Groups:").is_empty());
    assert_eq!(status_line(&status, "NoNewPrivs:"), ["0"]);
}

#[test]
fn limits_score_and_priority_hold() {
    let limit = |name, soft, hard| Rlimit {
        resource: rlimit_number(name).unwrap(),
        soft,
        hard,
    };
    let attributes = Attributes {
        rlimits: vec![limit("nofile", 64, 128), limit("core", 0, 0)],
        oom_score_adj: Some(700),
        no_new_privs: true,
        ..Attributes::default()
    };
    let seen = shell(
        "ulimit -Sn; ulimit -Hn; ulimit -Hc; cat /proc/self/oom_score_adj; nice; grep NoNew /proc/self/status",
        attributes,
        Some(3),
    );
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(
        lines,
        ["64", "128", "0", "700", "3", "NoNewPrivs:\t1"],
        "{seen}"
    );
}

#[test]
fn limits_are_set_before_the_user() {
    if !is_root() {
        return;
    }
    let attributes = Attributes {
        identity: Some(somebody()),
        oom_score_adj: Some(5),
        ..Attributes::default()
    };
    let seen = shell("cat /proc/self/oom_score_adj; nice", attributes, Some(-2));
    assert_eq!(seen, "5\n-2\n");
}

#[test]
fn what_fails_is_told_with_its_stage() {
    let mut spawn = Spawn::new("/bin/true");
    spawn.attributes.rlimits = vec![Rlimit {
        resource: rlimit_number("core").unwrap(),
        soft: 2,
        hard: 1,
    }];
    let error = spawn.start().unwrap_err();
    assert_eq!(
        (error.stage(), error.errno()),
        (Stage::Limits, rustix::io::Errno::INVAL.raw_os_error())
    );

    let mut spawn = Spawn::new("/bin/true");
    spawn.attributes.oom_score_adj = Some(5000);
    assert_eq!(spawn.start().unwrap_err().stage(), Stage::Limits);

    for (uid, gid) in [(u32::MAX, ID), (ID, u32::MAX)] {
        let mut spawn = Spawn::new("/bin/true");
        let groups = Vec::new();
        spawn.attributes.identity = Some(Identity { uid, gid, groups });
        let error = spawn.start().unwrap_err();
        assert_eq!(
            error.stage(),
            Stage::Identity,
            "it would stay root: {error}"
        );
    }

    let mut spawn = Spawn::new("/bin/true");
    spawn.attributes.identity = Some(Identity {
        uid: u32::MAX - 1,
        ..somebody()
    });
    if !rustix::process::geteuid().is_root() {
        let error = spawn.start().unwrap_err();
        assert_eq!(error.stage(), Stage::Identity);
        assert!(error.to_string().contains("only root"), "{error}");
    }
}

#[test]
fn folder_and_program_must_be_open_to_the_user() {
    if !is_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(closed.path(), mode).unwrap();
    let mut spawn = Spawn::new("/bin/true");
    spawn.cwd = Some(closed.path().to_owned());
    spawn.attributes.identity = Some(somebody());
    let error = spawn.start().unwrap_err();
    assert_eq!(error.stage(), Stage::Cwd);
    assert!(error.to_string().contains("may the user enter"), "{error}");

    let program = closed.path().join("true");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut spawn = Spawn::new(program);
    spawn.cwd = Some("/".into());
    spawn.attributes.identity = Some(somebody());
    assert_eq!(spawn.start().unwrap_err().stage(), Stage::Exec);
}
