//! The same on every supported version of Node.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, eventually, get, get_unix, heavy, load_on, node_bin, signal, tls_dir};

/// All that a cluster worker does, in short.
fn conforms(version: &str) {
    let node = node_bin(version).display().to_string();
    let flags = ["-i", "2", "--interpreter", &node];
    let home = Home::new();
    for balance in ["round-robin", "ip-hash", "shared", "reuseport"] {
        let _alone = heavy();
        let started = home.start("http.js", &[&flags[..], &["--balance", balance]].concat());
        assert!(
            get(started.port, "/").json()["node"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{version}."))
        );
        let load = load_on(started.port).one_shot(10).start().unwrap();
        assert!(load.until_answered_blocking(100, Duration::from_secs(60)));
        home.rota(&["reload", "app"]).ok();
        home.rota(&["scale", "app", "3"]).ok();
        home.rota(&["scale", "app", "1"]).ok();
        let report = load.stop_blocking();
        assert_eq!(
            report.failed(),
            0,
            "Node {version}, {balance}: {report}\n{:#?}",
            report.failures
        );
        home.rota(&["delete", "app"]).ok();
    }
    several_servers(&home, &flags);
    messages_and_leaving(&home, &flags);
    tls(&home, &flags);
}

fn several_servers(home: &Home, flags: &[&str]) {
    home.start("servers.js", flags);
    let lines = eventually("all servers are up", || {
        Some(home.report()).filter(|lines| lines.len() == 8)
    });
    let port = |name: &str| -> u16 {
        let line = lines.iter().find(|line| line["name"] == name).unwrap();
        u16::try_from(line["address"]["port"].as_u64().unwrap()).unwrap()
    };
    assert_eq!(get(port("first"), "/").json()["name"], "first");
    assert_eq!(get(port("second"), "/").json()["name"], "second");
    assert_eq!(
        get_unix(&home.path().join("web.sock"), "/").json()["name"],
        "unix"
    );
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket.send_to(b"x", ("127.0.0.1", port("udp"))).unwrap();
    assert!(socket.recv(&mut [0; 16]).unwrap() > 0);
    home.rota(&["delete", "app"]).ok();
    std::fs::remove_file(home.report_path()).unwrap();
}

fn messages_and_leaving(home: &Home, flags: &[&str]) {
    let started = home.start("messages.js", flags);
    assert_eq!(
        get(started.port, "/send-handle").json()["results"].to_string(),
        r#"["sent","sent"]"#
    );
    assert_eq!(
        get(started.port, "/").json()["received"],
        Value::Array(Vec::new())
    );
    home.rota(&["delete", "app"]).ok();
    let started = home.start("disconnect.js", flags);
    for path in ["/worker-disconnect", "/process-disconnect"] {
        let left = get(started.port, path).pid();
        home.until("a replacement", |app| {
            app.online() == 2 && !app.pids().contains(&left)
        });
    }
    signal(home.app("app").pids()[0], Signal::KILL);
    home.until("two again", |app| app.online() == 2);
    home.rota(&["delete", "app"]).ok();
}

fn tls(home: &Home, flags: &[&str]) {
    let env = format!("TLS_DIR={}", tls_dir().display());
    let started = home.start("https.js", &[flags, &["--env", &env]].concat());
    let mut client = std::process::Command::new("node");
    client
        .arg(crate::support::client_path("tls-resume.js"))
        .arg(started.port.to_string());
    assert_eq!(crate::support::run(&mut client).ok().json()["reused"], true);
}

#[test]
fn node_18() {
    conforms("18");
}

#[test]
fn node_20() {
    conforms("20");
}

#[test]
fn node_22() {
    conforms("22");
}

#[test]
fn node_24() {
    conforms("24");
}
