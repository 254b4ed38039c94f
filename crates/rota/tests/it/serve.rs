//! `rota serve`: static files.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::{Home, Port, free_port, get, load_on};

const SECRET: &str = "not-for-you";

/// A site in the home, with a secret beside it and hidden in it.
fn site(home: &Home) -> String {
    let root = home.path().join("site");
    fs::create_dir_all(root.join("docs/empty")).unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    for (path, text) in [
        ("index.html", "<h1>start</h1>"),
        ("app.js", "console.log(1)"),
        ("docs/page.html", "page"),
        ("digits.txt", "0123456789"),
        ("packed.txt", "plain"),
        ("packed.txt.gz", "zipped"),
        (".env", SECRET),
        (".git/config", SECRET),
        ("../secret", SECRET),
    ] {
        fs::write(root.join(path), text).unwrap();
    }
    for (target, name) in [("../secret", "link"), ("..", "up"), ("docs", "inside")] {
        let link = root.join(name);
        if !link.is_symlink() {
            symlink(target, link).unwrap();
        }
    }
    root.display().to_string()
}

/// Serves it under the name `app`.
fn serve(home: &Home, flags: &[&str]) -> Port {
    let (root, port) = (site(home), free_port());
    let number = port.to_string();
    let mut args = vec![
        "serve",
        &root,
        &number,
        "--name",
        "app",
        "--host",
        "127.0.0.1",
    ];
    args.extend(flags);
    home.rota(&args).ok();
    port
}

/// The whole answer, head and all, to a request as it is.
fn raw(port: &Port, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(port: &Port, line: &str, headers: &str) -> String {
    raw(
        port,
        &format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"),
    )
}

fn value<'a>(answer: &'a str, header: &str) -> &'a str {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.strip_prefix(&format!("{header}: ")));
    values.next().unwrap_or_default()
}

#[test]
fn files_are_served_with_what_caches_and_players_need() {
    let home = Home::new();
    let port = serve(&home, &[]);
    let start = ask(&port, "GET /", "");
    assert!(
        start.starts_with("HTTP/1.1 200") && start.ends_with("<h1>start</h1>"),
        "{start}"
    );
    assert_eq!(value(&start, "content-type"), "text/html; charset=utf-8");
    assert_eq!(value(&start, "x-content-type-options"), "nosniff");
    let digits = ask(&port, "GET /digits.txt", "");
    let tag = value(&digits, "etag");
    assert!(
        !tag.is_empty() && !value(&digits, "last-modified").is_empty(),
        "{digits}"
    );
    let known = ask(
        &port,
        "GET /digits.txt",
        &format!("if-none-match: {tag}\r\n"),
    );
    assert!(
        known.starts_with("HTTP/1.1 304") && known.ends_with("\r\n\r\n"),
        "{known}"
    );
    let part = ask(&port, "GET /digits.txt", "range: bytes=2-4\r\n");
    assert!(
        part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\n234"),
        "{part}"
    );
    assert_eq!(value(&part, "content-range"), "bytes 2-4/10");
    let beyond = ask(&port, "GET /digits.txt", "range: bytes=99-\r\n");
    assert!(beyond.starts_with("HTTP/1.1 416"), "{beyond}");
    let head = ask(&port, "HEAD /digits.txt", "");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(value(&head, "content-length"), "10");
    let zipped = ask(&port, "GET /packed.txt", "accept-encoding: gzip, br\r\n");
    assert!(zipped.ends_with("zipped"), "{zipped}");
    assert_eq!(value(&zipped, "content-encoding"), "gzip");
    let plain = ask(&port, "GET /packed.txt", "");
    assert!(plain.ends_with("plain"), "{plain}");
    assert_eq!(value(&plain, "vary"), "Accept-Encoding");
    let moved = ask(&port, "GET /docs", "");
    assert!(moved.starts_with("HTTP/1.1 308"), "{moved}");
    assert_eq!(value(&moved, "location"), "/docs/");
    assert_eq!(get(port.number, "/inside/page.html").body, "page");
    let posted = ask(&port, "POST /", "content-length: 0\r\n");
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    let listed = get(port.number, "/docs/");
    assert!(listed.body.contains("page.html") && listed.body.contains("empty/"));
    let app = home.app("app");
    assert_eq!((app.online(), app.status()), (1, "online"));
}

#[test]
fn nothing_outside_and_nothing_hidden_comes_out() {
    let home = Home::new();
    let port = serve(&home, &[]);
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/docs/../../secret",
        "/docs/..%2f..%2fsecret",
        "/....//secret",
        "/..;/secret",
        "/%252e%252e/secret",
        "/%c0%ae%c0%ae/secret",
        "/..%5csecret",
        "\\..\\secret",
        "//../secret",
        "/./../secret",
        "/.%00./secret",
        "/secret%00",
        "/link",
        "/up/secret",
        "/up/",
        "/up/site/.env",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/docs/%2e%2e/.env",
        "/inside/../.env",
        "http://x/../secret",
        "/proc/self/root/etc/passwd",
        "/../../../../../../../../etc/passwd",
        "*",
    ] {
        let answer = ask(&port, &format!("GET {path}"), "");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "404"].contains(&status), "{path}: {answer}");
        assert!(
            !answer.contains(SECRET) && !answer.contains("root:"),
            "{path}: {answer}"
        );
    }
    let listed = get(port.number, "/?").body + &get(port.number, "/docs/").body;
    assert!(
        !listed.contains(".env") && !listed.contains(".git"),
        "{listed}"
    );
    for request in ["\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9\r\n\r\n"] {
        let answer = raw(&port, request);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    let long = ask(&port, &format!("GET /{}", "a".repeat(10_000)), "");
    assert!(long.starts_with("HTTP/1.1 404"), "{long}");
    assert_eq!(get(port.number, "/digits.txt").body, "0123456789");
    assert_eq!(home.app("app").restarts(), 0);
}

#[test]
fn pages_of_an_app_and_pages_that_are_missing() {
    let home = Home::new();
    let port = serve(&home, &["--spa"]);
    assert_eq!(get(port.number, "/users/7").body, "<h1>start</h1>");
    assert_eq!(get(port.number, "/docs/").body, "<h1>start</h1>");
    assert_eq!(get(port.number, "/missing.js").status, 404, "it is no page");
    let page = ask(&port, "GET /users/a.b", "accept: text/html\r\n");
    assert!(page.ends_with("<h1>start</h1>"), "{page}");
    home.rota(&["delete", "app"]).ok();
    let port = serve(&home, &["--no-listing"]);
    assert_eq!(get(port.number, "/docs/").status, 404);
    fs::write(home.path().join("site/404.html"), "nobody here").unwrap();
    let missing = get(port.number, "/nothing");
    assert_eq!(
        (missing.status, missing.body.as_str()),
        (404, "nobody here")
    );
}

#[test]
fn with_a_password_it_is_for_who_knows_it() {
    let home = Home::new();
    let port = serve(
        &home,
        &[
            "--basic-auth-username",
            "me",
            "--basic-auth-password",
            "open sesame",
        ],
    );
    let closed = ask(&port, "GET /", "");
    assert!(closed.starts_with("HTTP/1.1 401"), "{closed}");
    assert!(
        value(&closed, "www-authenticate").starts_with("Basic"),
        "{closed}"
    );
    for wrong in [
        "Basic",
        "Basic bWU6b3Blbg==",
        "Bearer bWU6b3BlbiBzZXNhbWU=",
        "Basic bWU6b3BlbiBzZXNhbWU==",
    ] {
        let answer = ask(&port, "GET /", &format!("authorization: {wrong}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 401"), "{wrong}: {answer}");
    }
    // me:open sesame
    let open = ask(
        &port,
        "GET /",
        "authorization: basic bWU6b3BlbiBzZXNhbWU=\r\n",
    );
    assert!(open.starts_with("HTTP/1.1 200"), "{open}");
    for (_, line) in home.processes() {
        assert!(!line.contains("sesame"), "{line}");
    }
    let env = home.rota(&["env", "app"]).ok();
    assert!(!env.out.contains("sesame"), "{env}");
    let half = home.rota(&["serve", ".", "1", "--basic-auth-username", "me"]);
    assert_eq!(half.code, 2, "{half}");
}

#[test]
fn a_reload_loses_nothing() {
    let home = Home::new();
    let port = serve(&home, &["-i", "2"]);
    let before = home.app("app").pids();
    let load = load_on(port.number)
        .path("/digits.txt")
        .one_shot(4)
        .start()
        .unwrap();
    home.rota(&["reload", "app"]).ok();
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}\n{:#?}", report.failures);
    assert!(report.answered() > 0, "{report}");
    let after = home.app("app").pids();
    assert!(after.iter().all(|pid| !before.contains(pid)));
}

#[test]
fn what_is_being_fetched_is_finished() {
    let home = Home::new();
    let port = serve(&home, &[]);
    // More than the kernel holds for a caller who does not read.
    let size = 64 * 1024 * 1024;
    fs::write(home.path().join("site/large.bin"), vec![b'x'; size]).unwrap();
    let mut slow = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    slow.write_all(b"GET /large.bin HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut bytes = vec![0; 1000];
    slow.read_exact(&mut bytes).unwrap();
    let stop = home.in_background(&["stop", "app"]);
    home.until_status("stopping");
    slow.read_to_end(&mut bytes).unwrap();
    let head = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    assert_eq!(bytes.len() - head - 4, size);
    stop.join().unwrap().ok();
    let missing = home.rota(&["serve", "no-such-folder", "1"]);
    assert_eq!(missing.code, 5, "{missing}");
}
