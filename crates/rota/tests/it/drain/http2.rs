//! HTTP/2: GOAWAY, the streams that there are, and no stream that is refused.

use serde_json::Value;

use crate::support::{Foreground, Home, client_path, node_bin, tls_dir};

/// A client that opens streams all the time loses none over two reloads.
fn no_stream_fails(tls: bool, version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    let env = format!("TLS_DIR={}", tls_dir().display());
    let mut flags = vec!["-i", "2", "--interpreter", &node];
    if tls {
        flags.extend(["--env", &env]);
    }
    let started = home.start("http2.js", &flags);
    let scheme = if tls { "https" } else { "http" };
    let stop = home.path().join("stop");
    let mut client = home.program("node");
    client
        .arg(client_path("http2-life.js"))
        .arg(format!("{scheme}://127.0.0.1:{}", started.port))
        .arg(&stop);
    let mut client = Foreground::start(&mut client);
    client.until_says("running");
    for _ in 0..3 {
        home.rota(&["reload", "app"]).ok();
    }
    std::fs::write(&stop, "").unwrap();
    assert_eq!(client.wait(), 0);
    let line = client.until_says("{");
    let result: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(result["failed"], 0, "{line}");
    assert!(result["goaways"].as_u64().unwrap() >= 2, "{line}");
    assert!(result["ok"].as_u64().unwrap() > 50, "{line}");
}

#[test]
fn cleartext() {
    no_stream_fails(false, "20");
}

#[test]
fn tls() {
    no_stream_fails(true, "20");
}

#[test]
fn tls_with_node_18() {
    no_stream_fails(true, "18");
}

#[test]
fn cleartext_with_node_24() {
    no_stream_fails(false, "24");
}
