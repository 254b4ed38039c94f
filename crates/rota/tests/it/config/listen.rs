//! Addresses that change while the app serves.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rota_bench::load::Running;
use rustix::process::Signal;

use super::write;
use crate::support::{
    App, Home, Port, another_supervisor, eventually, free_port, get, get_unix, load_on, signal,
};

/// A home whose app `web` is given its sockets.
struct Site {
    home: Home,
    script: String,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        let script = home.copy("sockets.py");
        Self { home, script }
    }

    /// Writes the file: two workers at these addresses.
    fn describe(&self, listen: &[String], more: &str) {
        let text = format!(
            "[apps.web]\nscript = \"{}\"\ninstances = 2\nwait_ready = true\nlisten = {listen:?}\n{more}",
            self.script
        );
        write(&self.home, &text);
    }

    fn app(&self) -> App {
        self.home.app("web")
    }

    fn apply(&self) {
        self.home.rota(&["apply"]).ok();
    }
}

fn at(port: &Port) -> String {
    format!("127.0.0.1:{port}")
}

fn refuses(port: &Port) -> bool {
    let connected = TcpStream::connect(("127.0.0.1", port.number));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Nobody listens there, and nobody else is kept from it.
#[track_caller]
fn assert_free(port: &Port) {
    assert!(refuses(port), "somebody listens on {port}");
    TcpListener::bind(("127.0.0.1", port.number)).expect("the port is free");
}

fn load(port: &Port) -> Running {
    let load = load_on(port.number).one_shot(2).start().unwrap();
    assert!(load.until_answered_blocking(50, Duration::from_secs(60)));
    load
}

#[track_caller]
fn assert_lossless(load: Running) {
    let answered = load.answered();
    assert!(load.until_answered_blocking(answered + 50, Duration::from_secs(60)));
    let report = load.stop_blocking();
    assert_eq!(report.failed(), 0, "{report}");
}

#[test]
fn one_port_takes_the_place_of_another_and_the_one_that_stays_loses_nothing() {
    let (site, ports) = (Site::new(), [free_port(), free_port(), free_port()]);
    let [stays, goes, comes] = &ports;
    site.describe(&[at(stays), at(goes)], "");
    site.apply();
    let before = site.app().pids();
    get(goes.number, "/");
    let load = load(stays);
    site.describe(&[at(comes), at(stays)], "");
    site.home
        .rota(&["apply"])
        .ok()
        .says("~ web: reload: listen");
    assert_free(goes);
    let addresses = get(comes.number, "/").json()["addresses"].to_string();
    assert!(addresses.find(&comes.to_string()) < addresses.find(&stays.to_string()));
    assert!(site.app().pids().iter().all(|pid| !before.contains(pid)));
    let mut listening = vec![at(comes), at(stays)];
    listening.sort();
    assert_eq!(site.app().listening(), listening);
    site.home.rota(&["apply"]).ok().says("nothing to do");

    // The same by the verbs for a file, and all at once.
    site.describe(&[at(stays), at(goes)], "");
    site.home.rota(&["reload", "rota.toml"]).ok();
    assert_free(comes);
    get(goes.number, "/");
    let path = site.home.path().join("web.sock");
    let unix = path.display().to_string();
    site.describe(&[unix, at(stays)], "");
    site.home.rota(&["restart", "rota.toml"]).ok();
    assert_free(goes);
    get_unix(&path, "/");
    site.describe(&[at(stays)], "");
    site.apply();
    assert!(!path.exists(), "its file has gone with it");
    assert_lossless(load);
}

#[test]
fn a_port_that_cannot_be_had_changes_nothing() {
    let (site, ports) = (Site::new(), [free_port(), free_port(), free_port()]);
    let [stays, free, taken] = &ports;
    let somebody = TcpListener::bind(("127.0.0.1", taken.number)).unwrap();
    site.describe(&[at(stays)], "");
    let text = std::fs::read_to_string(site.home.path().join("rota.toml")).unwrap();
    let other = "[apps.other]\nscript = \"sleep 1000\"\n";
    site.home.write("rota.toml", &format!("{text}{other}"));
    site.apply();
    let before = (site.app().pids(), site.home.app("other").pids());
    site.describe(&[at(stays), at(free), at(taken)], "");
    let text = std::fs::read_to_string(site.home.path().join("rota.toml")).unwrap();
    let changed = other.replace("1000", "1001");
    site.home.write("rota.toml", &format!("{text}{changed}"));
    let wrong = format!("cannot listen on {}: Address already in use", at(taken));
    let output = site.home.rota(&["apply"]).fails(1);
    let output = output.says(&format!("web: {wrong}"));
    output
        .says("somebody else listens there")
        .says("nothing was changed");
    assert_ne!(
        site.home.app("other").pids(),
        before.1,
        "it does not depend on web"
    );
    for verb in ["reload", "restart"] {
        site.home.rota(&[verb, "rota.toml"]).fails(1).says(&wrong);
    }
    assert_eq!(site.app().pids(), before.0);
    assert_eq!(site.app().listening(), [at(stays)]);
    assert_free(free);
    get(stays.number, "/");
    drop(somebody);
    site.apply();
    get(taken.number, "/");
    get(free.number, "/");
}

#[test]
fn code_that_does_not_work_takes_its_port_with_it() {
    let (site, ports) = (Site::new(), [free_port(), free_port(), free_port()]);
    let [stays, old, new] = &ports;
    site.describe(&[at(stays), at(old)], "");
    site.apply();
    let before = site.app().pids();
    let load = load(stays);
    site.home
        .write("sockets.py", "raise SystemExit('broken on purpose')\n");
    site.describe(&[at(stays), at(new)], "");
    site.home
        .rota(&["apply"])
        .fails(1)
        .says("rolled back")
        .says("broken on purpose");
    assert_free(new);
    get(old.number, "/");
    assert_eq!(site.app().pids(), before);
    // And once it is mended, all is well.
    site.home.deploy("sockets.py", "sockets.py");
    site.home
        .rota(&["apply"])
        .ok()
        .says("~ web: reload: listen");
    get(new.number, "/");
    assert_free(old);
    assert_lossless(load);
}

#[test]
fn a_supervisor_that_dies_in_the_middle_takes_no_port_with_it() {
    let (site, ports) = (Site::new(), [free_port(), free_port(), free_port()]);
    let [stays, goes, comes] = &ports;
    site.describe(&[at(stays), at(goes)], "");
    site.apply();
    let before = site.app().pids();
    let load = load(stays);
    site.describe(&[at(comes), at(stays)], "env = { WAIT_GO = 1 }\n");
    let apply = site.home.in_background(&["apply"]);
    let kill = || {
        let (_, supervisor) = site.home.daemon_pids();
        signal(supervisor, Signal::KILL);
        another_supervisor(&site.home, supervisor);
    };
    eventually("a new worker", || {
        let app = site.app();
        (app.status() == "reloading" && app.pids().len() == 3).then_some(())
    });
    kill();
    get(goes.number, "/");
    assert!(!refuses(comes), "who comes too early waits");
    assert!(before.iter().all(|pid| site.app().pids().contains(pid)));
    std::fs::write(site.home.path().join("go"), "").unwrap();
    apply.join().unwrap().ok();
    assert_free(goes);
    get(comes.number, "/");

    kill();
    get(comes.number, "/");
    site.home.rota(&["reload", "web"]).ok();
    assert!(site.app().pids().iter().all(|pid| !before.contains(pid)));
    get(comes.number, "/");
    // What was closed has not come back, and what was open goes when it is not wanted any more.
    assert_free(goes);
    site.describe(&[at(stays)], "env = { WAIT_GO = 1 }\n");
    site.apply();
    assert_free(comes);
    assert_lossless(load);

    // The way back, too.
    site.home
        .write("sockets.py", "import time\ntime.sleep(1000)\n");
    site.describe(&[at(stays), at(comes)], "listen_timeout = \"4s\"\n");
    let apply = site.home.in_background(&["apply"]);
    eventually("a new worker", || {
        let app = site.app();
        (app.status() == "reloading" && app.pids().len() == 3).then_some(())
    });
    kill();
    apply.join().unwrap().fails(1).says("rolled back");
    assert_free(comes);
    get(stays.number, "/");
}

#[test]
fn cluster_workers_find_a_socket_under_another_number() {
    let (home, ports) = (Home::new(), [free_port(), free_port(), free_port()]);
    let [stays, goes, comes] = &ports;
    let script = crate::support::app_path("listen.js").display().to_string();
    let describe = |listen: [&Port; 2], fd: u32| {
        let listen = listen.map(at);
        let text = format!(
            "[apps.web]\nscript = \"{script}\"\ninstances = 2\nlisten = {listen:?}\n\
             env = {{ LISTEN = '{{\"fd\":{fd}}}' }}\n"
        );
        write(&home, &text);
    };
    describe([goes, stays], 4);
    home.rota(&["apply"]).ok();
    let before = home.app("web").pids();
    let load = load(stays);
    describe([stays, comes], 3);
    home.rota(&["apply"]).ok();
    assert!(!before.contains(&get(stays.number, "/").pid()));
    assert_free(goes);
    assert_lossless(load);
    // The number that was that of the one is that of the other now.
    describe([comes, stays], 3);
    home.rota(&["apply"]).ok();
    get(comes.number, "/");
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    another_supervisor(&home, supervisor);
    get(comes.number, "/");
    describe([comes, stays], 4);
    home.rota(&["apply"]).ok();
    get(stays.number, "/");
}

#[test]
fn addresses_that_lie_within_each_other_need_a_gap() {
    let (site, port) = (Site::new(), free_port());
    site.describe(&[at(&port)], "");
    site.apply();
    let before = site.app().pids();
    site.describe(&[port.to_string()], "");
    site.home
        .rota(&["apply"])
        .fails(2)
        .says("! web: delete and start anew, with a gap")
        .says("--yes");
    site.home
        .rota(&["reload", "rota.toml"])
        .fails(1)
        .says(&format!("the app itself listens on {}", at(&port)));
    assert_eq!(site.app().pids(), before);
    get(port.number, "/");
    site.home.rota(&["apply", "--yes"]).ok();
    get(port.number, "/");
    site.home.rota(&["apply"]).ok().says("nothing to do");
    assert_ne!(site.app().pids(), before);
}

#[test]
fn an_app_at_rest_has_its_new_addresses_when_it_starts() {
    let (site, ports) = (Site::new(), [free_port(), free_port()]);
    let [old, new] = &ports;
    site.describe(&[at(old)], "");
    site.apply();
    site.home.rota(&["stop", "web"]).ok();
    site.describe(&[at(new)], "");
    site.apply();
    assert_free(old);
    get(new.number, "/");
}
