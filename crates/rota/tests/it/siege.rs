//! `siege -b -c200 -t10S` over ten reloads: availability 100 %, no failed transaction.

use std::process::{Child, Command, Stdio};

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

    /// Waits for the end; nothing may have failed.
    fn nothing_failed(self) {
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
    }
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

/// Ten reloads of the app `app` of a daemon: five by the command, five by SIGUSR2 to `keeper`.
fn ten_reloads(home: &Home, keeper: u32, siege: &mut Siege) {
    for round in 0..10 {
        assert!(
            siege.running(),
            "reload {round} is too late: siege has ended"
        );
        if round % 2 == 0 {
            home.rota(&["reload", "app"]).ok();
        } else {
            let before = home.app("app").pids();
            signal(keeper, Signal::USR2);
            eventually("the signal's reload is done", || {
                let app = home.app("app");
                let calm = app.status() == "online" && app.workers().len() == 4;
                (calm && app.pids().iter().all(|pid| !before.contains(pid))).then_some(())
            });
        }
    }
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
    let mut siege = Siege::start(&home, &url(started.port));
    ten_reloads(&home, keeper, &mut siege);
    siege.nothing_failed();
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
    let mut siege = Siege::start(&home, &format!("http://127.0.0.1:{port}/"));
    ten_reloads(&home, run.child.id(), &mut siege);
    siege.nothing_failed();
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
    siege.nothing_failed();
}
