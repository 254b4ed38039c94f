//! Workers that attack the channel: they are isolated, nothing else is harmed.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::{Connection, Home, app_path, get, heavy, load_on};

/// One worker attacks while a neighbour app serves under load; afterwards both apps serve, and rota is as small as before.
fn attack(kind: &str) {
    let home = Home::new();
    let http = app_path("http.js").display().to_string();
    home.rota(&[
        "start",
        &http,
        "--name",
        "neighbour",
        "-i",
        "2",
        "--observe",
        "0",
    ])
    .ok();
    let neighbour = home.app("neighbour");
    let env = format!("ATTACK={kind}");
    let started = home.start(
        "hostile.js",
        &[
            "-i",
            "2",
            "--env",
            &env,
            "--drain-timeout",
            "500",
            "--kill-timeout",
            "500",
        ],
    );
    let (_, supervisor) = home.daemon_pids();
    let load = load_on(neighbour.port().unwrap())
        .keep_alive(2)
        .one_shot(2)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(100, Duration::from_secs(60)));

    let attacker = Connection::open(started.port)
        .unwrap()
        .get("/attack")
        .unwrap()
        .pid();
    let answered = load.answered();
    assert!(
        load.until_answered_blocking(answered + 1000, Duration::from_secs(60)),
        "the neighbour serves"
    );
    answers_of_the_other_worker(started.port);
    let report = load.stop_blocking();
    assert_eq!(
        report.failed(),
        0,
        "{kind}: the neighbour lost requests: {report}"
    );
    assert_eq!(home.app("neighbour").pids(), neighbour.pids());
    assert_eq!(
        home.daemon_pids().1,
        supervisor,
        "{kind}: the supervisor lives"
    );
    let memory = resident_mib(supervisor);
    assert!(
        memory < 128,
        "{kind}: the supervisor has grown to {memory} MiB"
    );
    home.rota(&["restart", "app"]).ok();
    assert!(!home.app("app").pids().contains(&attacker));
    get(started.port, "/");
}

/// The attacked app serves as well: its other worker is not to blame. Some connections may be stuck with the attacker.
fn answers_of_the_other_worker(port: u16) {
    let (sender, answers) = channel();
    for _ in 0..20 {
        let sender = sender.clone();
        std::thread::spawn(move || {
            if let Ok(answer) =
                Connection::open(port).and_then(|mut connection| connection.get("/"))
            {
                sender.send(answer.status).ok();
            }
        });
    }
    for _ in 0..10 {
        assert_eq!(answers.recv_timeout(Duration::from_secs(60)), Ok(200));
    }
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

macro_rules! attacks {
    ($($test:ident: $kind:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let _alone = heavy();
                attack($kind);
            }
        )*
    };
}

attacks! {
    garbage: "garbage";
    an_unfinished_line: "unfinished";
    a_line_of_100_megabytes: "long-line";
    a_flood_of_messages: "flood";
    deeply_nested_json: "deep-json";
    handles_that_nobody_wants: "handles";
    forged_acknowledgements: "forged-acks";
    values_of_the_wrong_type: "wrong-types";
    thousands_of_listeners: "many-listeners";
    a_closed_channel: "close-channel";
    a_half_closed_channel: "half-close";
    a_worker_that_never_reads: "deaf";
}
