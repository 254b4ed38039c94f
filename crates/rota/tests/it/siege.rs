//! `siege -b -c200` over ten reloads: availability 100 %, no failed transaction.
//!
//! siege 4.0 ends a siege by time (`-t10S`) by cancelling its threads wherever they are, and has two weaknesses there,
//! against any server. A thread that is cancelled inside of malloc or of libcrypto keeps its lock, and the others wait
//! for it without an end: seen in 2 of 6 sieges of a plain `node` over HTTPS, in 3 of 40 over HTTP. And a request that
//! is cancelled while it waits for its answer is not counted. A siege by number (`-r`) cancels nothing: it waits for
//! its last answer, however long that takes. So HTTPS is besieged by number, and HTTP too once siege has locked up.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Foreground, Home, app_path, eventually, heavy, signal, tls_dir};

/// How siege knows when to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// After ten seconds.
    Time,
    /// When each of its 200 clients has had this many answers.
    Answers(u64),
}

/// Some five seconds of two processors.
const OVER_HTTPS: Until = Until::Answers(25);

/// In the place of a siege by time over HTTP, and of about the same length.
const INSTEAD: Until = Until::Answers(100);

/// How a siege went.
enum End {
    /// To its end, and nothing failed.
    Good,
    /// Siege itself broke down: there are no figures to judge by.
    Broken,
}

/// siege under way, with the settings of a fresh installation.
struct Siege {
    child: Child,
    until: Until,
    begin: Instant,
}

impl Siege {
    fn start(home: &Home, url: &str, until: Until) -> Self {
        let settings = home.write("siegerc", "verbose = false\nconnection = close\nprotocol = HTTP/1.1\nlimit = 255\nparser = false\n");
        let length = match until {
            Until::Time => "-t10S".to_owned(),
            Until::Answers(each) => format!("-r{each}"),
        };
        let mut command = Command::new("siege");
        command
            .args(["-b", "-c200", &length, "-q", "-j", "-R", &settings, url])
            .env("HOME", home.path());
        Self {
            child: command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
            until,
            begin: Instant::now(),
        }
    }

    fn running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether the server is still under siege. One that should have ended by time has, or has locked itself up.
    fn goes_on(&mut self) -> bool {
        let over = self.until == Until::Time && self.begin.elapsed() > Duration::from_secs(11);
        !over && self.running()
    }

    /// Waits for the end; nothing may have failed.
    fn nothing_failed(mut self) -> End {
        if let Err(why) = self.come_to_an_end() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            println!("{why}");
            return End::Broken;
        }
        let output = self.child.wait_with_output().unwrap();
        if let Some(signal) = output.status.signal() {
            println!("siege has died of signal {signal}");
            return End::Broken;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = &text[text
            .find('{')
            .unwrap_or_else(|| panic!("no figures: {output:?}"))..];
        let figures: serde_json::Value = serde_json::from_str(json).unwrap();
        println!("{figures}");
        let complaints = String::from_utf8_lossy(&output.stderr);
        let least = match self.until {
            Until::Time => 500,
            Until::Answers(each) => 200 * each,
        };
        assert!(
            figures["transactions"].as_u64().unwrap() >= least,
            "{figures}\n{complaints}"
        );
        assert_eq!(figures["failed_transactions"], 0, "{figures}\n{complaints}");
        assert!(
            (figures["availability"].as_f64().unwrap() - 100.0).abs() < f64::EPSILON,
            "{figures}"
        );
        End::Good
    }

    /// Waits for the end; fails the test if the server keeps siege from it. An error if siege does so itself.
    fn come_to_an_end(&mut self) -> Result<(), String> {
        let limit = Duration::from_secs(match self.until {
            Until::Time => 60,
            Until::Answers(_) => 300,
        });
        let begin = Instant::now();
        let (mut threads, mut since) = (Threads::of(&self.child), begin);
        while self.running() {
            std::thread::sleep(Duration::from_millis(200));
            let now = Threads::of(&self.child);
            if now != threads {
                (threads, since) = (now, Instant::now());
            }
            let still = since.elapsed();
            if still > Duration::from_secs(2) && threads.wait_for_each_other() {
                return Err(format!("siege has locked itself up: {threads}"));
            }
            // Longer than siege itself waits for a connection to become ready.
            if still > Duration::from_secs(35) {
                let _ = self.child.kill();
                panic!("siege waits for the server: {threads}");
            }
            if begin.elapsed() > limit {
                return Err(format!("siege goes on and on: {threads}"));
            }
        }
        Ok(())
    }
}

/// What the threads of a process wait for, and how often they have done so. Equal twice: nothing has moved.
#[derive(PartialEq, Eq)]
struct Threads(Vec<Thread>);

#[derive(PartialEq, Eq)]
struct Thread {
    /// The kernel's function that it waits in.
    waits_in: String,
    /// Its state and the counts of its context switches, as `/proc` has them.
    switches: String,
}

impl Threads {
    fn of(process: &Child) -> Self {
        let read = |folder: &Path| {
            let status = fs::read_to_string(folder.join("status")).ok()?;
            let told = |line: &&str| line.starts_with("State") || line.contains("_ctxt_switches");
            Some(Thread {
                waits_in: fs::read_to_string(folder.join("wchan")).ok()?,
                switches: status.lines().filter(told).collect(),
            })
        };
        let folders = fs::read_dir(format!("/proc/{}/task", process.id()));
        let folders = folders.into_iter().flatten().flatten();
        Self(folders.filter_map(|entry| read(&entry.path())).collect())
    }

    /// Whether none waits for anything from outside: all wait for a lock or for another's end, or, as the one that
    /// handles signals does, for a signal. A wait that is not known counts as one for the server.
    fn wait_for_each_other(&self) -> bool {
        let inside = |thread: &Thread| {
            thread.waits_in.starts_with("futex") || thread.waits_in.starts_with("do_sigtimedwait")
        };
        !self.0.is_empty() && self.0.iter().all(inside)
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = BTreeMap::new();
        for thread in &self.0 {
            *counts.entry(thread.waits_in.as_str()).or_insert(0) += 1;
        }
        write!(f, "its threads are in {counts:?}")
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

/// Ten reloads, or whatever `act` does, under siege. Forty starts of Node fit into the ten seconds of one siege on a machine
/// that has nothing else to do; where they do not, the next siege begins, with the same demand. What a siege by time that
/// broke down has seen does not count, and the next ones are by number.
fn ten_times(home: &Home, url: &str, mut until: Until, act: impl Fn(u32)) {
    let (mut times, mut sieges) = (0, 0);
    while times < 10 {
        let mut siege = Siege::start(home, url, until);
        let mut under_this_one = 0;
        while siege.goes_on() && times + under_this_one < 10 {
            act(times + under_this_one);
            under_this_one += 1;
        }
        println!("{under_this_one} times in {:?}", siege.begin.elapsed());
        match siege.nothing_failed() {
            End::Good => {
                times += under_this_one;
                sieges += 1;
            }
            End::Broken => {
                assert!(
                    until == Until::Time,
                    "siege breaks down though it cancels nothing"
                );
                until = INSTEAD;
            }
        }
    }
    println!("ten times in {sieges} sieges");
}

fn under_siege(url: impl Fn(u16) -> String, https: bool) {
    let until = if https { OVER_HTTPS } else { Until::Time };
    let _alone = heavy();
    // A daemon.
    let home = Home::new();
    if https {
        home.write("https", "");
    }
    let (script, tls) = server(&home);
    let started = home.start_script(&script, &["-i", "4", "--env", &tls]);
    let (keeper, _) = home.daemon_pids();
    ten_times(&home, &url(started.port), until, |round| {
        reload(&home, keeper, round);
    });
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
    ten_times(
        &home,
        &format!("http://127.0.0.1:{port}/"),
        Until::Time,
        |round| reload(&home, run.child.id(), round),
    );
}

#[test]
fn ten_deaths_of_the_supervisor() {
    let _alone = heavy();
    let home = Home::new();
    let started = home.start("http.js", &["-i", "4"]);
    let url = format!("http://127.0.0.1:{}/", started.port);
    ten_times(&home, &url, Until::Time, |_| {
        home.kill_supervisor();
    });
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn reloads_with_the_default_settings() {
    let _alone = heavy();
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    home.rota(&["start", &script, "--name", "app", "-i", "4"])
        .ok();
    let port = home.app("app").port().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let besiege = |until| {
        let mut siege = Siege::start(&home, &url, until);
        let mut reloads = 0;
        while siege.goes_on() {
            home.rota(&["reload", "app"]).ok();
            reloads += 1;
        }
        println!("{reloads} reloads");
        siege.nothing_failed()
    };
    if matches!(besiege(Until::Time), End::Broken) {
        assert!(matches!(besiege(INSTEAD), End::Good));
    }
}
