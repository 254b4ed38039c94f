//! `rota startup`: what it writes is what its readers understand. The starting itself is in `desired` and `notify`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Home, Output, run};

/// Runs the program if the machine has it; the rest of the test does without it.
fn if_there(command: &mut Command) -> Option<Output> {
    let found = run(Command::new("sh")
        .args(["-c", "command -v \"$0\""])
        .arg(command.get_program()));
    if found.code != 0 {
        eprintln!("not checked: {:?} is not here", command.get_program());
        return None;
    }
    Some(run(command))
}

fn installed(home: &Home, root: &Path, flags: &[&str]) -> Output {
    let root = root.display().to_string();
    let mut args = vec!["startup", "--root", &root];
    args.extend(flags);
    home.rota(&args)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let home = Home::new();
    let (name, other) = ("rota.service", "rota-other.service");
    for (flags, file) in [
        (&[][..], name),
        (&["--harden"], name),
        (&["--user-level"], name),
        (&["--user-level", "--harden"], name),
        (&["--service-name", "rota-other"], other),
        (&["--watchdog", "90s"], name),
    ] {
        let mut args = vec!["startup", "--print", "--init", "systemd"];
        args.extend(flags);
        let unit = home.rota(&args).ok().out;
        let path = home.write(file, &unit);
        let mut verify = Command::new("systemd-analyze");
        if flags.contains(&"--user-level") {
            verify.arg("--user").env("XDG_RUNTIME_DIR", home.path());
        }
        if let Some(said) = if_there(verify.args(["verify", &path])) {
            assert_eq!(said.code, 0, "{flags:?}: {said}\n{unit}");
            assert!(!said.err.contains(file), "{flags:?}: {said}\n{unit}");
        }
        for line in [
            "Type=notify",
            "KillMode=mixed",
            "Delegate=yes",
            "Restart=on-failure",
            "FileDescriptorStoreMax=1024",
            "Environment=\"FDSTORE=1024\"",
        ] {
            assert!(unit.lines().any(|l| l == line), "{line}\n{unit}");
        }
        let hard = unit.lines().any(|line| line == "NoNewPrivileges=yes");
        assert_eq!(hard, flags.contains(&"--harden"));
        let watched = unit.lines().any(|line| line == "WatchdogSec=90000ms");
        assert_eq!(watched, flags.contains(&"--watchdog"), "{unit}");
        let home_line = format!("Environment=\"ROTA_HOME={}\"", home.rota_home().display());
        assert!(unit.contains(&home_line), "{unit}");
    }
}

#[test]
fn it_is_installed_switched_on_and_removed() {
    let home = Home::new();
    let root = home.path().join("image");
    fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
    let has_systemctl = if_there(Command::new("systemctl").arg("--version")).is_some();
    if has_systemctl {
        installed(&home, &root, &["--init", "systemd"]).ok();
        let unit = root.join("etc/systemd/system/rota.service");
        let link = root.join("etc/systemd/system/multi-user.target.wants/rota.service");
        assert!(unit.exists() && link.is_symlink());
        let again = installed(&home, &root, &["--init", "systemd"]).ok();
        assert!(again.out.contains("is as it should be"), "{again}");
        let root = root.display().to_string();
        home.rota(&["unstartup", "--root", &root, "--init", "systemd"])
            .ok();
        assert!(!unit.exists() && !link.is_symlink());
    }
    for (init, link) in [
        ("openrc", "etc/runlevels/default/rota"),
        ("sysv", "etc/rc3.d/S99rota"),
    ] {
        installed(&home, &root, &["--init", init]).ok();
        let script = root.join("etc/init.d/rota");
        assert_eq!(
            script.metadata().unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert!(root.join(link).is_symlink());
        let root = root.display().to_string();
        home.rota(&["unstartup", "--root", &root, "--init", init])
            .ok();
        assert!(!script.exists());
        let gone = home
            .rota(&["unstartup", "--root", &root, "--init", init])
            .ok();
        assert!(gone.out.contains("there is no"), "{gone}");
    }
}

#[test]
fn files_of_others_are_left_alone() {
    let home = Home::new();
    let root = home.path().join("image");
    fs::create_dir_all(root.join("etc/init.d")).unwrap();
    let script = root.join("etc/init.d/rota");
    fs::write(&script, "#!/bin/sh\n# mine\n").unwrap();
    let said = installed(&home, &root, &["--init", "sysv"]);
    assert_eq!(said.code, 1, "{said}");
    assert!(
        said.err.contains("was not written by `rota startup`"),
        "{said}"
    );
    let folder = root.display().to_string();
    let said = home.rota(&["unstartup", "--root", &folder, "--init", "sysv"]);
    assert_eq!(said.code, 1, "{said}");
    assert!(fs::read_to_string(&script).unwrap().contains("mine"));
    installed(&home, &root, &["--init", "sysv", "--force"]).ok();
    assert!(!fs::read_to_string(&script).unwrap().contains("mine"));
}

#[test]
fn what_cannot_be_is_told() {
    let home = Home::new();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--user", "nobody-of-that-name"], 2, "there is no user"),
        (
            &["--init", "sysv", "--harden"],
            2,
            "--harden is for systemd",
        ),
        (
            &["--init", "openrc", "--watchdog", "1m"],
            2,
            "--watchdog is for systemd",
        ),
        (
            &["--init", "systemd", "--watchdog", "20ms"],
            2,
            "less than a second",
        ),
        (
            &["--init", "openrc", "--user-level"],
            2,
            "--user-level is for systemd",
        ),
        (
            &["--service-name", "a b"],
            2,
            "cannot be the name of a service",
        ),
        (&["--init", "upstart"], 2, "systemd, openrc, sysv"),
    ];
    for (flags, code, words) in cases {
        let mut args = vec!["startup", "--print"];
        args.extend(flags);
        let said = home.rota(&args);
        assert_eq!(said.code, code, "{flags:?}: {said}");
        assert!(said.err.contains(words), "{flags:?}: {said}");
    }
    let bare = home.path().join("bare");
    fs::create_dir(&bare).unwrap();
    let said = installed(&home, &bare, &[]);
    assert!(
        said.err.contains("cannot tell what starts services here"),
        "{said}"
    );
}

#[test]
fn the_init_script_starts_stops_and_tells() {
    let home = Home::new();
    let text = home
        .rota(&["startup", "--print", "--init", "sysv"])
        .ok()
        .out;
    let script = home.write("init", &text);
    if let Some(said) = if_there(Command::new("shellcheck").arg(&script)) {
        assert_eq!(said.code, 0, "{said}");
    }
    let call = |verb: &str| run(home.program("sh").args([&script, verb]));
    home.start("http.js", &["-i", "2"]);
    assert_eq!(call("status").code, 0);
    call("stop").ok();
    assert_eq!(call("status").code, 3);
    call("start").ok();
    home.until_back(2);
    let before = home.app("app").pids();
    call("reload").ok();
    home.until("all are new", |app| {
        let pids = app.pids();
        app.online() == 2 && pids.iter().all(|pid| !before.contains(pid))
    });
    call("restart").ok();
    home.until_back(2);
    assert_eq!(call("sing").code, 2);
}
