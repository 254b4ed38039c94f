//! All the ways to listen.

use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::support::{Connection, Home, Started, eventually, free_port, get, get_unix, node_bin};

#[track_caller]
fn listen(home: &Home, options: &Value, flags: &[&str]) -> Started {
    let env = format!("LISTEN={options}");
    let mut all = vec!["-i", "2", "--env", &env];
    all.extend(flags);
    home.start("listen.js", &all)
}

/// What both workers have reported as their address.
fn addresses(home: &Home) -> Vec<Value> {
    eventually("both workers listen", || {
        let lines: Vec<Value> = home
            .report()
            .into_iter()
            .filter(|line| !line["listening"].is_null())
            .collect();
        (lines.len() == 2).then_some(lines)
    })
    .into_iter()
    .map(|line| line["listening"].clone())
    .collect()
}

#[track_caller]
fn both_answer(connect: impl Fn() -> Connection) {
    let mut seen = std::collections::BTreeSet::new();
    eventually("an answer of both workers", || {
        let mut connection = connect();
        seen.insert(connection.get("/").unwrap().pid());
        (seen.len() == 2).then_some(())
    });
}

#[test]
fn port_zero_is_one_port_for_all_workers_and_keeps_it() {
    let home = Home::new();
    let started = listen(&home, &json!({ "port": 0 }), &[]);
    let both = addresses(&home);
    assert_eq!(both[0], both[1]);
    assert_eq!(both[0]["port"], started.port);
    home.rota(&["reload", "app"]).ok();
    assert_eq!(home.app("app").port(), Some(started.port));
    home.rota(&["restart", "app"]).ok();
    assert_eq!(home.app("app").port(), Some(started.port));
    get(started.port, "/");
}

#[test]
fn ipv4_ipv6_and_both() {
    let cases = [
        (json!({ "port": 0, "host": "127.0.0.1" }), true, false),
        (json!({ "port": 0, "host": "0.0.0.0" }), true, false),
        (json!({ "port": 0, "host": "::1" }), false, true),
        (json!({ "port": 0, "host": "::" }), true, true),
        (
            json!({ "port": 0, "host": "::", "ipv6Only": true }),
            false,
            true,
        ),
        (json!({ "port": 0 }), true, true),
        (json!({ "port": 0, "host": "localhost" }), true, false),
        (
            json!({ "port": 0, "host": "127.0.0.1", "backlog": 7 }),
            true,
            false,
        ),
    ];
    for (options, v4, v6) in cases {
        let home = Home::new();
        let started = listen(&home, &options, &[]);
        let reach = |address: SocketAddr| TcpStream::connect(address).is_ok();
        let localhost_is_v6 =
            options["host"] == "localhost" && addresses(&home)[0]["family"] == "IPv6";
        let (v4, v6) = if localhost_is_v6 {
            (false, true)
        } else {
            (v4, v6)
        };
        assert_eq!(
            reach(([127, 0, 0, 1], started.port).into()),
            v4,
            "IPv4: {options}"
        );
        assert_eq!(
            reach(SocketAddr::new("::1".parse().unwrap(), started.port)),
            v6,
            "IPv6: {options}"
        );
        let address: SocketAddr = if v4 {
            ([127, 0, 0, 1], started.port).into()
        } else {
            SocketAddr::new("::1".parse().unwrap(), started.port)
        };
        both_answer(|| Connection::to(address).unwrap());
    }
}

#[test]
fn unix_sockets() {
    let home = Home::new();
    let path = home.path().join("app.sock");
    listen(
        &home,
        &json!({ "path": path, "readableAll": true, "writableAll": true }),
        &[],
    );
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o666,
        0o666
    );
    both_answer(|| Connection::unix(&path).unwrap());
    home.rota(&["reload", "app"]).ok();
    both_answer(|| Connection::unix(&path).unwrap());
    home.rota(&["restart", "app"]).ok();
    get_unix(&path, "/");
    home.rota(&["delete", "app"]).ok();
    assert!(!path.exists(), "the socket's file goes with its app");
}

#[test]
fn several_servers_in_one_worker() {
    let home = Home::new();
    home.start("servers.js", &["-i", "2"]);
    let find = |name: &str| {
        let all = eventually("reports of both", || {
            let all: Vec<Value> = home
                .report()
                .into_iter()
                .filter(|line| line["name"] == name)
                .collect();
            (all.len() >= 2).then_some(all)
        });
        assert_eq!(
            all[0]["address"], all[1]["address"],
            "{name} is the same for both workers"
        );
        all[0]["address"].clone()
    };
    let port = |name: &str| u16::try_from(find(name)["port"].as_u64().unwrap()).unwrap();
    assert_ne!(port("first"), port("second"));
    for name in ["first", "second"] {
        both_answer(|| Connection::open(port(name)).unwrap());
        assert_eq!(get(port(name), "/").json()["name"], name);
    }
    assert_eq!(
        get_unix(&home.path().join("web.sock"), "/").json()["name"],
        "unix"
    );
    assert_eq!(home.app("app").udp_port(), Some(port("udp")));
    assert_eq!(
        home.app("app").listening().len(),
        4,
        "{:?}",
        home.app("app").listening()
    );
    home.rota(&["reload", "app"]).ok();
    for name in ["first", "second"] {
        assert_eq!(get(port(name), "/").json()["name"], name);
    }
}

#[test]
fn exclusive_ports_belong_to_one_worker() {
    let home = Home::new();
    listen(
        &home,
        &json!({ "port": 0, "exclusive": true }),
        &["--listen-timeout", "3s"],
    );
    let both = addresses(&home);
    assert_ne!(both[0]["port"], both[1]["port"]);
    for address in both {
        get(
            u16::try_from(address["port"].as_u64().unwrap()).unwrap(),
            "/",
        );
    }
}

#[test]
fn reuse_port_sockets_are_the_workers_own() {
    let (home, port) = (Home::new(), free_port());
    let node = node_bin("24").display().to_string();
    let options = json!({ "port": port.number, "reusePort": true });
    listen(
        &home,
        &options,
        &["--interpreter", &node, "--listen-timeout", "3s"],
    );
    assert_eq!(addresses(&home).len(), 2);
    both_answer(|| Connection::open(port.number).unwrap());
}

#[test]
fn the_same_port_for_two_apps_is_a_conflict() {
    let (home, port) = (Home::new(), free_port());
    for balance in ["round-robin", "reuseport"] {
        let env = format!("LISTEN={}", json!({ "port": port.number }));
        home.start("listen.js", &["--env", &env, "--balance", balance]);
        let script = crate::support::app_path("listen.js").display().to_string();
        home.rota(&[
            "start",
            &script,
            "--name",
            "second",
            "--env",
            &env,
            "--balance",
            balance,
            "--observe",
            "0",
            "--no-wait",
        ])
        .ok();
        let second = eventually("the second app runs", || {
            home.find("second")
                .and_then(|app| app.pids().first().copied())
        });
        home.until_reported("EADDRINUSE", |line| {
            line["error"] == "EADDRINUSE" && line["pid"] == second
        });
        home.rota(&["delete", "all"]).ok();
    }
}
