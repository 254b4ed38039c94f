//! `/livez` and `/readyz`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    Connection, Foreground, Home, app_path, eventually, free_port, get, signal, try_get,
};

/// `rota run` of a server that can be kept from being ready and from ending.
fn run(home: &Home, app: &str, port: u16, more: &[&str]) -> Foreground {
    let script = app_path(app).display().to_string();
    let port = port.to_string();
    let mut args = vec![script.as_str(), "--name", "app", "--health", &port];
    args.extend(more);
    home.run(&args)
}

fn status(port: u16, path: &str) -> Option<u16> {
    try_get(port, path).ok().map(|answer| answer.status)
}

#[test]
fn it_lives_from_the_start_and_is_ready_with_its_workers_until_it_ends() {
    let home = Home::new();
    let port = free_port();
    let slow = home.write(
        "slow.js",
        "const fs = require('fs')
        const look = setInterval(() => { if (!fs.existsSync(process.env.GO + '1')) return; clearInterval(look)
        require('http').createServer((q, s) => { fs.writeFileSync(process.env.GO + '2', ''); const wait = setInterval(() => { if (fs.existsSync(process.env.GO + '3')) { clearInterval(wait); s.end() } }, 10) }).listen(0) }, 10)",
    );
    let number = port.number.to_string();
    let mut run = home.run(&[&slow, "--name", "app", "-i", "2", "--health", &number]);
    let go = |number: u8| home.path().join(format!("go{number}"));
    eventually("it lives", || {
        (status(port.number, "/livez") == Some(200)).then_some(())
    });
    let early = get(port.number, "/readyz");
    assert_eq!(early.status, 503);
    std::fs::write(go(1), "").unwrap();
    eventually("it is ready", || {
        (status(port.number, "/readyz") == Some(200)).then_some(())
    });
    // A new supervisor answers on the same socket.
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    assert_eq!(get(port.number, "/readyz").status, 200);
    let mut request = Connection::open(home.app("app").port().unwrap()).unwrap();
    request.send("/").unwrap();
    eventually("it is being answered", || go(2).exists().then_some(()));
    run.signal(Signal::TERM);
    eventually("it is not ready any more", || {
        (status(port.number, "/readyz") == Some(503)).then_some(())
    });
    assert_eq!(
        get(port.number, "/livez").status,
        200,
        "it drains, and lives"
    );
    std::fs::write(go(3), "").unwrap();
    assert_eq!(request.receive().unwrap().status, 200);
    assert_eq!(run.wait(), 0);
}

#[test]
fn a_reload_leaves_it_ready_and_a_stop_does_not() {
    let home = Home::new();
    let port = free_port();
    let _run = run(&home, "http.js", port.number, &["-i", "2"]);
    eventually("it is ready", || {
        (status(port.number, "/readyz") == Some(200)).then_some(())
    });
    let reload = home.in_background(&["reload", "app"]);
    while !reload.is_finished() {
        assert_eq!(get(port.number, "/readyz").status, 200);
        std::thread::sleep(Duration::from_millis(5));
    }
    reload.join().unwrap().ok();
    home.rota(&["stop", "app"]).ok();
    assert_eq!(get(port.number, "/readyz").status, 503);
    home.rota(&["start", "app"]).ok();
    assert_eq!(get(port.number, "/readyz").status, 200);
    home.rota(&["kill"]).ok();
}

#[test]
fn nothing_else_is_answered_and_nobody_holds_it_up() {
    let home = Home::new();
    let port = free_port();
    let _run = run(&home, "http.js", port.number, &[]);
    eventually("it is ready", || {
        (status(port.number, "/readyz") == Some(200)).then_some(())
    });
    for path in [
        "/",
        "/v1/apps",
        "/livez/",
        "/livez/../v1/apps",
        "//livez",
        "/%6civez",
    ] {
        assert_eq!(get(port.number, path).status, 404, "{path}");
    }
    let send = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // It may be closed before all is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let post = send(b"POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    let head = send(b"HEAD /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for bytes in [&b"\0\x01\x02\r\n\r\n"[..], b"GET\r\n\r\n", &[b'A'; 100_000]] {
        let answer = send(bytes);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    // More than it answers at a time, and none of them says anything.
    let idle: Vec<TcpStream> = (0..200)
        .map_while(|_| TcpStream::connect(("127.0.0.1", port.number)).ok())
        .collect();
    assert!(idle.len() > 100);
    eventually("others are answered", || {
        (status(port.number, "/livez") == Some(200)).then_some(())
    });
    drop(idle);
    assert_eq!(home.app("app").online(), 1);
    home.rota(&["kill"]).ok();
}

#[test]
fn an_address_that_is_taken_is_the_end() {
    let home = Home::new();
    let port = free_port();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port.number)).unwrap();
    let mut run = run(&home, "http.js", port.number, &[]);
    assert_eq!(run.wait(), 1);
    let said = run.rest().join("\n");
    assert!(said.contains("cannot answer on --health"), "{said}");
}
