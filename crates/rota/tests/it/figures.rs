//! What workers tell from inside, and what the kernel tells of every process.

use serde_json::Value;

use crate::support::{Connection, Home, get, node_bin};

const OFTEN: [&str; 2] = ["--heartbeat-interval", "100ms"];

/// Waits until the figures of the only worker satisfy `wanted`; gives the worker.
#[track_caller]
fn until(home: &Home, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let app = home.until(what, |app| wanted(&app.workers()[0].0["inside"]));
    app.workers()[0].0.clone()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Every figure, by what is known to have happened.
fn tells(version: &str) {
    let home = Home::new();
    let node = node_bin(version).display().to_string();
    let flags = [&OFTEN[..], &["--interpreter", &node]].concat();
    let started = home.start("figures.js", &flags);
    let mut kept = Connection::open(started.port).unwrap();
    for _ in 0..20 {
        kept.get("/").unwrap();
    }
    kept.get("/slow?ms=300").unwrap();
    kept.get("/status?code=302").unwrap();
    kept.get("/status?code=404").unwrap();
    kept.get("/status?code=503").unwrap();
    kept.get("/gc").unwrap();
    kept.send("/slow?ms=600000").unwrap();
    let worker = until(&home, "all requests are counted", |inside| {
        inside["http"]["requests_total"] == 26
    });
    let (inside, process) = (&worker["inside"], &worker["process"]);
    let http = &inside["http"];
    assert_eq!(http["requests_in_flight"], 1, "{worker:#}");
    let classes: Vec<_> = ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .map(|class| http["responses"][class].as_u64().unwrap())
        .to_vec();
    assert_eq!(classes, [0, 22, 1, 1, 1], "{worker:#}");
    assert!(number(&http["sent_bytes"]) > 1000.0, "{worker:#}");
    let latency = &http["latency"];
    assert_eq!(latency["count"], 25, "{worker:#}");
    assert!(
        number(&latency["max_ms"]) >= 290.0 && number(&latency["p50_ms"]) < 290.0,
        "{worker:#}"
    );
    assert!(number(&inside["heap"]["used_bytes"]) > 1e6, "{worker:#}");
    assert!(number(&inside["heap"]["limit_bytes"]) > 1e7, "{worker:#}");
    assert!(inside["connections"] == 1, "{worker:#}");
    assert!(number(&process["cpu_user_seconds"]) > 0.0, "{worker:#}");
    assert!(number(&process["threads"]) > 2.0, "{worker:#}");
    let (open, limit) = (
        number(&process["open_files"]),
        number(&process["open_files_limit"]),
    );
    assert!(open > 5.0 && limit > open, "{worker:#}");
    let later = until(&home, "collections and rates", |inside| {
        number(&inside["gc"]["minor"]["count"]) > 0.0
            && inside["http"]["requests_per_second"].is_number()
    });
    assert_eq!(later["inside"]["stale"], false);
}

#[test]
fn of_node_18() {
    tells("18");
}

#[test]
fn of_node_20() {
    tells("20");
}

#[test]
fn of_node_22() {
    tells("22");
}

#[test]
fn of_node_24() {
    tells("24");
}

#[test]
fn what_the_app_says_of_itself() {
    let home = Home::new();
    let started = home.start("figures.js", &OFTEN);
    get(started.port, "/gauge?name=queue_length&value=-12.5");
    get(started.port, "/counter?name=jobs_done&add=2");
    get(started.port, "/counter?name=jobs_done&add=3");
    get(started.port, "/sick?reason=database%20is%20gone");
    let worker = until(&home, "gauge and counter", |inside| {
        inside["gauges"]["queue_length"] == -12.5 && inside["counters"]["jobs_done"] == 5.0
    });
    let health = &worker["health"];
    assert_eq!(health["ok"], false, "{worker:#}");
    assert_eq!(health["reason"], "database is gone");
    assert_eq!(health["code"], 3);
    let list = home.rota(&["list"]).ok().out;
    assert!(list.contains("unhealthy"), "{list}");
    assert!(
        list.contains("app:0 says that it is unhealthy: database is gone"),
        "{list}"
    );
    let sheet = home.rota(&["describe", "app"]).ok().out;
    for part in [
        "database is gone (code 3)",
        "queue_length -12.5",
        "jobs_done 5",
    ] {
        assert!(sheet.contains(part), "{part} in {sheet}");
    }
    assert_eq!(
        home.app("app").status(),
        "online",
        "it is told, nothing is done"
    );
    get(started.port, "/well");
    home.until("well again", |app| {
        app.workers()[0].0["health"]["ok"] == true
    });
    let log = home.daemon_log();
    assert!(
        log.contains("app:0 says that it is unhealthy: database is gone (code 3)"),
        "{log}"
    );
}

#[test]
fn a_wild_app_harms_nobody() {
    let home = Home::new();
    let started = home.start("figures.js", &OFTEN);
    for _ in 0..10 {
        get(started.port, "/wild");
    }
    let worker = until(&home, "figures after all that", |inside| {
        inside["http"]["requests_total"] == 10
    });
    let names = worker["inside"]["gauges"].as_object().unwrap();
    assert!(names.len() <= 64 && names.keys().all(|name| name.len() <= 64));
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn without_agent_the_kernel_still_tells() {
    let home = Home::new();
    home.start("figures.js", &["--no-agent"]);
    let worker = home.app("app").workers()[0].0.clone();
    assert!(worker["inside"].is_null() && worker["health"].is_null());
    assert!(number(&worker["memory"]) > 1e7);
    assert!(number(&worker["process"]["open_files"]) > 5.0);
}

#[test]
fn programs_of_another_kind() {
    let home = Home::new();
    let script = home.write("sleep.sh", "while :; do sleep 100; done\n");
    home.start_script(&script, &[]);
    let worker = home.app("app").workers()[0].0.clone();
    assert_eq!(worker["process"]["threads"], 1, "{worker:#}");
    assert!(number(&worker["process"]["open_files"]) >= 3.0);
    assert!(worker["inside"].is_null());
}
