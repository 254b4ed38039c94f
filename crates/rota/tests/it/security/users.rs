//! `--user` and what goes with it, with real Node.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use super::{is_open, is_root, status_of};
use crate::support::{Home, eventually, get, node_bin, run};

const SERVER: &str =
    "require('http').createServer((q, r) => r.end(JSON.stringify(process.env))).listen(0)";

/// The user that every system has for those who own nothing.
const NOBODY: &str = "nobody";

fn nobody() -> u32 {
    let accounts = rota_sys::accounts::Accounts::read().unwrap();
    accounts.user(NOBODY).unwrap().uid
}

fn environment(port: u16) -> BTreeMap<String, String> {
    serde_json::from_value(get(port, "/").json()).unwrap()
}

/// Everything that a worker needs from rota is within its reach: the agent, its channel, its pipes.
fn conforms(version: &str) {
    let node = node_bin(version);
    if !is_root() || !is_open(&node) {
        return;
    }
    let home = Home::new();
    let script = home.write("app.js", SERVER);
    let node = node.display().to_string();
    let flags = ["--user", NOBODY, "-i", "2", "--interpreter", &node];
    let started = home.start_script(&script, &flags);
    let uid = nobody().to_string();
    for pid in &started.pids {
        assert_eq!(status_of(*pid, "Uid:"), [uid.as_str(); 4]);
        assert_eq!(status_of(*pid, "NoNewPrivs:"), ["1"]);
        assert_eq!(status_of(*pid, "CapEff:"), ["0000000000000000"]);
    }
    let env = environment(started.port);
    assert_eq!(env["USER"], NOBODY);
    assert_eq!(env["LOGNAME"], NOBODY);
    assert_ne!(env.get("HOME"), std::env::var("HOME").ok().as_ref());
    assert!(
        !env.contains_key("NODE_OPTIONS"),
        "the agent has cleaned up"
    );

    home.until("the agents tell their figures", |app| {
        let workers = app.0["workers"].as_array().unwrap();
        workers.iter().all(|worker| !worker["inside"].is_null())
    });
    home.rota(&["reload", "app"]).ok();
    assert_eq!(environment(home.app("app").port().unwrap())["USER"], NOBODY);
    let file = home.path().join("x.heapsnapshot").display().to_string();
    home.rota(&["profile", "heap", "app:0", "-o", &file]).ok();
    assert!(std::fs::metadata(&file).unwrap().len() > 100_000);
    home.rota(&["delete", "app"]).ok();
}

#[test]
fn node_18_as_another_user() {
    conforms("18");
}

#[test]
fn node_20_as_another_user() {
    conforms("20");
}

#[test]
fn node_22_as_another_user() {
    conforms("22");
}

#[test]
fn node_24_as_another_user() {
    conforms("24");
}

#[test]
fn every_setting_holds() {
    let node = node_bin("22");
    if !is_root() || !is_open(&node) {
        return;
    }
    let home = Home::new();
    let script = home.write("app.js", SERVER);
    let node = node.display().to_string();
    let flags = "--user nobody --group 4321 --groups 77,78 --no-new-privs=false --umask 027 --nice 3 \
        --rlimit nofile=200:300 --rlimit core=0 --oom-score-adj 500 --env HOME=/srv/app --interpreter";
    let mut flags: Vec<_> = flags.split_whitespace().collect();
    flags.push(&node);
    let started = home.start_script(&script, &flags);
    let pid = started.pids[0];
    assert_eq!(status_of(pid, "Gid:"), ["4321"; 4]);
    assert_eq!(status_of(pid, "Groups:"), ["77", "78"]);
    assert_eq!(status_of(pid, "NoNewPrivs:"), ["0"]);
    assert_eq!(status_of(pid, "Umask:"), ["0027"]);
    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    assert_eq!(proc("oom_score_adj").trim(), "500");
    let limits = proc("limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    // Node raises the soft limit to the hard one by itself.
    assert_eq!(words[4], "300", "{limits}");
    let nice = proc("stat");
    let fields: Vec<_> = nice.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[16], "3", "{nice}");
    let env = environment(started.port);
    assert_eq!(env["HOME"], "/srv/app", "what is set is set");
    assert_eq!(env["USER"], NOBODY);
}

#[test]
fn its_notify_socket_is_within_reach() {
    let python = Path::new("/usr/bin/python3");
    if !is_root() || !python.exists() || !is_open(python) {
        return;
    }
    let home = Home::new();
    let text = std::fs::read_to_string(crate::support::app_path("notify.py")).unwrap();
    let script = home.write("notify.py", &text);
    let flags =
        "--wait-ready --user nobody --interpreter /usr/bin/python3 --env PLAN=status:here,ready";
    let flags: Vec<_> = flags.split(' ').collect();
    let started = home.start_script(&script, &flags);
    assert_eq!(home.app("app").status(), "online");
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", started.pids[0])).unwrap();
    let socket = environ
        .split('\0')
        .find_map(|pair| pair.strip_prefix("NOTIFY_SOCKET="))
        .unwrap();
    let meta = std::fs::symlink_metadata(socket).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&meta), nobody());
    home.rota(&["delete", "app"]).ok();
    eventually("nothing of it is left", || {
        let folder = Path::new(socket).parent().unwrap().parent().unwrap();
        (!folder.exists()).then_some(())
    });
}

#[test]
fn its_unix_sockets_are_made_with_its_own_rights() {
    let node = node_bin("22");
    if !is_root() || !is_open(&node) {
        return;
    }
    let home = Home::new();
    let node = node.display().to_string();
    let script = home.write(
        "app.js",
        "require('http').createServer((q, r) => r.end('hello')).listen({ path: process.env.AT, writableAll: true })",
    );
    let theirs = home.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(nobody()), None).unwrap();
    let flags = [
        "--user",
        NOBODY,
        "--interpreter",
        &node,
        "--max-restarts",
        "0",
    ];
    let at = format!("AT={}", theirs.join("web.sock").display());
    home.start_script(&script, &[&flags[..], &["--env", &at]].concat());
    let socket = std::fs::symlink_metadata(theirs.join("web.sock")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&socket), nobody());
    assert_eq!(socket.permissions().mode() & 0o222, 0o222);
    home.rota(&["delete", "app"]).ok();
    assert!(!theirs.join("web.sock").exists(), "it was removed");

    let ours = home.path().join("ours");
    std::fs::create_dir(&ours).unwrap();
    let at = format!("AT={}", ours.join("web.sock").display());
    let start = ["start", &script, "--name", "app", "--env", &at];
    let failed = home.rota(&[&start[..], &flags[..]].concat());
    failed.fails(1).says("EACCES");
    assert!(std::fs::read_dir(&ours).unwrap().next().is_none());
}

#[test]
fn what_cannot_be_is_told_with_what_to_do() {
    let home = Home::new();
    let script = home.write("app.js", SERVER);
    if !is_root() {
        let failed = home.rota(&["start", &script, "--user", "root"]);
        assert_ne!(failed.code, 0);
        failed.says("only root can run workers");
        return;
    }
    for (flags, words) in [
        (["--user", "no-such-user"], "no user `no-such-user`"),
        (["--group", "no-such-group"], "no group `no-such-group`"),
        (["--user", "3456789"], "name the group too"),
        (["--user", "4294967295"], "no user `4294967295`"),
        (["--rlimit", "files=3"], "nofile"),
        (["--rlimit", "nofile=4:3"], "above the hard one"),
        (["--umask", "9"], "octal"),
        (["--nice", "20"], "between -20 and 19"),
        (["--oom-score-adj", "1001"], "between -1000 and 1000"),
    ] {
        let failed = home.rota(&[&["start", &script], &flags[..]].concat());
        assert_ne!(failed.code, 0, "{flags:?}");
        failed.says(words);
    }
    assert!(home.apps().is_empty());
}

#[test]
fn a_folder_that_is_closed_to_the_user_is_told() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let closed = home.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("app.js"), SERVER).unwrap();
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&closed, mode).unwrap();
    let closed = closed.display().to_string();
    let failed = home.rota(&[
        "start",
        "app.js",
        "--cwd",
        &closed,
        "--user",
        NOBODY,
        "--name",
        "app",
        "--max-restarts",
        "0",
    ]);
    failed.fails(1).says("may the user enter it");
}

#[test]
fn without_root_nobody_becomes_somebody_else() {
    let rota = Path::new(env!("CARGO_BIN_EXE_rota"));
    if !is_root() || !is_open(rota) {
        return;
    }
    let home = Home::new();
    let script = home.write("app.js", SERVER);
    std::fs::create_dir(home.rota_home()).unwrap();
    let (uid, gid) = (nobody(), 4321);
    std::os::unix::fs::chown(home.rota_home(), Some(uid), Some(gid)).unwrap();
    let mut command = home.command(&["start", &script, "--user", "root"]);
    command.uid(uid).gid(gid);
    let failed = run(&mut command);
    assert_ne!(failed.code, 0);
    failed
        .says("only root can run workers as another user")
        .says("start the daemon as root");
}

#[test]
fn standard_input_is_open_to_another_user_also_by_its_name() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let script = "while read -r line < /dev/stdin; do echo \"got $line\"; done\n";
    let script = home.write("reader.sh", script);
    home.start_script(&script, &["--user", NOBODY, "--stdin", "pipe"]);
    home.rota(&["send", "app", "x"]).ok();
    eventually("it has read", || {
        let logs = home.rota(&["logs", "app"]).ok();
        logs.out.contains("got x").then_some(())
    });
}
