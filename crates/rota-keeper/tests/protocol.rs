//! The protocol's messages: there and back, cut short, damaged, and from another version.

#![allow(clippy::unwrap_used)] // in what the tests share

use std::fmt::Debug;
use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};

use minicbor::{Decode, Encode};
use rota_keeper::protocol::{
    Attributes, Env, ExitInfo, ExitStatus, FrameError, FromKeeper, GroupExit, GroupSpec,
    GroupsNote, Hello, INLINE_MAX, Identity, MAX_FDS, MESSAGE_MAX, Mode, Refusal, Rlimit,
    SpawnSpec, SpawnStage, ToKeeper, UpgradeNote, decode, encode, encode_as, open_body,
};
use rota_sys::memfd;

const EXIT: ExitInfo = ExitInfo {
    status: ExitStatus::Signal {
        number: 11,
        core: true,
    },
    max_rss_kib: 40_000,
    user_us: u64::MAX,
    system_us: 1,
    group: None,
};

fn requests() -> Vec<ToKeeper> {
    use std::os::unix::ffi::OsStringExt as _;
    let not_utf8 = std::ffi::OsString::from_vec(vec![b'x', 0xff, 0xfe]);
    let spec = SpawnSpec {
        program: "/usr/bin/node".into(),
        args: vec!["app.js".into(), "".into(), not_utf8.clone()],
        argv0: Some("node".into()),
        env: Env(vec![
            ("PATH".into(), "/bin".into()),
            ("SECRET".into(), not_utf8),
        ]),
        cwd: Some("/srv/app".into()),
        targets: vec![1, 2, 3, 40],
        new_session: true,
        pid_env: vec!["LISTEN_PID".into()],
        umask: Some(0o27),
        nice: Some(-5),
        attributes: Some(Box::new(Attributes {
            identity: Some(Identity {
                uid: 33,
                gid: u32::MAX,
                groups: vec![4, 110],
            }),
            rlimits: vec![Rlimit {
                resource: 7,
                soft: 1024,
                hard: u64::MAX,
            }],
            oom_score_adj: Some(-1000),
            no_new_privs: true,
        })),
        group: Some(Box::new(GroupSpec {
            label: "api-0".to_owned(),
            memory_max: Some(u64::MAX),
            memory_high: Some(1),
            cpu_percent: Some(150),
            cpu_weight: Some(10),
            pids_max: Some(64),
        })),
    };
    let key = || "worker/7".to_owned();
    vec![
        ToKeeper::Spawn {
            request: 1,
            child: u64::MAX,
            spec,
        },
        ToKeeper::Spawn {
            request: 0,
            child: 0,
            spec: SpawnSpec::default(),
        },
        ToKeeper::Signal {
            child: 3,
            signal: 15,
            group: true,
        },
        ToKeeper::Put {
            key: key(),
            blob: vec![0, 1, 255],
        },
        ToKeeper::PutBlob {
            key: key(),
            blob: vec![],
        },
        ToKeeper::Drop {
            key: "ключ".to_owned(),
        },
        ToKeeper::MainPid {
            child: 3,
            pid: 4711,
        },
        ToKeeper::Forget { child: 3 },
        ToKeeper::Exit { code: -1 },
        ToKeeper::Up,
        ToKeeper::Upgrade {
            program: "/usr/bin/rota".into(),
        },
        ToKeeper::Notify {
            text: "READY=1".to_owned(),
        },
        ToKeeper::Share { key: key() },
        ToKeeper::Alive { number: u64::MAX },
    ]
}

fn answers() -> Vec<FromKeeper> {
    let hello = Hello {
        protocol: 1,
        keeper_pid: 1,
        version: "0.1.0".to_owned(),
        foreground: true,
        restarts: 2,
        last_exit: Some(EXIT),
        series: 3,
        upgrade: Some(UpgradeNote {
            from: "0.1.0".to_owned(),
            to: Some("0.2.0".to_owned()),
            program: "/usr/bin/rota".into(),
            failed: None,
        }),
        groups: Some(Box::new(GroupsNote {
            directory: Some("/sys/fs/cgroup/rota-1".to_owned()),
            controllers: vec!["memory".to_owned()],
            why: Some("cpu was not delegated".to_owned()),
            hint: None,
        })),
        mark: Some("0123456789abcdef".to_owned()),
        keeps_sockets: true,
    };
    let unknown = ExitInfo {
        status: ExitStatus::Unknown,
        ..EXIT
    };
    let code = ExitInfo {
        status: ExitStatus::Code(255),
        group: Some(GroupExit {
            oom_kills: Some(1),
            at_limit: true,
            memory_peak: Some(4096),
            memory_max: None,
            pids_refused: Some(0),
        }),
        ..EXIT
    };
    vec![
        FromKeeper::Hello(Hello {
            last_exit: None,
            upgrade: None,
            groups: None,
            mark: None,
            keeps_sockets: false,
            ..hello.clone()
        }),
        FromKeeper::Hello(hello),
        FromKeeper::Entry {
            key: "api".to_owned(),
            blob: vec![7; 100],
        },
        FromKeeper::Child {
            child: 1,
            pid: 2,
            exited: None,
            group: None,
        },
        FromKeeper::Child {
            child: 1,
            pid: 2,
            exited: Some(code),
            group: Some("/sys/fs/cgroup/rota-1/api-0-1".to_owned()),
        },
        FromKeeper::Restored,
        FromKeeper::Spawned {
            request: 1,
            child: 2,
            pid: 3,
            group: Some("/sys/fs/cgroup/rota-1/api-0-2".to_owned()),
        },
        FromKeeper::SpawnFailed {
            request: 1,
            child: 2,
            stage: SpawnStage::Exec,
            errno: 2,
            message: "no such file".to_owned(),
        },
        FromKeeper::Exited {
            child: 1,
            pid: 2,
            exit: unknown,
        },
        FromKeeper::SignalFailed {
            child: 1,
            signal: 9,
            errno: 3,
        },
        FromKeeper::Signal { number: 12 },
        FromKeeper::Refused {
            reason: Refusal::Limit,
            about: "k".to_owned(),
            message: "too many".to_owned(),
        },
        FromKeeper::UpgradeFailed {
            message: "no such file".to_owned(),
        },
        FromKeeper::Ping { number: 7 },
    ]
}

fn bytes_of<M: Encode<()>>(message: &M) -> Vec<u8> {
    encode(message, 0).unwrap().bytes()[1..].to_vec()
}

/// Whole, every beginning of it, and it with one more byte.
fn there_and_back<M>(message: &M)
where
    M: for<'b> Decode<'b, ()> + Encode<()> + PartialEq + Debug,
{
    let bytes = bytes_of(message);
    assert_eq!(&decode::<M>(&bytes).unwrap(), message);
    for length in 0..bytes.len() {
        assert!(
            decode::<M>(&bytes[..length]).is_err(),
            "{message:?} cut to {length}"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(decode::<M>(&longer), Err(FrameError::Trailing)));
}

#[test]
fn every_message_there_and_back_and_cut_short() {
    requests().iter().for_each(there_and_back);
    answers().iter().for_each(there_and_back);
}

#[test]
fn damaged_messages_never_panic() {
    let mut random = fastrand::Rng::with_seed(0x0070_7461);
    let samples: Vec<_> = requests()
        .iter()
        .map(bytes_of)
        .chain(answers().iter().map(bytes_of))
        .collect();
    for _ in 0..20_000 {
        let mut bytes = samples[random.usize(..samples.len())].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let _ = decode::<ToKeeper>(&bytes);
        let _ = decode::<FromKeeper>(&bytes);
    }
    for _ in 0..20_000 {
        let length = random.usize(..80);
        let noise: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        let _ = decode::<ToKeeper>(&noise);
        let _ = decode::<FromKeeper>(&noise);
        let mut fds = vec![File::open("/dev/null").unwrap().into()];
        let _ = open_body(&noise, &mut fds).map(|body| body.len());
        let _ = (open_body(&noise, &mut Vec::new()), Mode::of(&noise));
    }
}

#[test]
fn lengths_are_not_believed() {
    // An array, a byte string and a text of 2^63 items: an error, not an allocation.
    for head in [0x9b_u8, 0x5b, 0x7b] {
        for place in 0..4 {
            let mut bytes = vec![0x82, 2, 0x82, 0x61];
            bytes.truncate(place);
            bytes.push(head);
            bytes.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
            assert!(decode::<ToKeeper>(&bytes).is_err());
        }
    }
    // Very deep nesting in a field to be skipped.
    let mut deep = vec![0x82, 6, 0x82, 3];
    deep.extend(std::iter::repeat_n(0x81, 60_000));
    assert!(decode::<ToKeeper>(&deep).is_err());
}

#[test]
fn other_versions_are_understood_where_possible() {
    #[derive(Encode)]
    enum Later {
        #[n(6)]
        Forget {
            #[n(0)]
            child: u64,
            #[n(1)]
            why: Option<String>,
            #[n(2)]
            how: Vec<Vec<u8>>,
        },
        #[n(77)]
        Unheard {
            #[n(0)]
            of: u8,
        },
    }
    let more = Later::Forget {
        child: 9,
        why: Some("new".to_owned()),
        how: vec![vec![1], vec![]],
    };
    assert_eq!(
        decode::<ToKeeper>(&bytes_of(&more)).unwrap(),
        ToKeeper::Forget { child: 9 }
    );
    assert!(matches!(
        decode::<ToKeeper>(&bytes_of(&Later::Unheard { of: 1 })),
        Err(FrameError::Cbor(_))
    ));

    #[derive(Encode)]
    enum Earlier {
        #[n(2)]
        Child {
            #[n(0)]
            child: u64,
            #[n(1)]
            pid: u32,
        },
    }
    let less = decode::<FromKeeper>(&bytes_of(&Earlier::Child { child: 1, pid: 2 })).unwrap();
    assert_eq!(
        less,
        FromKeeper::Child {
            child: 1,
            pid: 2,
            exited: None,
            group: None,
        }
    );
}

#[test]
fn large_messages_travel_in_a_sealed_memfd() {
    let put = |bytes| ToKeeper::Put {
        key: "k".to_owned(),
        blob: vec![9; bytes],
    };
    assert!(
        encode(&put(INLINE_MAX - 100), MAX_FDS)
            .unwrap()
            .body()
            .is_none()
    );
    let packet = encode(&put(INLINE_MAX), MAX_FDS).unwrap();
    let other: OwnedFd = File::open("/dev/null").unwrap().into();
    let body = packet.body().unwrap().try_clone_to_owned().unwrap();
    let mut fds = vec![other, body];
    let bytes = open_body(packet.bytes(), &mut fds).unwrap();
    assert_eq!(decode::<ToKeeper>(&bytes).unwrap(), put(INLINE_MAX));
    assert_eq!(fds.len(), 1, "the message's own descriptors stay");
    assert!(matches!(
        encode(&put(MESSAGE_MAX), 0),
        Err(FrameError::TooLarge)
    ));
    assert!(matches!(
        encode(&put(0), MAX_FDS + 1),
        Err(FrameError::TooManyFds(_))
    ));
}

/// Random messages of every size in every mode: what is sent is what is received.
#[test]
fn packets_there_and_back() {
    let mut random = fastrand::Rng::with_seed(0x7061_636b);
    let sizes = [
        0,
        1,
        23,
        24,
        255,
        256,
        65_535,
        INLINE_MAX - 16,
        INLINE_MAX + 16,
        300_000,
    ];
    for round in 0..400 {
        let at_most = sizes[round % sizes.len()];
        let length = at_most - random.usize(..=at_most.min(16));
        let key = (0..random.usize(..64)).map(|_| random.char(..)).collect();
        let blob = std::iter::repeat_with(|| random.u8(..))
            .take(length)
            .collect();
        let message = ToKeeper::Put { key, blob };
        for mode in [Mode::Single, Mode::Held, Mode::Last] {
            let packet = encode_as(mode, &message, 0).unwrap();
            assert_eq!(Mode::of(packet.bytes()), mode);
            let mut fds: Vec<_> = packet
                .body()
                .map(|body| body.try_clone_to_owned().unwrap())
                .into_iter()
                .collect();
            let body = open_body(packet.bytes(), &mut fds).unwrap();
            assert_eq!(decode::<ToKeeper>(&body).unwrap(), message);
            assert!(fds.is_empty());
        }
    }
}

#[test]
fn a_greeting_of_an_earlier_keeper_is_understood() {
    #[derive(Encode)]
    enum Earlier {
        #[n(0)]
        Hello(#[n(0)] EarlierHello),
    }
    #[derive(Encode)]
    struct EarlierHello {
        #[n(0)]
        protocol: u32,
        #[n(1)]
        keeper_pid: u32,
        #[n(2)]
        version: String,
        #[n(3)]
        foreground: bool,
        #[n(4)]
        restarts: u32,
        #[n(5)]
        last_exit: Option<ExitInfo>,
    }
    let hello = Earlier::Hello(EarlierHello {
        protocol: 1,
        keeper_pid: 2,
        version: "0.1.0".to_owned(),
        foreground: false,
        restarts: 3,
        last_exit: None,
    });
    let FromKeeper::Hello(hello) = decode(&bytes_of(&hello)).unwrap() else {
        panic!("no greeting")
    };
    assert_eq!((hello.protocol, hello.restarts, hello.series), (1, 3, 0));
    assert_eq!((hello.upgrade, hello.groups), (None, None));
    assert_eq!((hello.mark, hello.keeps_sockets), (None, false));
}

#[test]
fn false_bodies_are_not_read() {
    let header = |length: u32| [vec![1], length.to_le_bytes().to_vec()].concat();
    let sealed = memfd::sealed("body", b"1234").unwrap();
    let open = |packet: &[u8], fd: Option<&OwnedFd>| {
        let mut fds = fd
            .map(|fd| fd.as_fd().try_clone_to_owned().unwrap())
            .into_iter()
            .collect();
        open_body(packet, &mut fds).map(std::borrow::Cow::into_owned)
    };
    assert_eq!(open(&header(4), Some(&sealed)).unwrap(), b"1234");
    assert!(matches!(
        open(&header(5), Some(&sealed)),
        Err(FrameError::BadBody)
    ));
    assert!(matches!(open(&header(4), None), Err(FrameError::NoBody)));
    assert!(matches!(
        open(&[1, 4, 0], Some(&sealed)),
        Err(FrameError::NoBody)
    ));
    assert!(matches!(
        open(&header(u32::MAX), Some(&sealed)),
        Err(FrameError::TooLarge)
    ));
    // A pipe that would block, and a file that could change.
    let (pipe, _write) = rustix::pipe::pipe().unwrap();
    assert!(matches!(
        open(&header(0), Some(&pipe)),
        Err(FrameError::BadBody)
    ));
    let file: OwnedFd = tempfile::tempfile().unwrap().into();
    assert!(matches!(
        open(&header(0), Some(&file)),
        Err(FrameError::BadBody)
    ));
    assert!(matches!(open(&[], None), Err(FrameError::Empty)));
    assert!(matches!(open(&[6], None), Err(FrameError::Kind(6))));
}

#[test]
fn environments_do_not_show_in_debug_output() {
    let text = format!("{:?}", requests()[0]);
    assert!(
        text.contains("Env(2 variables)") && !text.contains("SECRET"),
        "{text}"
    );
}
