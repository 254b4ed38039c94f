//! Programs that are not Node cluster workers.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Home, app_path, eventually, free_port, get, node_bin};

fn script(name: &str) -> String {
    app_path(name).display().to_string()
}

#[test]
fn python_by_its_extension() {
    let (home, port) = (Home::new(), free_port());
    home.start(
        "plain.py",
        &[
            "--env",
            &format!("PORT={port}"),
            "--probe",
            &format!("tcp://127.0.0.1:{port}"),
        ],
    );
    assert_eq!(get(port.number, "/").pid(), home.app("app").pids()[0]);
    assert_eq!(home.app("app").0["mode"], "fork");
}

#[test]
fn shell_perl_and_binaries() {
    let home = Home::new();
    let sleep = if std::path::Path::new("/usr/bin/sleep").exists() {
        "/usr/bin/sleep"
    } else {
        "/bin/sleep"
    };
    for (name, args) in [
        (
            "shell",
            vec![
                script("loop.sh"),
                "--".into(),
                "one".into(),
                "two words".into(),
            ],
        ),
        ("perl", vec![script("tick.pl")]),
        ("binary", vec![sleep.to_owned(), "--".into(), "1000".into()]),
        (
            "command",
            vec!["echo from-a-command; exec sleep 1000".to_owned()],
        ),
        (
            "found",
            vec!["sleep".to_owned(), "--".into(), "1000".into()],
        ),
    ] {
        let mut all = vec!["start", args[0].as_str(), "--name", name, "--observe", "0"];
        all.extend(args[1..].iter().map(String::as_str));
        home.rota(&all).ok();
        assert_eq!(home.app(name).online(), 1, "{name}");
    }
    for (name, text) in [
        ("shell", "args: one two words"),
        ("perl", "perl "),
        ("command", "from-a-command"),
    ] {
        eventually(text, || {
            home.rota(&["logs", name, "--lines", "20"])
                .out
                .contains(text)
                .then_some(())
        });
    }
    home.rota(&["stop", "shell"]).ok();
    eventually("its trap has run", || {
        home.rota(&["logs", "shell", "--lines", "5"])
            .out
            .contains("stopped")
            .then_some(())
    });
}

#[test]
fn a_node_script_by_its_shebang_through_a_link_is_a_cluster_worker() {
    let home = Home::new();
    let code = std::fs::read_to_string(app_path("http.js")).unwrap();
    let tool = home.write("tool", &format!("#!/usr/bin/env node\n{code}"));
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&tool, home.path().join("link")).unwrap();
    let started = home.start_script(
        &home.path().join("link").display().to_string(),
        &["-i", "2"],
    );
    assert_eq!(home.app("app").0["mode"], "cluster");
    assert_eq!(get(started.port, "/").json()["isWorker"], true);
}

#[test]
fn bun_and_deno_run_in_fork_mode() {
    let home = Home::new();
    for (runtime, file, flags) in [
        ("bun", "bun.js", ""),
        ("deno", "deno.js", "run --allow-net --allow-env --no-prompt"),
    ] {
        let port = free_port();
        let (bin, env) = (
            node_bin(runtime).display().to_string(),
            format!("PORT={port}"),
        );
        let (file, probe) = (script(file), format!("http://127.0.0.1:{port}/"));
        let mut args = vec![
            "start",
            &file,
            "--name",
            runtime,
            "--interpreter",
            &bin,
            "--env",
            &env,
            "--probe",
            &probe,
            "--observe",
            "0",
        ];
        if !flags.is_empty() {
            args.extend(["--node-args", flags]);
        }
        home.rota(&args).ok();
        let answer = get(port.number, "/").json();
        assert!(answer[runtime].is_string(), "{answer}");
        assert_eq!(home.app(runtime).0["mode"], "fork");
    }
}

#[test]
fn node_in_fork_mode_has_a_channel_and_is_no_cluster_worker() {
    let (home, port) = (Home::new(), free_port());
    let env = format!("PORT={port}");
    home.start(
        "fork.js",
        &[
            "--fork",
            "--env",
            &env,
            "--env",
            "SAY_READY=1",
            "--wait-ready",
        ],
    );
    let answer = get(port.number, "/").json();
    assert_eq!(
        (answer["isWorker"].as_bool(), answer["channel"].as_bool()),
        (Some(false), Some(true))
    );
}

#[test]
fn a_probe_makes_it_ready() {
    let (home, port) = (Home::new(), free_port());
    let (env, probe) = (format!("PORT={port}"), format!("http://127.0.0.1:{port}/"));
    home.start(
        "plain.py",
        &["--env", &env, "--env", "DELAY=0.5", "--probe", &probe],
    );
    // Ready means that it answers now, without another moment.
    get(port.number, "/");
}

#[test]
fn a_probe_that_never_succeeds_fails_the_start_and_says_why() {
    let (home, port) = (Home::new(), free_port());
    let probe = format!("tcp://127.0.0.1:{port}");
    home.rota(&[
        "start",
        &script("loop.sh"),
        "--name",
        "app",
        "--probe",
        &probe,
        "--listen-timeout",
        "700",
        "--observe",
        "0",
    ])
    .fails(1)
    .says("ready");
}

#[test]
fn an_ordinary_program_is_reloaded_and_restarted() {
    let home = Home::new();
    let started = home.start("loop.sh", &["-i", "2"]);
    home.rota(&["reload", "app"]).ok();
    let after = home.app("app").pids();
    assert!(after.len() == 2 && after.iter().all(|pid| !started.pids.contains(pid)));
    home.rota(&["restart", "app"]).ok();
    assert!(
        home.app("app")
            .pids()
            .iter()
            .all(|pid| !after.contains(pid))
    );
}

#[test]
fn a_directory_with_a_package_says_what_to_do() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("web-shop")).unwrap();
    std::fs::write(
        home.path().join("web-shop/package.json"),
        r#"{"main":"server.js"}"#,
    )
    .unwrap();
    std::fs::write(home.path().join("web-shop/server.js"), "").unwrap();
    home.rota(&["start", "web-shop"]).fails(5).says("server.js");
}

#[test]
fn cluster_mode_is_for_node_alone() {
    let home = Home::new();
    let bun = node_bin("bun").display().to_string();
    let output = home.rota(&[
        "start",
        &script("bun.js"),
        "--name",
        "app",
        "--interpreter",
        &bun,
        "--balance",
        "ip-hash",
    ]);
    // Either it is said that the mode means nothing here, or it is refused; never silently a cluster.
    assert!(
        output.code != 0 || home.app("app").0["mode"] == "fork",
        "{output}"
    );
}
