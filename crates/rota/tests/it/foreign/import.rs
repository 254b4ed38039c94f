//! `rota import-pm2`, with a small program in PM2's place.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{SERVER, portrait, put};
use crate::support::{Home, Output, eventually, free_port, run, try_get};

/// Answers `jlist`, writes down what it is told, and starts and stops the server.
const PM2: &str = "#!/bin/sh
echo \"$@\" >> \"$PM2_HOME/told\"
case \"$1\" in
jlist) echo '[PM2] a banner'; cat \"$PM2_HOME/list\" ;;
stop) kill \"$(cat \"$PM2_HOME/pid\")\"; while kill -0 \"$(cat \"$PM2_HOME/pid\")\" 2>/dev/null; do sleep 0.02; done ;;
esac
";

/// A PM2 that is none.
struct Peer {
    home: Home,
    _socket: UnixListener,
    children: Vec<Child>,
}

impl Peer {
    fn new(home: Home, list: &Value) -> Self {
        put(&home, ".pm2/list", &list.to_string());
        put(&home, "bin/pm2", PM2);
        let bin = home.path().join("bin/pm2");
        std::fs::set_permissions(bin, PermissionsExt::from_mode(0o755)).unwrap();
        let socket = UnixListener::bind(home.path().join(".pm2/rpc.sock")).unwrap();
        Self {
            home,
            _socket: socket,
            children: Vec::new(),
        }
    }

    fn rota(&self, args: &[&str]) -> Output {
        run(&mut with_pm2(&self.home, args))
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.home.path().join(".pm2/told")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn with_pm2(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    let path = std::env::var("PATH").unwrap();
    command.env("PM2_HOME", home.path().join(".pm2")).env(
        "PATH",
        format!("{}:{path}", home.path().join("bin").display()),
    );
    command
}

/// A process as a dump has it.
fn process(home: &Home, name: &str, port: u16) -> Value {
    let folder = home.path().display().to_string();
    let env = json!({
        "PORT": port, "SECRET": "s3cret", "PM2_HOME": "/x", "pm_id": 0, "PATH": std::env::var("PATH").unwrap(),
        "TEST_HOME_TAG": folder,
    });
    json!({
        "name": name, "pm_exec_path": format!("{folder}/server.js"), "pm_cwd": folder, "exec_mode": "fork_mode", "status": "online",
        "kill_timeout": 2500, "vizion": true, "SECRET": "s3cret", "env": env,
    })
}

#[test]
fn from_a_dump() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    home.rota(&["import-pm2", "none"]).fails(5).says("pm2 save");
    let mut old = process(&home, "old", 1);
    old["status"] = "stopped".into();
    let list = json!([process(&home, "web", port.number), old, {"name": "pm2-logrotate", "pmx_module": true}]);
    put(&home, ".pm2/dump.pm2", &list.to_string());
    let shown = run(&mut with_pm2(&home, &["import-pm2", "--dry-run"])).ok();
    let shown = shown
        .says("web: 1 worker, fork")
        .says("old does not run in PM2")
        .says("files are rotated anyway");
    assert!(!shown.to_string().contains("s3cret"));
    home.rota(&["ping"]).fails(3);
    run(&mut with_pm2(&home, &["import-pm2"])).ok();
    let portrait = portrait(&port);
    assert_eq!(portrait["env"]["SECRET"], "s3cret");
    let pm2_home = home.rota_home().join("pm2").display().to_string();
    assert_eq!(
        portrait["env"]["PM2_HOME"], pm2_home,
        "not that of the dump"
    );
    assert!(home.find("old").is_none());
    home.rota(&["config", "show", "web"])
        .ok()
        .says("dump.pm2, script")
        .says("dump.pm2, exec_mode");
    run(&mut with_pm2(&home, &["import-pm2", "--only", "nobody"]))
        .fails(2)
        .says("no app nobody");
    put(&home, ".pm2/dump.pm2", "{}");
    run(&mut with_pm2(&home, &["import-pm2"]))
        .fails(2)
        .says("no list of PM2's processes");
}

#[test]
fn from_a_running_one_without_a_second_copy() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    let list = json!([{"pid": 0, "name": "web", "pm2_env": process(&home, "web", port.number)}]);
    let peer = Peer::new(home, &list);
    peer.rota(&["import-pm2"])
        .fails(1)
        .says("PM2 runs these apps")
        .says("--move");
    assert!(peer.home.find_quietly("web").is_none());
    // Without a port there is no conflict: it is ready here before it is deleted there.
    peer.rota(&["import-pm2", "--move"])
        .ok()
        .says("web: deleted in PM2");
    assert_eq!(
        peer.told().lines().collect::<Vec<_>>(),
        ["jlist", "jlist", "delete web"]
    );
    portrait(&port);
}

/// The server as PM2 would run it.
fn run_there(peer: &mut Peer, port: u16) -> u32 {
    let mut command = peer.home.program("node");
    let child = command
        .arg(peer.home.path().join("server.js"))
        .env("PORT", port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    put(&peer.home, ".pm2/pid", &pid.to_string());
    peer.children.push(child);
    eventually("the server answers", || try_get(port, "/").ok());
    pid
}

#[test]
fn an_app_with_a_port_is_stopped_there_first() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    let mut peer = Peer::new(home, &json!([]));
    let pid = run_there(&mut peer, port.number);
    // The shell of the stand-in waits for its end, which is known when it is reaped.
    let mut child = peer.children.remove(0);
    let reaper = std::thread::spawn(move || child.wait());
    let entry = process(&peer.home, "web", port.number);
    put(
        &peer.home,
        ".pm2/list",
        &json!([{"pid": pid, "name": "web", "pm2_env": entry}]).to_string(),
    );
    peer.rota(&["import-pm2", "--move"])
        .ok()
        .says("stopped in PM2, since it has a port");
    reaper.join().unwrap().unwrap();
    assert_eq!(
        peer.told().lines().collect::<Vec<_>>(),
        ["jlist", "stop web", "delete web"]
    );
    assert_eq!(portrait(&port)["env"]["SECRET"], "s3cret");
}

#[test]
fn what_does_not_start_here_goes_on_there() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    let mut peer = Peer::new(home, &json!([]));
    let pid = run_there(&mut peer, port.number);
    let mut child = peer.children.remove(0);
    let reaper = std::thread::spawn(move || child.wait());
    put(&peer.home, "broken.js", "process.exit(7)");
    let mut entry = process(&peer.home, "web", port.number);
    entry["pm_exec_path"] = peer
        .home
        .path()
        .join("broken.js")
        .display()
        .to_string()
        .into();
    entry["max_restarts"] = 0.into();
    put(
        &peer.home,
        ".pm2/list",
        &json!([{"pid": pid, "name": "web", "pm2_env": entry}]).to_string(),
    );
    peer.rota(&["import-pm2", "--move"])
        .fails(1)
        .says("web: started in PM2 again");
    reaper.join().unwrap().unwrap();
    assert_eq!(
        peer.told().lines().collect::<Vec<_>>(),
        ["jlist", "stop web", "start web"]
    );
    assert!(peer.home.find("web").is_none());
}
