//! Errors of bind and listen arrive in the worker's `error` event with Node's own code.

use std::net::{TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::support::{Home, app_path, get};

/// Starts a server that listens as given and cannot; gives what its `error` event got.
fn failure(home: &Home, options: &Value, balance: &str) -> Value {
    let script = app_path("listen.js").display().to_string();
    let env = format!("LISTEN={options}");
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--env",
        &env,
        "--balance",
        balance,
        "--observe",
        "0",
        "--no-wait",
    ])
    .ok();
    let line = home.until_reported("an error", |line| !line["error"].is_null());
    home.rota(&["delete", "app"]).ok();
    std::fs::remove_file(home.report_path()).unwrap();
    line["error"].clone()
}

#[test]
fn codes_are_nodes_own() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let file = home.write("a-file", "");
    for balance in ["round-robin", "ip-hash", "shared", "reuseport"] {
        for (options, code) in [
            (json!({ "port": port, "host": "127.0.0.1" }), "EADDRINUSE"),
            (json!({ "port": port }), "EADDRINUSE"),
            (json!({ "port": 0, "host": "192.0.2.1" }), "EADDRNOTAVAIL"),
            (json!({ "path": "/no/such/folder/app.sock" }), "EACCES"),
            (json!({ "path": file }), "EADDRINUSE"),
            (json!({ "fd": 77 }), "EBADF"),
        ] {
            assert_eq!(
                failure(&home, &options, balance),
                code,
                "{balance} {options}"
            );
        }
    }
}

#[test]
fn codes_of_udp_are_nodes_own() {
    let home = Home::new();
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = format!("PORT={}", taken.local_addr().unwrap().port());
    let script = app_path("udp.js").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--env",
        &port,
        "--max-restarts",
        "1",
    ])
    .fails(1)
    .says("udp error EADDRINUSE");
}

#[test]
fn a_failure_is_not_remembered() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let script = app_path("listen.js").display().to_string();
    let env = format!("LISTEN={}", json!({ "port": port, "host": "127.0.0.1" }));
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--env",
        &env,
        "--env",
        "RETRY=1",
        "--observe",
        "0",
        "--no-wait",
    ])
    .ok();
    home.until_reported("an error", |line| line["error"] == "EADDRINUSE");
    drop(taken);
    home.until_status("online");
    get(port, "/");
}
