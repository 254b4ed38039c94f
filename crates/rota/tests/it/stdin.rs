//! Standard input of workers: `rota send`, `rota attach`, and a pipe that outlives supervisors.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{Foreground, Home, Measures, app_path, eventually, signal};

const PIPE: [&str; 3] = ["--fork", "--stdin", "pipe"];

/// Waits until the app has said this.
#[track_caller]
fn said(home: &Home, text: &str) {
    eventually(text, || {
        let logs = home.rota(&["logs", "app", "--lines", "100", "--raw"]).ok();
        logs.out.contains(text).then_some(())
    });
}

#[test]
fn a_line_arrives_and_several_words_are_one() {
    let home = Home::new();
    let pid = home.start("stdin.js", &PIPE).pids[0];
    home.rota(&["send", "app", "hello", "there"])
        .ok()
        .says(&format!("12 bytes to app:0 (pid {pid})"));
    said(&home, &format!("{pid} got hello there\n"));
    home.rota(&["send", "app:0", "-n", "half a "]).ok();
    let sent = home.rota(&["send", "0", "line", "--json"]).ok().json();
    let worker = &sent["workers"][0];
    assert_eq!(
        (worker["pid"].as_u64(), worker["written"].as_u64()),
        (Some(pid.into()), Some(5))
    );
    said(&home, &format!("{pid} got half a line\n"));
    home.rota(&["describe", "app"])
        .ok()
        .says("standard input    a pipe");
}

#[test]
fn every_worker_that_is_meant_gets_it() {
    let home = Home::new();
    // Cluster workers can have one as well.
    let pids = home.start("stdin.js", &["-i", "2", "--stdin", "pipe"]).pids;
    home.rota(&["send", "app", "to all"])
        .ok()
        .says("7 bytes to each of 2 workers: app:0, app:1");
    for pid in &pids {
        said(&home, &format!("{pid} got to all\n"));
    }
    home.rota(&["send", "app:1", "to one"]).ok().says("app:1");
    said(&home, &format!("{} got to one\n", pids[1]));
    home.rota(&["attach", "app"])
        .fails(2)
        .says("2 workers")
        .says("app:0, app:1");
}

#[test]
fn the_input_goes_on_when_the_supervisor_is_killed_and_when_the_daemon_is_upgraded() {
    let home = Home::new();
    let pid = home.start("stdin.js", &PIPE).pids[0];
    home.rota(&["send", "app", "-n", "before, "]).ok();
    home.kill_supervisor();
    home.rota(&["send", "app", "after"]).ok();
    said(&home, &format!("{pid} got before, after\n"));
    home.kill_supervisor();
    home.rota(&["upgrade"]).ok();
    home.rota(&["send", "app", "upgraded"]).ok();
    said(&home, &format!("{pid} got upgraded\n"));
    let logs = home.rota(&["logs", "app", "--raw"]).ok();
    assert!(!logs.out.contains("is at the end"), "{logs}");
    assert_eq!(home.app("app").pids(), [pid]);
}

#[test]
fn a_restarted_worker_has_a_pipe_of_its_own() {
    let home = Home::new();
    let first = home.start("stdin.js", &PIPE).pids[0];
    // What the dead one has not read is not for the next one.
    home.rota(&["send", "app", "-n", "lost"]).ok();
    signal(first, Signal::KILL);
    let app = home.until("another worker", |app| {
        app.online() == 1 && app.pids() != [first]
    });
    let second = app.pids()[0];
    home.rota(&["send", "app", "found"]).ok();
    said(&home, &format!("{second} got found\n"));
    home.rota(&["reload", "app"]).ok();
    let third = home.app("app").pids()[0];
    home.rota(&["send", "app", "found again"]).ok();
    said(&home, &format!("{third} got found again\n"));
    home.rota(&["stop", "app"]).ok();
    home.rota(&["send", "app", "x"])
        .fails(1)
        .says("no process runs");
    home.rota(&["send", "nobody", "x"]).fails(4);
}

#[test]
fn nothing_is_left_of_the_pipes_of_workers_that_have_ended() {
    let home = Home::new();
    home.start("stdin.js", &PIPE);
    home.rota(&["send", "app", "x"]).ok();
    // With the first line its log file is opened.
    said(&home, "got x\n");
    let before = Measures::of(&home);
    for _ in 0..5 {
        home.rota(&["restart", "app"]).ok();
        home.rota(&["send", "app", "x"]).ok();
    }
    let after = Measures::settled(&home, before);
    assert!(after.within(&before), "{before}\n{after}");
}

#[test]
fn a_full_pipe_is_told_and_waited_for_by_nobody_else() {
    let home = Home::new();
    let flags = [&PIPE[..], &["--env", "READ=never"]].concat();
    home.start("stdin.js", &flags);
    let much = "x".repeat(100_000);
    let sent = home
        .rota(&["send", "app", &much, "--wait", "0", "--json"])
        .fails(1)
        .says("app:0: its standard input is full")
        .json();
    let worker = &sent["workers"][0];
    let written = worker["written"].as_u64().unwrap();
    assert!(written > 0 && written < 100_000, "{sent}");
    assert_eq!(worker["error"]["code"], "stdin_full");
    // One that waits holds up nobody.
    let waiting = home.in_background(&["send", "app", "y", "--wait", "1m"]);
    home.rota(&["send", "app", "y", "--wait", "0"])
        .fails(1)
        .says("full: 0 of 2 bytes");
    home.rota(&["list"]).ok();
    home.rota(&["stop", "app"]).ok();
    waiting.join().unwrap().fails(1);
}

#[test]
fn a_program_that_has_closed_it_is_told() {
    let home = Home::new();
    let flags = [&PIPE[..], &["--env", "READ=close"]].concat();
    home.start("stdin.js", &flags);
    eventually("its standard input is closed", || {
        let sent = home.rota(&["send", "app", "x"]);
        (sent.code == 1).then(|| sent.says("closed: 0 of 2 bytes"))
    });
}

#[test]
fn without_a_pipe_the_setting_is_named_and_new_workers_have_one() {
    let home = Home::new();
    let app = app_path("stdin.js").display().to_string();
    let file = |stdin: &str| {
        let text = format!("[apps.app]\nscript = \"{app}\"\nfork = true\nobserve = 0\n{stdin}");
        home.write("rota.toml", &text)
    };
    home.rota(&["start", &file("")]).ok();
    said(&home, "is at the end");
    let first = home.app("app").pids();
    home.rota(&["send", "app", "x"])
        .fails(1)
        .says("its setting `stdin` is `null`")
        .says("`stdin = \"pipe\"`");
    home.rota(&["attach", "app"]).fails(1).says("`stdin`");
    home.rota(&["apply", &file("stdin = \"pipe\"\n"), "--yes"])
        .ok()
        .says("stdin");
    let second = home.app("app").pids();
    assert_ne!(second, first, "it takes new workers");
    home.rota(&["send", "app", "x"]).ok();
    said(&home, &format!("{} got x\n", second[0]));
}

#[test]
fn what_comes_from_standard_input_is_sent_whole() {
    let home = Home::new();
    let pid = home.start("stdin.js", &PIPE).pids[0];
    let text: String = (0..30_000).map(|n| format!("{n:09}\n")).collect();
    let path = home.write("input", &text);
    let mut command = home.command(&["send", "app", "-"]);
    command.stdin(File::open(&path).unwrap());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(told.contains("300000 bytes to app:0"), "{told}");
    let last = format!("{pid} got {:09}\n", 29_999);
    said(&home, &last);
    let log = home.rota_home().join("logs/app-out-0.log");
    let log = fs::read_to_string(log).unwrap();
    let got = log.lines().filter_map(|line| line.split(" got ").nth(1));
    assert!(got.eq(text.lines()), "every line, once, in order");
}

#[test]
fn attached_one_sees_what_it_says_and_types_to_it() {
    let home = Home::new();
    let pid = home.start("stdin.js", &PIPE).pids[0];
    let mut command = home.command(&["attach", "app", "--raw"]);
    let mut attached = Foreground::with_input(&mut command, Stdio::piped());
    let mut typed = attached.child.stdin.take().unwrap();
    typed.write_all(b"one\n").unwrap();
    attached.until_says(&format!("{pid} got one"));
    home.kill_supervisor();
    typed.write_all(b"two\n").unwrap();
    said(&home, &format!("{pid} got two\n"));
    drop(typed);
    assert_eq!(attached.wait(), 0);
    assert_eq!(home.app("app").pids(), [pid], "the app is left alone");
}

/// What the API answers to this body: the head and the body.
fn post(home: &Home, query: &str, body: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.rota_home().join("rota.sock")).unwrap();
    let head = format!(
        "POST /v1/stdin?{query} HTTP/1.1\r\nhost: rota\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_api_takes_bytes_as_they_are_and_bounds_them() {
    let home = Home::new();
    let flags = [&PIPE[..], &["--env", "READ=never"]].concat();
    let pid = home.start("stdin.js", &flags).pids[0];
    for (query, body, status, text) in [
        (
            "target=app",
            vec![0xff; 64 * 1024],
            "200",
            "\"written\":65536",
        ),
        (
            "target=app",
            vec![b'x'; 1],
            "200",
            "\"code\":\"stdin_full\"",
        ),
        ("target=app", vec![b'x'; 64 * 1024 + 1], "413", "64 KiB"),
        ("target=app", Vec::new(), "200", "\"written\":0}"),
        ("target=nobody", vec![b'x'; 1], "404", "no_such_target"),
        ("", vec![b'x'; 1], "400", "no target"),
        ("target=app&wait=1", vec![b'x'; 1], "400", "`wait`"),
    ] {
        let answer = post(&home, query, &body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{query}: {answer}"
        );
        assert!(answer.contains(text), "{query}: {answer}");
    }
    assert_eq!(home.app("app").pids(), [pid]);
}
