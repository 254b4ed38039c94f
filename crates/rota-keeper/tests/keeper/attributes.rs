//! Who children are, and what they may use.

use std::os::fd::AsFd as _;

use rota_keeper::protocol::{
    Attributes, FromKeeper, Identity, Rlimit, SpawnSpec, SpawnStage, ToKeeper,
};
use rota_sys::spawn::rlimit_number;

use crate::rig::{Rig, pipe, shell, spawn};

fn somebody() -> Option<Identity> {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("only root can run a child as somebody else: not tested");
    }
    root.then(|| Identity {
        uid: 54_321,
        gid: 54_322,
        groups: vec![54_323],
    })
}

pub fn attributes() {
    let (rig, line) = Rig::supervised();
    let identity = somebody();
    let mut spec = shell(
        "id -u; id -G; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; nice; umask; grep -c NoNewPrivs:.1 /proc/self/status",
    );
    spec.cwd = Some("/".into());
    spec.targets = vec![1];
    spec.umask = Some(0o77);
    spec.nice = Some(2);
    spec.attributes = Some(Box::new(Attributes {
        identity: identity.clone(),
        rlimits: vec![Rlimit {
            resource: rlimit_number("nofile").unwrap(),
            soft: 50,
            hard: 60,
        }],
        oom_score_adj: Some(600),
        no_new_privs: true,
    }));
    let (read, write) = pipe();
    line.send(&spawn(1, spec), &[write.as_fd()]);
    drop(write);
    assert!(matches!(
        line.message(),
        FromKeeper::Spawned { child: 1, .. }
    ));
    let text = std::io::read_to_string(std::fs::File::from(read)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    if identity.is_some() {
        assert_eq!(lines[..2], ["54321", "54322 54323"], "{text}");
    }
    assert_eq!(lines[2..6], ["50", "60", "600", "2"], "{text}");
    assert_eq!(lines[6].trim_start_matches('0'), "77");
    assert_eq!(lines[7], "1");
    line.exited(1);
    line.send(&ToKeeper::Forget { child: 1 }, &[]);
    rig.finish(&line);
}

pub fn refused() {
    let (rig, line) = Rig::supervised();
    let limit = Rlimit {
        resource: rlimit_number("core").unwrap(),
        soft: 2,
        hard: 1,
    };
    let of = |attributes| SpawnSpec {
        attributes: Some(Box::new(attributes)),
        ..shell("true")
    };
    let bad = Attributes {
        rlimits: vec![limit],
        ..Attributes::default()
    };
    let score = Attributes {
        oom_score_adj: Some(1001),
        ..Attributes::default()
    };
    for attributes in [bad, score] {
        line.send(&spawn(1, of(attributes)), &[]);
        match line.message() {
            FromKeeper::SpawnFailed { stage, message, .. } => {
                assert_eq!(stage, SpawnStage::Limits, "{message}");
                assert!(message.contains("cannot set the limits of"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    rig.finish(&line);
}
