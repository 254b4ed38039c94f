//! Sockets that lie with the manager of the service: systemd's file descriptor store and watchdog, without systemd.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rota_sys::process::{ExitStatus, reap};
use rota_sys::scm;
use rota_sys::spawn::Spawn;
use rustix::process::Signal;

use crate::support::{
    Connection, Home, Port, app_path, eventually, free_port, get, get_unix, signal,
};

/// What a service is to systemd.
struct Systemd<'home> {
    home: &'home Home,
    socket: UnixDatagram,
    /// What it keeps, by name.
    store: BTreeMap<String, OwnedFd>,
    watchdog: Option<Duration>,
}

/// The service's main process.
struct Service(u32);

impl<'home> Systemd<'home> {
    fn new(home: &'home Home) -> Self {
        let socket = UnixDatagram::bind(home.path().join("manager")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            home,
            socket,
            store: BTreeMap::new(),
            watchdog: None,
        }
    }

    /// Starts the service with all that is kept, and waits until it is ready.
    fn start(&mut self, args: &[&str]) -> Service {
        let log = std::fs::File::create(self.home.path().join("journal")).unwrap();
        let mut spawn = Spawn::new(env!("CARGO_BIN_EXE_rota"));
        spawn.args = args.iter().map(Into::into).collect();
        spawn.env = std::env::vars_os().collect();
        let command = self.home.command(args);
        for (name, value) in command.get_envs() {
            spawn.env.retain(|(known, _)| known != name);
            let value = value.map(|value| (name.to_owned(), value.to_owned()));
            spawn.env.extend(value);
        }
        let mut set = |name: &str, value: String| spawn.env.push((name.into(), value.into()));
        let manager = self.home.path().join("manager");
        set("NOTIFY_SOCKET", manager.display().to_string());
        set("FDSTORE", "64".to_owned());
        if let Some(time) = self.watchdog {
            set("WATCHDOG_USEC", time.as_micros().to_string());
        }
        if !self.store.is_empty() {
            let names: Vec<&str> = self.store.keys().map(String::as_str).collect();
            set("LISTEN_FDS", names.len().to_string());
            set("LISTEN_FDNAMES", names.join(":"));
            spawn.pid_env = vec!["LISTEN_PID".into()];
        }
        spawn.fds = [(log.as_fd(), 1), (log.as_fd(), 2)].into();
        let kept = self.store.values().map(|fd| fd.as_fd());
        spawn.fds.extend(kept.zip(3..));
        spawn.cwd = Some(self.home.path().to_owned());
        let service = Service(spawn.start().unwrap());
        while !self.hears().starts_with("READY=1") {}
        service
    }

    /// The next notice; keeps what it is given.
    #[track_caller]
    fn hears(&mut self) -> String {
        let mut bytes = [0; 4096];
        let received = scm::recv(&self.socket, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..received.len]).into_owned();
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
        if let Some(name) = name {
            if text.starts_with("FDSTORE=1\n") {
                let [fd] = <[OwnedFd; 1]>::try_from(received.fds).unwrap();
                let known = self
                    .store
                    .values()
                    .any(|known| number(known) == number(&fd));
                assert!(!known, "{name} is there already");
                self.store.insert(name.to_owned(), fd);
            } else {
                assert!(text.starts_with("FDSTOREREMOVE=1\n"), "{text}");
                assert!(self.store.remove(name).is_some(), "{name}");
            }
        }
        text
    }

    /// Waits until it keeps so many sockets.
    #[track_caller]
    fn until_kept(&mut self, count: usize) {
        while self.store.len() != count {
            self.hears();
        }
    }

    /// So many sockets at this port are kept.
    fn kept_at(&self, port: &Port) -> usize {
        let at = |fd: &&OwnedFd| {
            let name = rustix::net::getsockname(fd).unwrap();
            SocketAddr::try_from(name).is_ok_and(|address| address.port() == port.number)
        };
        self.store.values().filter(at).count()
    }
}

impl Service {
    #[track_caller]
    fn wait(mut self) -> ExitStatus {
        self.end()
    }

    #[track_caller]
    fn end(&mut self) -> ExitStatus {
        let status = eventually("the end of the service", || reap(self.0).unwrap());
        self.0 = 0;
        status.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.0 != 0 {
            signal(self.0, Signal::KILL);
            self.end();
        }
    }
}

fn number(fd: &OwnedFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

fn http(home: &Home, port: &Port, flags: &[&str]) {
    let port = format!("PORT={port}");
    let mut all = vec!["-i", "2", "--env", &port];
    all.extend(flags);
    home.start("http.js", &all);
}

/// A client that has sent a request.
fn client(port: &Port) -> Connection {
    let mut client = Connection::open(port.number).unwrap();
    client.send("/").unwrap();
    client
}

#[test]
fn who_connects_while_everything_is_dead_is_served() {
    for balance in ["round-robin", "shared", "reuseport"] {
        let (home, port) = (Home::new(), free_port());
        let mut systemd = Systemd::new(&home);
        let service = systemd.start(&["daemon"]);
        http(&home, &port, &["--balance", balance]);
        let sockets = if balance == "reuseport" { 2 } else { 1 };
        systemd.until_kept(sockets);
        assert_eq!(systemd.kept_at(&port), sockets, "{balance}");
        // The end of a supervisor is no news to systemd.
        let (_, supervisor) = home.daemon_pids();
        signal(supervisor, Signal::KILL);
        assert!(systemd.hears().starts_with("READY=1"), "{balance}");
        let before = home.app("app").pids();
        home.lose_power();
        drop(service);
        let mut waiting: Vec<Connection> = (0..8).map(|_| client(&port)).collect();
        let service = systemd.start(&["daemon"]);
        for client in &mut waiting {
            let answer = client.receive().unwrap();
            assert!(!before.contains(&answer.pid()), "{balance}");
        }
        home.until_back(2);
        assert_eq!(systemd.kept_at(&port), sockets, "{balance}");
        // It is theirs now: a stop closes it, everywhere.
        home.rota(&["stop", "app"]).ok();
        systemd.until_kept(0);
        assert!(TcpStream::connect(("127.0.0.1", port.number)).is_err());
        home.rota(&["kill"]).ok();
        assert_eq!(service.wait(), ExitStatus::Code(0));
    }
}

#[test]
fn a_restart_of_the_service_refuses_nobody_and_its_end_does() {
    let (home, port) = (Home::new(), free_port());
    let mut systemd = Systemd::new(&home);
    let service = systemd.start(&["daemon"]);
    let path = home.path().join("app.sock");
    let listen = format!("web=127.0.0.1:{port}");
    let control = format!("control={}", path.display());
    home.start("activated.py", &["--listen", &listen, "--listen", &control]);
    let web = free_port();
    let script = app_path("http.js").display().to_string();
    let env = format!("PORT={web}");
    home.rota(&["start", &script, "--name", "web", "--env", &env])
        .ok();
    systemd.until_kept(3);
    signal(service.0, Signal::TERM);
    assert_eq!(service.wait(), ExitStatus::Code(0));
    while !systemd.hears().starts_with("STOPPING=1") {}
    let mut waiting = [
        client(&port),
        client(&web),
        Connection::unix(&path).unwrap(),
    ];
    waiting[2].send("/").unwrap();
    let service = systemd.start(&["daemon"]);
    assert_eq!(systemd.store.len(), 3);
    for client in &mut waiting {
        assert_eq!(client.receive().unwrap().status, 200);
    }
    let answer = get(port.number, "/").json();
    assert_eq!(answer["names"], "web:control");
    get_unix(&path, "/");
    let env = get(web.number, "/env").json();
    for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "FDSTORE"] {
        assert!(env[name].is_null(), "{name}");
    }
    // Whoever says `rota kill` wants no service.
    home.rota(&["kill"]).ok();
    assert_eq!(service.wait(), ExitStatus::Code(0));
    while !systemd.hears().starts_with("STOPPING=1") {}
    assert!(TcpStream::connect(("127.0.0.1", web.number)).is_err());
}

#[test]
fn what_nobody_asks_for_is_closed() {
    let (home, port) = (Home::new(), free_port());
    let mut systemd = Systemd::new(&home);
    let service = systemd.start(&["daemon"]);
    http(&home, &port, &[]);
    systemd.until_kept(1);
    home.lose_power();
    drop(service);
    let mut add = |named: &dyn Fn(&OwnedFd) -> String| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let fd = OwnedFd::from(listener);
        systemd.store.insert(named(&fd), fd);
        address
    };
    let ours = add(&|fd| format!("rota-{}", number(fd)));
    let wrong = add(&|_| "rota-1".to_owned());
    let another = add(&|_| "web.socket".to_owned());
    let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    systemd
        .store
        .insert(format!("rota-{}", number(&file)), file);
    let mut waiting = client(&port);
    let service = systemd.start(&["daemon"]);
    assert_eq!(waiting.receive().unwrap().status, 200);
    systemd.until_kept(2);
    assert!(systemd.store.contains_key("web.socket"));
    assert_eq!(systemd.kept_at(&port), 1);
    // Nobody else has these.
    assert!(TcpStream::connect(ours).is_err());
    assert!(TcpStream::connect(wrong).is_err());
    TcpStream::connect(another).unwrap();
    home.rota(&["kill"]).ok();
    assert_eq!(service.wait(), ExitStatus::Code(0));
}

#[test]
fn a_supervisor_that_hangs_is_replaced_and_the_watchdog_fed() {
    let home = Home::new();
    let mut systemd = Systemd::new(&home);
    systemd.watchdog = Some(Duration::from_secs(4));
    let service = systemd.start(&["daemon"]);
    let started = home.start("http.js", &["-i", "2"]);
    for _ in 0..3 {
        while systemd.hears() != "WATCHDOG=1" {}
    }
    let (keeper, supervisor) = home.daemon_pids();
    assert_eq!(keeper, service.0);
    signal(supervisor, Signal::STOP);
    while !systemd.hears().starts_with("READY=1") {}
    let (same, another) = home.daemon_pids();
    assert_eq!(same, keeper);
    assert_ne!(another, supervisor);
    assert_eq!(
        home.app("app").pids(),
        started.pids,
        "no worker has noticed"
    );
    home.rota(&["kill"]).ok();
    assert_eq!(service.wait(), ExitStatus::Code(0));
}
