//! `siege -b -c200 -t10S` over ten reloads: availability 100 %, no failed transaction.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Foreground, Home, app_path, eventually, heavy, signal, tls_dir};

/// siege under way, with the settings of a fresh installation.
struct Siege {
    child: Child,
}

impl Siege {
    fn start(home: &Home, url: &str) -> Self {
        let settings = home.write("siegerc", "verbose = false\nconnection = close\nprotocol = HTTP/1.1\nlimit = 255\nparser = false\n");
        let mut command = Command::new("siege");
        command
            .args(["-b", "-c200", "-t10S", "-q", "-j", "-R", &settings, url])
            .env("HOME", home.path());
        Self {
            child: command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        }
    }

    fn running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end; nothing may have failed. False if siege 4.0 has locked itself up at the end of its time, which
    /// it does now and then (over HTTPS also against a plain `node`): then there are no figures to judge by.
    fn nothing_failed(mut self, port: u16) -> bool {
        let begin = Instant::now();
        while self.running() {
            if begin.elapsed() > Duration::from_secs(40) {
                let waiting = established_to(port);
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                assert_eq!(
                    waiting, 0,
                    "siege waits for answers on connections that are open"
                );
                println!("siege has locked itself up without a connection: once more");
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let output = self.child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = &text[text
            .find('{')
            .unwrap_or_else(|| panic!("no figures: {output:?}"))..];
        let figures: serde_json::Value = serde_json::from_str(json).unwrap();
        println!("{figures}");
        assert!(figures["transactions"].as_u64().unwrap() > 500, "{figures}");
        assert_eq!(figures["failed_transactions"], 0, "{figures}");
        assert!(
            (figures["availability"].as_f64().unwrap() - 100.0).abs() < f64::EPSILON,
            "{figures}"
        );
        true
    }
}

/// Client connections to a local port that are open or being opened.
fn established_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    table
        .lines()
        .filter(|line| {
            let mut fields = line.split_whitespace().skip(2);
            fields
                .next()
                .is_some_and(|address| address.ends_with(&remote))
                && matches!(fields.next(), Some("01" | "02"))
        })
        .count()
}

fn server(home: &Home) -> (String, String) {
    let script = app_path(if home.path().join("https").exists() {
        "https.js"
    } else {
        "http.js"
    });
    (
        script.display().to_string(),
        format!("TLS_DIR={}", tls_dir().display()),
    )
}

/// Reloads the app `app`: by the command in even rounds, by SIGUSR2 to `keeper` in odd ones.
fn reload(home: &Home, keeper: u32, round: u32) {
    if round.is_multiple_of(2) {
        home.rota(&["reload", "app"]).ok();
        return;
    }
    let before = home.app("app").pids();
    signal(keeper, Signal::USR2);
    eventually("the signal's reload is done", || {
        let app = home.app("app");
        let calm = app.status() == "online" && app.workers().len() == 4;
        (calm && app.pids().iter().all(|pid| !before.contains(pid))).then_some(())
    });
}

/// Ten reloads under siege. Forty starts of Node fit into the ten seconds of one siege on a machine that has nothing
/// else to do; where they do not, the next siege begins, with the same demand.
fn ten_reloads(home: &Home, keeper: u32, port: u16, url: &str) {
    let (mut reloads, mut sieges, mut locked) = (0, 0, 0);
    while reloads < 10 {
        let mut siege = Siege::start(home, url);
        let mut under_this_one = 0;
        while siege.running() && reloads + under_this_one < 10 {
            reload(home, keeper, reloads + under_this_one);
            under_this_one += 1;
        }
        if siege.nothing_failed(port) {
            reloads += under_this_one;
            sieges += 1;
        } else {
            locked += 1;
            assert!(locked < 5, "siege never comes to an end");
        }
    }
    println!("ten reloads in {sieges} sieges");
}

fn under_siege(url: impl Fn(u16) -> String, https: bool) {
    let _alone = heavy();
    // A daemon.
    let home = Home::new();
    if https {
        home.write("https", "");
    }
    let (script, tls) = server(&home);
    let started = home.start_script(&script, &["-i", "4", "--env", &tls]);
    let (keeper, _) = home.daemon_pids();
    ten_reloads(&home, keeper, started.port, &url(started.port));
}

#[test]
fn ten_reloads_of_a_daemon() {
    under_siege(|port| format!("http://127.0.0.1:{port}/"), false);
}

#[test]
fn ten_reloads_with_requests_of_300_ms() {
    under_siege(|port| format!("http://127.0.0.1:{port}/slow?ms=300"), false);
}

#[test]
fn ten_reloads_with_https() {
    under_siege(|port| format!("https://127.0.0.1:{port}/"), true);
}

#[test]
fn ten_reloads_of_run() {
    let _alone = heavy();
    let home = Home::new();
    let (script, _) = server(&home);
    let run: Foreground = home.run(&[&script, "--name", "app", "-i", "4", "--observe", "0"]);
    let port = home.until_run_online().port().unwrap();
    ten_reloads(
        &home,
        run.child.id(),
        port,
        &format!("http://127.0.0.1:{port}/"),
    );
}

#[test]
fn reloads_with_the_default_settings() {
    let _alone = heavy();
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--name", "app", "-i", "4"])
        .ok();
    let port = home.app("app").port().unwrap();
    let mut siege = Siege::start(&home, &format!("http://127.0.0.1:{port}/"));
    let mut reloads = 0;
    while siege.running() {
        home.rota(&["reload", "app"]).ok();
        reloads += 1;
    }
    println!("{reloads} reloads");
    assert!(siege.nothing_failed(port));
}
