//! Socket activation: LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES.

use std::time::Duration;

use crate::support::{Home, free_port, get, get_unix, load_on};

#[test]
fn sockets_are_handed_over_with_their_names() {
    let (home, web) = (Home::new(), free_port());
    let path = home.path().join("app.sock");
    let (first, second) = (
        format!("web=127.0.0.1:{web}"),
        format!("control={}", path.display()),
    );
    home.start("activated.py", &["--listen", &first, "--listen", &second]);
    let answer = get(web.number, "/").json();
    assert_eq!(answer["names"], "web:control");
    assert_eq!(answer["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(get_unix(&path, "/").pid(), home.app("app").pids()[0]);
    home.rota(&["delete", "app"]).ok();
    assert!(!path.exists());
    std::net::TcpListener::bind(("127.0.0.1", web.number)).expect("the port is free again");
}

#[test]
fn a_bare_port_is_open_on_both_families() {
    let (home, port) = (Home::new(), free_port());
    home.start("activated.py", &["--listen", &port.to_string()]);
    get(port.number, "/");
    std::net::TcpStream::connect(("::1", port.number)).unwrap();
}

#[test]
fn restarts_and_reloads_lose_no_connection() {
    let (home, port) = (Home::new(), free_port());
    home.start(
        "activated.py",
        &["-i", "2", "--listen", &format!("127.0.0.1:{port}")],
    );
    let load = load_on(port.number).one_shot(1).start().unwrap();
    assert!(load.until_answered_blocking(50, Duration::from_secs(60)));
    home.rota(&["reload", "app"]).ok();
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 50, Duration::from_secs(60)));
    let report = load.stop_blocking();
    // The program knows nothing of draining: what it has accepted when the signal comes is lost, never a queued one.
    let refused = report
        .failed_by_kind()
        .iter()
        .any(|(kind, _)| format!("{kind:?}").contains("Refused"));
    assert!(!refused, "{report}");
}

#[test]
fn cluster_workers_listen_on_an_inherited_socket_by_its_number() {
    let (home, port) = (Home::new(), free_port());
    let listen = format!("127.0.0.1:{port}");
    let flags = [
        "-i",
        "2",
        "--listen",
        &listen,
        "--env",
        r#"LISTEN={"fd":3}"#,
    ];
    let started = home.start("listen.js", &flags);
    let mut seen = std::collections::BTreeSet::new();
    crate::support::eventually("an answer of both workers", || {
        seen.insert(get(port.number, "/").pid());
        (seen.len() == 2).then_some(())
    });
    home.rota(&["reload", "app"]).ok();
    assert!(!started.pids.contains(&get(port.number, "/").pid()));
}
