//! What the manager of the service is told: systemd's protocol, without systemd.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Foreground, Home};

struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path().join("manager")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self { socket }
    }

    fn start(&self, home: &Home, args: &[&str]) -> Foreground {
        let mut command = home.command(args);
        command.env("NOTIFY_SOCKET", home.path().join("manager"));
        Foreground::start(&mut command)
    }

    /// The next notice.
    #[track_caller]
    fn hears(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

#[test]
fn the_manager_hears_when_it_serves_and_how_long_it_takes_to_stop() {
    let home = Home::new();
    home.start(
        "http.js",
        &["--drain-timeout", "40s", "--kill-timeout", "7s"],
    );
    home.rota(&["kill"]).ok();
    let manager = Manager::new(&home);
    let mut daemon = manager.start(&home, &["daemon"]);
    let ready = manager.hears();
    assert!(ready.starts_with("READY=1\nSTATUS="), "{ready}");
    assert!(ready.contains("1 app"), "{ready}");
    home.until_back(1);
    // Of a new supervisor as well: it may be another version that says so.
    let (keeper, supervisor) = home.daemon_pids();
    assert_eq!(keeper, daemon.child.id(), "it is the unit's main process");
    crate::support::signal(supervisor, Signal::KILL);
    assert!(manager.hears().starts_with("READY=1"));
    daemon.signal(Signal::TERM);
    let stopping = manager.hears();
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping}");
    // 40 s, 7 s and a margin of 15 s.
    assert!(
        stopping.contains("EXTEND_TIMEOUT_USEC=62000000"),
        "{stopping}"
    );
    assert_eq!(daemon.wait(), 0);
}

#[test]
fn run_tells_it_as_well_and_a_daemon_in_the_background_does_not() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let script = crate::support::app_path("http.js").display().to_string();
    let start = home
        .command(&["start", &script, "--name", "app"])
        .env("NOTIFY_SOCKET", home.path().join("manager"))
        .output();
    assert!(start.unwrap().status.success());
    home.rota(&["kill"]).ok();
    let mut run = manager.start(&home, &["run", &script, "--name", "app"]);
    assert!(
        manager.hears().starts_with("READY=1"),
        "the first notice of all"
    );
    home.until_run_online();
    run.signal(Signal::TERM);
    assert!(manager.hears().starts_with("STOPPING=1"));
    assert_eq!(run.wait(), 0);
}
