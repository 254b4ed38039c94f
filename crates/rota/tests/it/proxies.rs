//! Reloads behind nginx and haproxy with kept upstream connections, and under wrk: nothing fails.
//!
//! Both proxies are told not to try again, so that every connection which an app's worker closes at the wrong moment
//! shows as a 502 or a closed connection. Four reloads each; `ROTA_RELOADS=20` makes more.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    Foreground, Home, Port, Started, eventually, free_port, heavy, load_on, signal, try_get,
};

/// A proxy in the foreground, in a folder of the test; gone when this is dropped.
struct Proxy {
    child: Child,
    port: Port,
}

impl Proxy {
    fn start(home: &Home, command: &mut Command, port: Port) -> Self {
        let log = fs::File::create(home.path().join("proxy.out")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; tests/setup should have installed it")
            });
        let mut proxy = Self { child, port };
        eventually("the proxy answers", || {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {}", said(home));
            try_get(proxy.port.number, "/").ok()
        });
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both end at once by it, nginx with its workers.
        signal(self.child.id(), Signal::TERM);
        self.child.wait().ok();
    }
}

/// What a proxy has written.
fn said(home: &Home) -> String {
    ["proxy.out", "nginx/error.log"]
        .iter()
        .filter_map(|name| fs::read_to_string(home.path().join(name)).ok())
        .collect()
}

/// Debian puts servers where only root looks.
fn server(name: &str) -> String {
    let usual = format!("/usr/sbin/{name}");
    match Path::new(&usual).exists() {
        true => usual,
        false => name.to_owned(),
    }
}

fn nginx(home: &Home, upstream: u16) -> Proxy {
    let port = free_port();
    let folder = home.path().join("nginx");
    fs::create_dir(&folder).unwrap();
    let at = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path {at}/{name};\n"))
        .collect();
    // Started by root its workers would be somebody else, who may not write here.
    let user = match rustix::process::geteuid().is_root() {
        true => "user root;\n",
        false => "",
    };
    let settings = format!(
        "{user}daemon off;\nworker_processes 1;\npid {at}/pid;\nerror_log {at}/error.log warn;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n{temporary}  access_log off;\n\
         \x20 upstream app {{ server 127.0.0.1:{upstream}; keepalive 32; }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port};\n    location / {{\n\
         \x20     proxy_pass http://app;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
         \x20     proxy_next_upstream off;\n    }}\n  }}\n}}\n"
    );
    let settings = home.write("nginx.conf", &settings);
    let mut command = home.program(server("nginx"));
    command
        .args(["-e", &format!("{at}/error.log"), "-p"])
        .arg(&folder)
        .args(["-c", &settings]);
    Proxy::start(home, &mut command, port)
}

fn haproxy(home: &Home, upstream: u16) -> Proxy {
    let port = free_port();
    let settings = format!(
        "global\n  maxconn 500\n  nbthread 1\n\
         defaults\n  mode http\n  retries 0\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\
         \x20 option http-keep-alive\n  http-reuse always\n\
         frontend front\n  bind 127.0.0.1:{port}\n  default_backend app\n\
         backend app\n  server app 127.0.0.1:{upstream}\n"
    );
    let settings = home.write("haproxy.cfg", &settings);
    // -db: in the foreground, whatever the settings say.
    let mut command = home.program(server("haproxy"));
    command.args(["-db", "-f", &settings]);
    Proxy::start(home, &mut command, port)
}

fn reloads() -> u32 {
    std::env::var("ROTA_RELOADS")
        .ok()
        .map_or(4, |number| number.parse().unwrap())
}

fn app(home: &Home) -> Started {
    home.start("http.js", &["-i", "4"])
}

fn reload(home: &Home) {
    for _ in 0..reloads() {
        home.rota(&["reload", "app"]).ok();
    }
}

fn nothing_fails(proxy: impl Fn(&Home, u16) -> Proxy) {
    let _alone = heavy();
    let home = Home::new();
    let proxy = proxy(&home, app(&home).port);
    let load = load_on(proxy.port.number)
        .keep_alive(40)
        .idle(10, 50..500)
        .start()
        .unwrap();
    assert!(load.until_answered_blocking(500, Duration::from_secs(60)));
    reload(&home);
    let before = load.answered();
    assert!(load.until_answered_blocking(before + 500, Duration::from_secs(60)));
    let report = load.stop_blocking();
    println!("{report}");
    assert_eq!(report.failed(), 0, "{report}\n{}", said(&home));
    assert!(!said(&home).contains("upstream"), "{}", said(&home));
}

#[test]
fn behind_nginx() {
    nothing_fails(nginx);
}

#[test]
fn behind_haproxy() {
    nothing_fails(haproxy);
}

/// What becomes of a hundred connections of wrk while something happens.
fn under_wrk(happens: impl FnOnce(&Home)) {
    let _alone = heavy();
    let home = Home::new();
    let url = format!("http://127.0.0.1:{}/", app(&home).port);
    // It ends by SIGINT, with its figures; the time only catches a hang.
    // wrk itself would keep its words until the end.
    let mut command = home.program("stdbuf");
    command.args([
        "-oL",
        "wrk",
        "-t1",
        "-c100",
        "-d600s",
        "--timeout",
        "30s",
        &url,
    ]);
    let mut wrk = Foreground::start(&mut command);
    wrk.until_says("Running");
    home.until("all of its connections are there", |app| {
        let workers = app.workers();
        let open = workers
            .iter()
            .filter_map(|worker| worker.0["connections"].as_u64());
        open.sum::<u64>() >= 100
    });
    happens(&home);
    wrk.signal(Signal::INT);
    assert_eq!(wrk.wait(), 0);
    let said = wrk.rest().join("\n");
    println!("{said}");
    assert!(said.contains("Requests/sec"), "{said}");
    for bad in ["Socket errors", "Non-2xx"] {
        assert!(!said.contains(bad), "{said}");
    }
}

#[test]
fn under_wrk_with_a_hundred_connections() {
    under_wrk(reload);
}

#[test]
fn under_wrk_while_supervisors_die() {
    under_wrk(|home| {
        let pids = home.app("app").pids();
        for _ in 0..reloads() {
            home.kill_supervisor();
        }
        assert_eq!(home.app("app").pids(), pids);
    });
}
