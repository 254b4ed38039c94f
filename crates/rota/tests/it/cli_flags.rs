//! What the flags of start do to the processes.

use serde_json::Value;

use crate::support::{Home, app_path, free_port, get, node_bin, run};

fn http() -> String {
    app_path("http.js").display().to_string()
}

#[test]
fn instances_are_a_number_max_or_max_minus_one() {
    let home = Home::new();
    let cpus = std::thread::available_parallelism().unwrap().get();
    for (flag, expected) in [
        ("3", 3),
        ("max", cpus),
        ("0", cpus),
        ("-1", (cpus - 1).max(1)),
    ] {
        home.rota(&[
            "start",
            &http(),
            "--name",
            "app",
            "-i",
            flag,
            "--observe",
            "0",
        ])
        .ok();
        assert_eq!(home.app("app").online(), expected, "-i {flag}");
        home.rota(&["delete", "app"]).ok();
    }
}

#[test]
fn max_is_what_this_process_may_use() {
    let home = Home::new();
    let rota = env!("CARGO_BIN_EXE_rota");
    run(home.program("taskset").args([
        "-c",
        "0",
        rota,
        "start",
        &http(),
        "--name",
        "app",
        "-i",
        "max",
        "--observe",
        "0",
    ]))
    .ok();
    assert_eq!(home.app("app").pids().len(), 1);
}

#[test]
fn arguments_reach_the_script_and_the_interpreter() {
    let home = Home::new();
    let (port, node) = (free_port(), node_bin("22").display().to_string());
    std::fs::create_dir(home.path().join("there")).unwrap();
    let there = home.path().join("there").display().to_string();
    home.rota(&[
        "start",
        &http(),
        "--name",
        "app",
        "--observe",
        "0",
        "--cwd",
        &there,
        "--env",
        &format!("PORT={port}"),
        "--env",
        "WORD=two words=3",
        "--interpreter",
        &node,
        "--node-args",
        "--max-old-space-size=123 --no-warnings",
        "--",
        "first",
        "--second",
        "-i",
        "x y",
    ])
    .ok();
    let argv = get(port.number, "/argv").json();
    let last: Vec<&str> = argv["argv"].as_array().unwrap()[2..]
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    assert_eq!(last, ["first", "--second", "-i", "x y"]);
    assert_eq!(
        argv["execArgv"].to_string(),
        r#"["--max-old-space-size=123","--no-warnings"]"#
    );
    assert_eq!(argv["cwd"], there.as_str());
    assert!(
        get(port.number, "/").json()["node"]
            .as_str()
            .unwrap()
            .starts_with("22.")
    );
    assert_eq!(get(port.number, "/env").json()["WORD"], "two words=3");
}

#[test]
fn the_environment_of_the_caller_goes_along_and_rotas_own_does_not() {
    let home = Home::new();
    let mut command = home.command(&[
        "start",
        &http(),
        "--name",
        "app",
        "-i",
        "2",
        "--observe",
        "0",
    ]);
    run(command.env("MARK", "of the caller")).ok();
    let port = home.app("app").port().unwrap();
    let env = get(port, "/env").json();
    assert_eq!(env["MARK"], "of the caller");
    let slot = env["NODE_APP_INSTANCE"].as_str().unwrap();
    assert!(["0", "1"].contains(&slot), "{slot}");
    for hidden in ["ROTA_HOME", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID"] {
        assert_eq!(env[hidden], Value::Null, "{hidden}");
    }

    run(home.command(&["reload", "app"]).env("MARK", "of another")).ok();
    assert_eq!(
        get(port, "/env").json()["MARK"],
        "of the caller",
        "kept unless asked"
    );
    run(home
        .command(&["reload", "app", "--update-env"])
        .env("MARK", "of another"))
    .ok();
    assert_eq!(get(port, "/env").json()["MARK"], "of another");
    home.rota(&["restart", "app", "--env", "MARK=of the flag"])
        .ok();
    assert_eq!(
        get(home.app("app").port().unwrap(), "/env").json()["MARK"],
        "of the flag"
    );
    home.rota(&["describe", "app"]).ok();
    assert!(
        !home
            .rota(&["list", "--json"])
            .ok()
            .out
            .contains("of the flag"),
        "the environment is never shown"
    );
}
