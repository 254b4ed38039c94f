//! Node workers with unchanged code: module kinds, protocols, the channel, and leaving.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::{
    Connection, Home, Output, Worker, client_path, eventually, get, node_bin, run, tls_dir,
};

/// Runs a client of `tests/clients`.
#[track_caller]
fn client(name: &str, args: &[&str]) -> Output {
    run(Command::new("node").arg(client_path(name)).args(args)).ok()
}

/// The processes that a client has met.
fn pids(output: &Output) -> BTreeSet<u64> {
    output.json()["pids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pid| pid.as_u64().unwrap())
        .collect()
}

#[test]
fn modules_of_every_kind() {
    let home = Home::new();
    let esm = home.start("esm.mjs", &["-i", "2"]);
    let answer = get(esm.port, "/").json();
    assert_eq!(
        (answer["word"].as_str(), answer["isWorker"].as_bool()),
        (Some("module"), Some(true))
    );
    home.rota(&["delete", "app"]).ok();
    for version in ["22", "24"] {
        let node = node_bin(version).display().to_string();
        let typed = home.start("typescript.ts", &["-i", "2", "--interpreter", &node]);
        assert_eq!(get(typed.port, "/").json()["word"], "typed");
        home.rota(&["delete", "app"]).ok();
    }
}

#[test]
fn every_worker_has_its_own_id_and_slot() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "3"]);
    let mut seen = BTreeSet::new();
    eventually("an answer of each worker", || {
        let answer = get(started.port, "/").json();
        seen.insert((
            answer["slot"].as_str().unwrap().to_owned(),
            answer["worker"].as_u64().unwrap(),
        ));
        (seen.len() >= 3).then_some(())
    });
    assert_eq!(
        seen.iter()
            .map(|(slot, _)| slot.as_str())
            .collect::<Vec<_>>(),
        ["0", "1", "2"]
    );
    assert_eq!(
        seen.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(),
        3
    );
}

#[test]
fn http2_with_and_without_tls() {
    let home = Home::new();
    let started = home.start("http2.js", &["-i", "2"]);
    assert_eq!(
        pids(&client(
            "http2.js",
            &[&format!("http://127.0.0.1:{}", started.port)]
        ))
        .len(),
        2
    );
    home.rota(&["delete", "app"]).ok();
    let tls = format!("TLS_DIR={}", tls_dir().display());
    let started = home.start("http2.js", &["-i", "2", "--env", &tls]);
    assert_eq!(
        pids(&client(
            "http2.js",
            &[&format!("https://127.0.0.1:{}", started.port)]
        ))
        .len(),
        2
    );
}

#[test]
fn tls_sessions_resume_on_another_worker() {
    let home = Home::new();
    let tls = format!("TLS_DIR={}", tls_dir().display());
    let started = home.start("https.js", &["-i", "3", "--env", &tls]);
    for version in ["TLSv1.2", "TLSv1.3"] {
        let output = client("tls-resume.js", &[&started.port.to_string(), version]);
        assert_eq!(output.json()["reused"], true, "{version}: {output}");
        assert!(
            pids(&output).len() == 3,
            "{version}: on all workers: {output}"
        );
    }
    // The ticket keys outlive a rollout: the new workers get what the first one made.
    home.rota(&["reload", "app"]).ok();
    assert_eq!(
        client("tls-resume.js", &[&started.port.to_string()]).json()["reused"],
        true
    );
    assert!(!home.daemon_log().contains("BEGIN"), "no key in the log");
}

#[test]
fn plain_tcp() {
    let home = Home::new();
    let started = home.start("echo.js", &["-i", "2"]);
    let mut pids = BTreeSet::new();
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::open(started.port).unwrap();
        pids.insert(connection.line().unwrap());
        connection.write(b"hello\n").unwrap();
        assert_eq!(connection.line().unwrap(), "hello");
        held.push(connection);
    }
    assert_eq!(pids.len(), 2);
}

#[test]
fn udp_answers_on_one_port() {
    let home = Home::new();
    home.start("udp.js", &["-i", "2"]);
    let port = home.app("app").udp_port().expect("the UDP port is listed");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    for _ in 0..20 {
        socket.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 100];
        let count = socket.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..count]).ends_with(" hello"));
    }
}

#[test]
fn worker_threads_are_left_alone() {
    let home = Home::new();
    let started = home.start("threads.js", &["-i", "2"]);
    assert_eq!(get(started.port, "/x").json()["answer"], "thread:/x");
    home.rota(&["reload", "app"]).ok();
    assert_eq!(get(started.port, "/y").json()["answer"], "thread:/y");
}

#[test]
fn the_apps_own_messages_work_and_are_never_mixed_with_internal_ones() {
    let home = Home::new();
    let started = home.start("messages.js", &["-i", "2"]);
    let answer = get(started.port, "/send").json();
    assert!(
        answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|result| result == "sent"),
        "{answer}"
    );
    let answer = get(started.port, "/send-handle").json();
    assert_eq!(
        answer["results"].to_string(),
        r#"["sent","sent"]"#,
        "the channel goes on after a handle"
    );
    for _ in 0..20 {
        assert_eq!(
            get(started.port, "/").json()["received"],
            Value::Array(Vec::new())
        );
    }
    home.rota(&["reload", "app"]).ok();
    for _ in 0..20 {
        assert_eq!(
            get(started.port, "/").json()["received"],
            Value::Array(Vec::new())
        );
    }
}

#[test]
fn a_worker_that_leaves_by_itself_is_replaced() {
    let home = Home::new();
    let started = home.start("disconnect.js", &["-i", "2"]);
    // `worker.kill()` in a worker is `disconnect` and then an exit.
    for (path, voluntary) in [
        ("/worker-disconnect", true),
        ("/worker-kill", true),
        ("/process-disconnect", false),
    ] {
        let before = home.app("app").pids();
        let left = get(started.port, path).pid();
        assert!(before.contains(&left));
        home.until_reported(&format!("{path}: the exit of {left}"), |line| {
            line["pid"] == left
                && line["exit"] == 0
                && (line["voluntary"] == voluntary || !voluntary)
        });
        home.until("two workers again", |app| {
            app.online() == 2 && !app.pids().contains(&left) && app.workers().len() == 2
        });
        get(started.port, "/");
    }
}

#[test]
fn a_worker_that_leaves_is_not_a_crash() {
    let home = Home::new();
    let started = home.start("disconnect.js", &["-i", "2", "--max-restarts", "1"]);
    for _ in 0..3 {
        // Whoever leaves within the shortest uptime (1 s) does count: otherwise that were a loop without a limit.
        home.until("two that have been up for more than a second", |app| {
            let old = |worker: &Worker| worker.0["uptime_ms"].as_u64().is_some_and(|up| up > 1500);
            app.online() == 2 && app.workers().len() == 2 && app.workers().iter().all(old)
        });
        let left = get(started.port, "/worker-disconnect").pid();
        home.until("a replacement", |app| {
            app.online() == 2 && !app.pids().contains(&left)
        });
    }
    assert_eq!(home.app("app").status(), "online");
}

#[test]
fn connections_that_a_full_worker_refuses_go_to_another() {
    let home = Home::new();
    let started = home.start("maxconn.js", &["-i", "2"]);
    // Two are taken, one by each worker; the third waits until one has room.
    let mut first = Connection::open(started.port).unwrap();
    first.send("/?ms=1500").unwrap();
    let mut second = Connection::open(started.port).unwrap();
    second.send("/?ms=1500").unwrap();
    let mut third = Connection::open(started.port).unwrap();
    third.send("/?ms=0").unwrap();
    let (first, second) = (
        first.receive().unwrap().pid(),
        second.receive().unwrap().pid(),
    );
    assert_ne!(first, second, "one on each worker");
    assert_eq!(third.receive().unwrap().status, 200);
}

#[test]
fn a_slow_worker_does_not_delay_the_others() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let mut blocker = Connection::open(started.port).unwrap();
    blocker.send("/block?ms=3000").unwrap();
    let begin = std::time::Instant::now();
    // A few may have been given to the blocked worker before it stopped taking them; most must not wait for it.
    let threads: Vec<_> = (0..40)
        .map(|_| {
            let port = started.port;
            std::thread::spawn(move || {
                let begin = std::time::Instant::now();
                get(port, "/");
                begin.elapsed()
            })
        })
        .collect();
    let waits: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let late = waits.iter().filter(|wait| wait.as_millis() > 1500).count();
    assert!(
        late <= 8,
        "{late} of 40 waited for the worker that was busy: {waits:?} in {:?}",
        begin.elapsed()
    );
    blocker.receive().unwrap();
}
