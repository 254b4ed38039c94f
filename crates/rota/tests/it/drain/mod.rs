//! What clients notice of workers that leave: nothing, as far as that is possible.

mod http2;
mod keepalive;
mod leaving;
mod modes;
mod servers;
mod settings;
mod streams;
mod tls;
mod upgrades;
mod wire;

use serde_json::{Value, json};

use crate::support::{Foreground, Home, Started, eventually};
use wire::Wire;

/// Workers of `drain.js`, two unless the flags say otherwise, with these settings of its HTTP server.
fn serve(home: &Home, settings: &Value, flags: &[&str]) -> Started {
    let settings = format!("SETTINGS={settings}");
    let mut all = vec!["--env", &settings];
    if !flags.contains(&"-i") {
        all.extend(["-i", "2"]);
    }
    all.extend(flags);
    home.start("drain.js", &all)
}

/// Two workers of `drain.js` as it is.
fn serve_plain(home: &Home) -> Started {
    serve(home, &json!({}), &[])
}

/// A command that runs beside the test.
struct Beside(Foreground);

impl Beside {
    fn start(home: &Home, args: &[&str]) -> Self {
        Self(Foreground::start(&mut home.command(args)))
    }

    /// A command that makes workers drain, of which at least one has begun to.
    fn draining(home: &Home, args: &[&str]) -> Self {
        let before = reports(home, "drain");
        let command = Self::start(home, args);
        eventually("a worker drains", || {
            (reports(home, "drain") > before).then_some(())
        });
        command
    }

    /// A reload of the app, of which at least one worker has begun to drain.
    fn reload(home: &Home) -> Self {
        Self::draining(home, &["reload", "app"])
    }

    /// Waits for its good end; gives what it said.
    #[track_caller]
    fn ok(mut self) -> String {
        let code = self.0.wait();
        let said = self.0.rest().join("\n");
        assert_eq!(code, 0, "{said}");
        said
    }
}

fn reports(home: &Home, what: &str) -> usize {
    let lines = home.report();
    lines.iter().filter(|line| line["what"] == what).count()
}

/// Waits until this worker has reported that it drains.
#[track_caller]
fn until_drains(home: &Home, pid: u32) {
    home.until_reported("the worker drains", |line| {
        line["what"] == "drain" && line["pid"] == pid
    });
}

/// Waits until a request for this URL is running; gives the worker that has it.
#[track_caller]
fn until_running(home: &Home, url: &str) -> u32 {
    let line = home.until_reported("the request is running", |line| {
        line["what"] == "running" && line["url"] == url
    });
    u32::try_from(line["pid"].as_u64().unwrap()).unwrap()
}

/// The next request on each is answered by a worker that is not among the old ones, and they stay open.
#[track_caller]
fn all_moved(wires: &mut [Wire], old: &[u32]) {
    for wire in wires {
        let answer = wire.ask("/");
        assert_eq!(answer.status, 200);
        assert!(!old.contains(&answer.pid()), "{answer:?} of {old:?}");
        assert!(!answer.says_close(), "{answer:?}");
        if let Some(port) = answer.json().get("port") {
            assert_eq!(*port, wire.port());
            assert!(
                answer.json()["address"]
                    .as_str()
                    .unwrap()
                    .contains("127.0.0.1")
            );
        }
        assert!(wire.is_open());
    }
}
