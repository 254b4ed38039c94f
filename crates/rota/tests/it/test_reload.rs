//! `rota test-reload`: what its clients see is told, and decides the exit code.

use serde_json::Value;

use crate::support::{Home, Output};

/// A server that answers as the handler says; `n` numbers its requests. `server` may be changed in `after`.
fn server(home: &Home, handler: &str, after: &str) -> String {
    let text = format!(
        "let n = 0\n\
         const server = require('http').createServer((req, res) => {{ n += 1\n{handler}\n}})\n\
         {after}\n\
         server.listen(process.env.AT || 0)\n"
    );
    home.write("server.js", &text)
}

fn tested(home: &Home, flags: &[&str]) -> Output {
    let mut args = vec!["test-reload", "app", "--json", "--concurrency", "3"];
    args.extend(flags);
    home.rota(&args)
}

fn count(document: &Value, pointer: &str) -> u64 {
    let value = document.pointer(pointer);
    value
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no {pointer} in {document:#}"))
}

fn clients<'a>(document: &'a Value, kind: &str) -> &'a Value {
    let clients = document["clients"].as_array().unwrap();
    clients
        .iter()
        .find(|clients| clients["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {document:#}"))
}

#[test]
fn an_unmodified_server_loses_nothing() {
    let home = Home::new();
    let before = home.start("http.js", &["-i", "2"]);
    let output = tested(&home, &["--times", "2"]).ok();
    let document = output.json();
    assert_eq!(
        (&document["ok"], count(&document, "/failed")),
        (&Value::Bool(true), 0)
    );
    assert_eq!(
        document["url"],
        format!("http://127.0.0.1:{}/", before.port)
    );
    assert_eq!(document["status"], Value::Null);
    assert_eq!(
        document["lost"].as_array().unwrap().len(),
        0,
        "{document:#}"
    );
    let reloads = document["reloads"].as_array().unwrap();
    assert!(reloads.len() == 2 && reloads.iter().all(|reload| reload["ok"] == true));
    for kind in ["keep_alive", "one_shot", "idle"] {
        let seen = clients(&document, kind);
        let (during, outside) = (
            count(seen, "/during/requests"),
            count(seen, "/outside/requests"),
        );
        assert!(
            outside > 0 && (during > 0 || kind == "idle"),
            "{document:#}"
        );
        assert_eq!(count(seen, "/requests"), during + outside);
        assert!(seen["outside"]["p99_ms"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(
        count(&document, "/requests"),
        ["keep_alive", "one_shot", "idle"]
            .iter()
            .map(|kind| count(clients(&document, kind), "/requests"))
            .sum::<u64>()
    );
    assert!(
        home.app("app")
            .pids()
            .iter()
            .all(|pid| !before.pids.contains(pid))
    );
}

#[test]
fn a_table_for_people() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    let args = [
        "test-reload",
        "app",
        "--times",
        "1",
        "--concurrency",
        "2",
        "--url",
        "/nowhere",
    ];
    home.rota(&args)
        .ok()
        .says("nothing was lost")
        .says("answers with status 404")
        .says("reload 1, ")
        .says("a connection per request");
}

#[test]
fn what_is_lost_is_told_with_its_cause() {
    let home = Home::new();
    let script = server(
        &home,
        "if (n % 40 === 0) return req.socket.destroy()\n if (n % 7 === 0) res.statusCode = 503\n res.end('x')",
        "",
    );
    home.start_script(&script, &["-i", "2"]);
    let output = tested(&home, &["--times", "1"]).fails(1);
    let document = output.json();
    assert_eq!(document["ok"], false);
    let failed = count(&document, "/failed");
    let lost = document["lost"].as_array().unwrap();
    assert_eq!(
        lost.iter().map(|loss| count(loss, "/count")).sum::<u64>(),
        failed
    );
    for (cause, what) in [
        ("bad_status", "status 503"),
        (
            "closed_before_response",
            "connection closed before the answer",
        ),
    ] {
        let found = lost
            .iter()
            .find(|loss| loss["cause"] == cause && loss["what"] == what);
        let why = found.unwrap_or_else(|| panic!("{cause}: {document:#}"));
        assert!(!why["why"].as_str().unwrap().is_empty());
        assert!(
            count(
                clients(&document, "one_shot"),
                &format!("/failed_by_cause/{cause}")
            ) > 0
        );
    }
    assert!(
        lost.iter()
            .any(|loss| loss["during_reload"] == true && loss["reload"] == 1),
        "{document:#}"
    );
    assert!(
        lost.iter().any(|loss| loss["during_reload"] == false),
        "{document:#}"
    );
    // They count anew: the question that comes before all others has a good answer.
    home.rota(&["restart", "app"]).ok();
    home.rota(&["test-reload", "app", "--times", "1", "--concurrency", "1"])
        .fails(1)
        .says("requests were lost in one reload")
        .says("why: ");
}

#[test]
fn closings_that_are_announced_are_no_losses() {
    let home = Home::new();
    let script = server(
        &home,
        "res.setHeader('connection', 'close')\n res.end('x')",
        "",
    );
    home.start_script(&script, &[]);
    let document = tested(&home, &["--times", "1"]).ok().json();
    let kept = clients(&document, "keep_alive");
    assert!(count(kept, "/outside/closed_announced") > 0, "{document:#}");
    assert_eq!(
        count(kept, "/outside/closed_idle") + count(kept, "/during/closed_idle"),
        0
    );
    assert!(count(kept, "/connections") >= count(kept, "/outside/closed_announced"));
}

#[test]
fn servers_on_a_unix_socket() {
    let home = Home::new();
    let script = server(&home, "res.end('x')", "");
    let at = home.path().join("web.sock").display().to_string();
    home.start_script(&script, &["-i", "2", "--env", &format!("AT={at}")]);
    let document = tested(&home, &["--times", "1", "--url", "/x"]).ok().json();
    assert!(document["url"].as_str().unwrap().contains(&at));
    assert!(count(&document, "/requests") > 0);
}

#[test]
fn a_reload_that_fails_ends_the_test() {
    let home = Home::new();
    let script = home.copy("http.js");
    let started = home.start_script(&script, &["-i", "2"]);
    home.deploy("http.js", "crash-start.js");
    let output = tested(&home, &["--times", "3"]).fails(1);
    let document = output.json();
    assert_eq!(document["ok"], false);
    assert_eq!(document["reloads"].as_array().unwrap().len(), 1);
    assert_eq!(document["reloads"][0]["ok"], false);
    assert_eq!(
        count(&document, "/failed"),
        0,
        "the old workers go on: {document:#}"
    );
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn what_cannot_be_tested_is_left_alone() {
    let home = Home::new();
    let started = home.start("http.js", &["-i", "2"]);
    let script = crate::support::app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--name", "other", "--observe", "0"])
        .ok();
    for (args, code, says) in [
        (&["nobody"][..], 4, "nobody"),
        (&["all"], 2, "several apps"),
        (&["app", "--url", "https://127.0.0.1/"], 2, "plain HTTP"),
        (&["app", "--url", "/a b"], 2, "blanks"),
        (
            &["app", "--url", "http://127.0.0.1:1/"],
            1,
            "connection refused",
        ),
        (&["app", "--times", "0"], 2, "--times"),
    ] {
        home.rota(&[&["test-reload"], args].concat())
            .fails(code)
            .says(says);
    }
    assert_eq!(home.app("app").pids(), started.pids, "nothing was reloaded");
    home.rota(&["stop", "app"]).ok();
    home.rota(&["test-reload", "app"]).fails(1);
}
