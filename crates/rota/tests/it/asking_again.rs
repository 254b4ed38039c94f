//! Callers whose supervisor dies before they have their answer, and names for what they ask for.

use rustix::process::Signal;

use crate::support::{Connection, Foreground, Home, signal};

/// Kills the supervisor; the keeper starts another.
fn kill_supervisor(home: &Home) {
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
}

/// Any client: a request under a name of its choice. Gives status and body.
fn post(home: &Home, path: &str, token: &str, body: &str) -> (u16, String) {
    let mut connection = Connection::unix(&home.rota_home().join("rota.sock")).unwrap();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: rota\r\nrota-operation: {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    connection.write(request.as_bytes()).unwrap();
    let answer = connection.receive().unwrap();
    (answer.status, answer.body)
}

#[test]
fn a_reload_gets_its_answer_from_the_next_supervisor() {
    let home = Home::new();
    home.rota(&[
        "start",
        &home.copy("http.js"),
        "--name",
        "app",
        "--observe",
        "2s",
    ])
    .ok();
    let mut reload = Foreground::start(&mut home.command(&["reload", "app"]));
    reload.until_says("watching the new worker");
    kill_supervisor(&home);
    assert_eq!(reload.wait(), 0, "{:?}", reload.rest());
    reload.until_says("1 worker started, 1 worker stopped");
    home.rota(&["list"]).ok().says("online");
}

#[test]
fn following_the_logs_goes_on() {
    let home = Home::new();
    home.start("http.js", &[]);
    let mut logs = Foreground::start(&mut home.command(&["logs", "-f", "app"]));
    logs.until_says("app:0");
    kill_supervisor(&home);
    logs.until_says("the supervisor was restarted");
    home.rota(&["kill"]).ok();
    assert_eq!(logs.wait(), 0, "{:?}", logs.rest());
}

#[test]
fn what_has_a_name_is_done_once() {
    let home = Home::new();
    home.start("http.js", &[]);
    let [restart, winch, delete] = ["a", "b", "c"].map(|digit| digit.repeat(32));
    let command = |verb: &str| format!(r#"{{"verb":"{verb}","targets":["app"]}}"#);

    let (_, first) = post(&home, "/v1/command", &restart, &command("restart"));
    let pids = home.app("app").pids();
    let (_, again) = post(&home, "/v1/command", &restart, &command("restart"));
    assert_eq!(home.app("app").pids(), pids);
    assert!(first.lines().count() > 1, "{first}");
    assert_eq!(
        again.lines().collect::<Vec<_>>(),
        [first.lines().last().unwrap()]
    );

    let body = r#"{"targets":["app"],"signal":"WINCH"}"#;
    let first = post(&home, "/v1/signal", &winch, body);
    assert!(first.1.contains(&pids[0].to_string()), "{first:?}");
    home.rota(&["restart", "app"]).ok();
    assert_eq!(post(&home, "/v1/signal", &winch, body), first);
    let (status, text) = post(&home, "/v1/command", &winch, &command("stop"));
    assert!(status == 400 && text.contains("another kind"), "{text}");
    let (status, text) = post(&home, "/v1/command", "xyz", &command("stop"));
    assert!(status == 400 && text.contains("rota-operation"), "{text}");

    for _ in 0..2 {
        // The second finds its name, not the app.
        let (status, text) = post(&home, "/v1/command", &delete, &command("delete"));
        assert!(status == 200 && text.contains("1 worker stopped"), "{text}");
    }
}
