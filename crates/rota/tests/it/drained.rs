//! What a command says of the connections of the workers that left for it.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Connection, Home, Output, eventually, run, signal};

/// The lines of a command with `--json`.
fn events(output: &Output) -> Vec<Value> {
    let lines = output.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_reload_hands_over_what_is_open_and_says_so() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let open = |_| Connection::open(started.port).unwrap();
    let mut clients: Vec<Connection> = (0..6).map(open).collect();
    for client in &mut clients {
        client.get("/").unwrap();
    }
    let output = home.rota(&["reload", "app"]).ok();
    let output = output.says("drained: 0 requests were running, ");
    output.says(" connections handed over, 0 told to close, 0 cut off");
    for client in &mut clients {
        let pid = client.get("/").unwrap().pid();
        assert!(!started.pids.contains(&pid), "on the same connection");
    }
    let events = events(&home.rota(&["reload", "app", "--json"]).ok());
    let handed = |event: &Value| event["drained"]["handed_over"].as_u64();
    let progress = events.iter().filter(|event| event["kind"] == "draining");
    // More than six where the new worker was too busy to take one: that went to the other old one first.
    let sum = progress.filter_map(handed).sum::<u64>();
    assert!(sum >= 6, "{sum}");
    let result = &events.last().unwrap()["results"][0];
    assert_eq!(
        (handed(result), &result["drained"]["workers"]),
        (Some(sum), &2.into())
    );
}

#[test]
fn without_an_agent_nothing_is_said() {
    let home = Home::new();
    home.start("http.js", &["--no-agent"]);
    let output = home.rota(&["reload", "app"]).ok();
    assert!(!output.out.contains("drained"), "{output}");
}

#[test]
fn a_worker_that_dies_while_it_is_drained_is_counted() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    let mut client = Connection::open(started.port).unwrap();
    client.send("/slow?ms=60000").unwrap();
    home.until("the request is there", |app| {
        app.0["workers"][0]["connections"] == 1
    });
    let mut reload = home.command(&["reload", "app", "--json"]);
    let reload = std::thread::spawn(move || run(&mut reload));
    eventually("the old one is drained", || {
        home.daemon_log()
            .contains("draining worker 0")
            .then_some(())
    });
    signal(started.pids[0], Signal::KILL);
    let events = events(&reload.join().unwrap().ok());
    let result = &events.last().unwrap()["results"][0];
    assert_eq!(result["drained"]["lost"], 1);
    let line = "worker 0 died while draining: up to 1 connection was lost";
    assert!(events.iter().any(|event| event["text"] == line));
}
