//! Who does not read is not waited for: not by workers, not by other readers, not by commands; and costs little memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::Signal;

use crate::support::{Home, Measures, eventually, get, signal};

/// Prints long lines, far more than may wait for anybody, and then says so again and again.
const CHATTERBOX: &str = "
const http = require('http')
const long = 'x'.repeat(60000)
let lines = 0
const go = () => {
  for (let i = 0; i < 10; i++) console.log(`line ${lines++} ${long}`)
  if (lines < 1500) return setImmediate(go)
  setInterval(() => console.log('all of it is out'), 50)
}
http.createServer((req, res) => { res.end('{}'); req.url === '/go' ? go() : console.log('hello') }).listen(0)
";

/// A stalled reader may have lines of 512 KiB waiting in all, some more on the way to it, and those as JSON.
const MOST_MEMORY: u64 = 24 * 1024 * 1024;

/// Asks the API for something, and reads of the answer that it begins.
fn ask(home: &Home, request: &str) -> UnixStream {
    let mut stream = UnixStream::connect(home.rota_home().join("rota.sock")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    stream
}

/// `rota logs -f`, ended when dropped.
struct Follower(Child);

impl Follower {
    /// Begins to follow; gives the rest of its output when a first line has come. `nudge` makes one.
    fn begin(home: &Home, nudge: impl Fn()) -> (Self, BufReader<ChildStdout>) {
        let mut command = home.command(&["logs", "-f", "app"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, first) = mpsc::channel();
        thread::spawn(move || {
            let read = out.read_line(&mut String::new());
            sender.send(read.map(|_| out)).unwrap();
        });
        let out = eventually("a line", || {
            nudge();
            first.try_recv().ok()
        });
        (Self(child), out.unwrap())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn stalled_readers_are_not_waited_for() {
    let home = Home::new();
    let script = home.write("chatterbox.js", CHATTERBOX);
    let started = home.start_script(&script, &[]);
    let nudge = || drop(get(started.port, "/"));

    let follow = "GET /v1/logs?follow=true&lines=0 HTTP/1.1\r\nhost: rota\r\n\r\n";
    let _stalled = [ask(&home, follow), ask(&home, follow)];
    let (stopped, _unread) = Follower::begin(&home, nudge);
    signal(stopped.0.id(), Signal::STOP);
    let (_good, out) = Follower::begin(&home, nudge);
    let mut lines = out.lines().map(Result::unwrap);
    let before = Measures::of(&home);

    get(started.port, "/go");
    let end = lines.find(|line| line.contains("all of it is out"));
    assert!(end.is_some(), "the good reader's stream has ended");
    let after = Measures::of(&home);
    println!("before: {before}\nafter: {after}");
    let more = after.supervisor.anonymous - before.supervisor.anonymous;
    assert!(more < MOST_MEMORY, "{more} bytes more");

    // A command goes on whether its caller reads or not.
    let body = r#"{"verb":"reload","targets":["app"]}"#;
    let length = body.len();
    let head = format!("POST /v1/command HTTP/1.1\r\nhost: rota\r\ncontent-length: {length}");
    let _caller = ask(&home, &format!("{head}\r\n\r\n{body}"));
    home.until("another worker", |app| {
        app.online() == 1 && app.pids() != started.pids
    });
    assert!(lines.next().is_some(), "the good reader goes on");
    signal(stopped.0.id(), Signal::CONT);
}
