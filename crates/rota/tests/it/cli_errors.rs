//! What can be wrong before an app runs: clear errors, their exit codes, and nothing else harmed.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Child;

use rustix::process::Signal;

use crate::support::{Connection, Home, app_path, eventually, get, run, signal};

#[test]
fn scripts_that_cannot_be_run() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    home.copy("http.js");
    home.rota(&["start", "htpp.js"])
        .fails(5)
        .says("htpp.js")
        .says("http.js");
    home.rota(&["start", "no/such/folder/app.js"])
        .fails(5)
        .says("app.js");
    fs::create_dir(home.path().join("folder")).unwrap();
    home.rota(&["start", "folder"]).fails(5).says("folder");
    home.write("data.bin", "not a program");
    home.rota(&["start", "./data.bin"])
        .fails(5)
        .says("executable");
    let script = app_path("http.js").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "other",
        "--interpreter",
        "no-such-node",
    ])
    .fails(5)
    .says("no-such-node");
    home.rota(&[
        "start",
        &script,
        "--name",
        "other",
        "--cwd",
        "/no/such/folder",
    ])
    .says("/no/such/folder");
    assert_eq!(home.apps().len(), 1, "nothing of it is left");
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn bad_flags_and_values_are_usage_errors() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    for args in [
        &["start"][..],
        &["start", &script, "--no-such-flag"],
        &["start", &script, "-i", "many"],
        &["start", &script, "-i", "-2x"],
        &["start", &script, "--balance", "fair"],
        &["start", &script, "--listen-timeout", "soon"],
        &["start", &script, "--stop-signal", "SIGNOTHING"],
        &["start", &script, "--env", "NOVALUE"],
        &["start", &script, "--listen", "nowhere:at:all"],
        &["start", &script, "--probe", "ftp://127.0.0.1:1"],
        &["start", &script, "--name", "all"],
        &["start", &script, "--name", "a/b"],
        &["start", &script, "--name", "12"],
        &["nonsense"],
        &["scale", "app"],
        &["reload"],
    ] {
        let output = home.rota(args).fails(2);
        assert!(
            !output.err.is_empty() && output.out.is_empty(),
            "{args:?}: errors belong on stderr:\n{output}"
        );
    }
    home.rota(&["start", &script, "--blance", "shared"])
        .fails(2)
        .says("--balance");
    assert!(
        home.processes().is_empty(),
        "a usage error starts no daemon"
    );
}

#[test]
fn unknown_targets_have_their_own_exit_code() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    for verb in ["stop", "restart", "reload", "delete", "describe"] {
        for target in ["nothing", "99", "app:7"] {
            home.rota(&[verb, target]).fails(4).says(target);
        }
    }
    home.rota(&["scale", "nothing", "2"]).fails(4);
    home.rota(&["signal", "HUP", "nothing"]).fails(4);
    home.rota(&["logs", "nothing"]).fails(4);
    home.rota(&["stop", "ap"]).fails(4).says("app");
    assert_eq!(home.app("app").online(), 2);
}

#[test]
fn a_home_that_is_not_writable() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    // As root, only what is no folder at all, or lives in /proc, is not writable.
    fs::write(home.path().join("file"), "").unwrap();
    for place in [
        home.path().join("file"),
        home.path().join("file/below"),
        "/proc/rota-home".into(),
    ] {
        let output = run(home.command(&["start", &script]).env("ROTA_HOME", &place)).fails(3);
        assert!(
            output.err.contains(&place.display().to_string()),
            "{output}"
        );
    }
}

#[test]
fn a_home_whose_path_is_too_long_for_a_socket() {
    let home = Home::new();
    let script = app_path("http.js").display().to_string();
    let long = home.path().join("x".repeat(120));
    run(home.command(&["start", &script]).env("ROTA_HOME", &long))
        .fails(3)
        .says("long");
}

#[test]
fn a_stale_socket_is_no_obstacle() {
    let home = Home::new();
    fs::create_dir(home.rota_home()).unwrap();
    drop(UnixListener::bind(home.rota_home().join("rota.sock")).unwrap());
    assert!(home.rota_home().join("rota.sock").exists());
    home.rota(&["ping"]).fails(3);
    home.start("http.js", &[]);
    home.rota(&["ping"]).ok();
}

#[test]
fn home_and_socket_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.start("http.js", &[]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.rota_home()), 0o700);
    assert_eq!(mode(&home.rota_home().join("rota.sock")), 0o600);
    for entry in fs::read_dir(home.rota_home().join("logs")).unwrap() {
        let path = entry.unwrap().path();
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

#[test]
fn many_starts_at_once_make_one_daemon() {
    let home = Home::new();
    let script = app_path("queue.js").display().to_string();
    let starts: Vec<Child> = (0..8)
        .map(|number| {
            let name = format!("app{number}");
            home.command(&[
                "start",
                &script,
                "--fork",
                "--name",
                &name,
                "--observe",
                "0",
            ])
            .spawn()
            .unwrap()
        })
        .collect();
    for mut start in starts {
        assert!(start.wait().unwrap().success());
    }
    assert_eq!(home.apps().len(), 8);
    let keepers = home
        .processes()
        .iter()
        .filter(|(_, line)| line.contains("__keeper"))
        .count();
    assert_eq!(keepers, 1);
}

#[test]
fn run_beside_a_daemon_says_what_to_do() {
    let home = Home::new();
    let started = home.start("http.js", &[]);
    let script = app_path("esm.mjs").display().to_string();
    home.rota(&["run", &script]).fails(6).says("rota");
    assert_eq!(home.app("app").pids(), started.pids);
}

#[test]
fn an_interrupted_start_leaves_a_working_daemon() {
    let home = Home::new();
    let script = app_path("ready.js").display().to_string();
    let mut start = home
        .command(&[
            "start",
            &script,
            "--name",
            "app",
            "--wait-ready",
            "--observe",
            "0",
        ])
        .spawn()
        .unwrap();
    eventually("the app is starting", || home.find_quietly("app"));
    signal(start.id(), Signal::INT);
    start.wait().unwrap();
    home.write("go", "");
    let app = home.until_status("online");
    get(app.port().unwrap(), "/");
}

#[test]
fn a_port_in_use_is_told() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let script = app_path("activated.py").display().to_string();
    home.rota(&[
        "start",
        &script,
        "--name",
        "activated",
        "--listen",
        &address.to_string(),
    ])
    .fails(1)
    .says(&address.port().to_string())
    .says("use");
    let script = app_path("http.js").display().to_string();
    let port = format!("PORT={}", address.port());
    home.rota(&[
        "start",
        &script,
        "--name",
        "app",
        "--env",
        &port,
        "--env",
        "HOST=127.0.0.1",
        "--max-restarts",
        "1",
    ])
    .fails(1)
    .says("EADDRINUSE");
}

#[test]
fn a_full_disk_for_logs_stops_nobody() {
    let home = Home::new();
    let logs = home.rota_home().join("logs");
    fs::create_dir_all(&logs).unwrap();
    fs::set_permissions(
        home.rota_home(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let Some(_mount) = Mount::small(&logs) else {
        println!("SKIPPED: mounting a small file system needs root");
        return;
    };
    let started = home.start("noisy.js", &["-i", "2", "--env", "LINES=20000"]);
    for _ in 0..20 {
        get(started.port, "/");
    }
    assert_eq!(home.app("app").pids(), started.pids);
    home.rota(&["reload", "app"]).ok();
    get(started.port, "/");
    home.rota(&["kill"]).ok();
}

/// A file system of 64 KiB; unmounted when dropped.
struct Mount(std::path::PathBuf);

impl Mount {
    fn small(at: &std::path::Path) -> Option<Self> {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"])
            .arg(at)
            .output();
        mount.ok()?.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(std::process::Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn requests_larger_than_the_limit_are_told_apart() {
    const LIMIT: usize = 8 * 1024 * 1024;
    let home = Home::new();
    let started = home.start("http.js", &[]);
    // All of the request before any of the answer, as simple clients do.
    let post = |length: usize| {
        let mut connection = Connection::unix(&home.rota_home().join("rota.sock")).unwrap();
        let head =
            format!("POST /v1/command HTTP/1.1\r\nHost: rota\r\nContent-Length: {length}\r\n\r\n");
        connection.write(head.as_bytes()).unwrap();
        connection.write(&vec![b' '; length]).unwrap();
        let answer = connection.receive().unwrap();
        (answer.status, answer.json()["error"]["code"].clone())
    };
    assert_eq!(post(LIMIT), (400, "bad_request".into()));
    assert_eq!(post(LIMIT + 1), (413, "too_large".into()));
    assert_eq!(post(4 * LIMIT), (413, "too_large".into()));

    // An environment that fits into one exec, but not six times into one request.
    let mut start = home.command(&["start"]);
    for number in 0..6 {
        start.arg(home.write(&format!("app{number}.js"), ""));
    }
    for number in 0..12 {
        start.env(format!("BULK{number}"), "x".repeat(120 * 1024));
    }
    run(&mut start).fails(2).says("8 MiB").says("fewer at once");
    assert_eq!(home.apps().len(), 1, "nothing of it is left");
    assert_eq!(home.app("app").pids(), started.pids);
}
