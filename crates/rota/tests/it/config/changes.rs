//! A file that changes, and apps that follow it.

use rustix::process::Signal;

use super::{variable, write};
use crate::support::{Home, signal};

#[test]
fn what_runs_as_described_is_left_alone_and_what_does_not_is_told() {
    let home = Home::new();
    let text = "[apps.web]\nscript = \"{http.js}\"\ninstances = 2\nenv = { A = 1, B = 2 }\n[apps.api]\nscript = \"{http.js}\"\n";
    write(&home, text);
    home.rota(&["start"]).ok();
    let (web, api) = (home.app("web").pids(), home.app("api").pids());
    home.rota(&["start"]).ok().says("runs already");
    write(
        &home,
        &text
            .replace("instances = 2", "instances = 3")
            .replace("A = 1, ", ""),
    );
    home.rota(&["start"])
        .fails(6)
        .says("web: it runs with other settings: instances, env.A")
        .says("rota reload rota.toml");
    assert_eq!(
        (home.app("web").pids(), home.app("api").pids()),
        (web.clone(), api)
    );

    home.rota(&["reload", "rota.toml"]).ok();
    let app = home.app("web");
    assert_eq!(app.online(), 3);
    assert!(app.pids().iter().all(|pid| !web.contains(pid)));
    assert_eq!(
        variable(&home, "web", "A"),
        None,
        "a removed variable is gone"
    );
    assert_eq!(variable(&home, "web", "B").as_deref(), Some("2"));
    home.rota(&["start"]).ok();

    // What was scaled is as the file says after the next reload.
    home.rota(&["scale", "web", "1"]).ok();
    home.rota(&["start"]).ok();
    assert_eq!(home.app("web").online(), 1);
    home.rota(&["restart", "rota.toml"]).ok();
    assert_eq!(home.app("web").online(), 3);
}

#[test]
fn the_shell_counts_for_nothing_but_what_is_named() {
    let home = Home::new();
    write(
        &home,
        "[apps.web]\nscript = \"{http.js}\"\n[apps.web.env]\nCOLOUR = \"file\"\n",
    );
    let mut start = home.command(&["start"]);
    start
        .env("SECRET", "shell")
        .env("COLOUR", "shell")
        .env("LC_TIME", "C");
    crate::support::run(&mut start).ok();
    assert_eq!(variable(&home, "web", "SECRET"), None);
    assert_eq!(variable(&home, "web", "COLOUR").as_deref(), Some("file"));
    assert_eq!(variable(&home, "web", "LC_TIME").as_deref(), Some("C"));
    assert!(variable(&home, "web", "PATH").is_some());
    // Another shell, the same file.
    let mut again = home.command(&["start"]);
    again.env("LC_TIME", "POSIX");
    crate::support::run(&mut again).ok().says("runs already");
}

#[test]
fn profiles_and_files_of_variables() {
    let home = Home::new();
    home.write(".env", "PORT=0\nNAME=\"from ${KIND:-file}\"\n");
    write(
        &home,
        "env_file = \".env\"\n[env]\nMODE = \"plain\"\n[env.production]\nMODE = \"production\"\n[apps.web]\nscript = \"{http.js}\"\n",
    );
    home.rota(&["start", "--env", "prodution"])
        .fails(2)
        .says("did you mean `production`?");
    home.rota(&["start", "--env", "production"]).ok();
    let mode = || variable(&home, "web", "MODE");
    assert_eq!(mode().as_deref(), Some("production"));
    assert_eq!(variable(&home, "web", "NAME").as_deref(), Some("from file"));
    home.rota(&["reload", "rota.toml"]).ok();
    assert_eq!(mode().as_deref(), Some("production"), "the profile stays");
    home.rota(&["reload", "rota.toml", "--env", ""]).ok();
    assert_eq!(mode().as_deref(), Some("plain"));
}

#[test]
fn where_settings_come_from_outlives_the_supervisor() {
    let home = Home::new();
    write(
        &home,
        "[apps.web]\nscript = \"{http.js}\"\nenv = { API_TOKEN = \"very-secret\" }\n",
    );
    home.rota(&["start"]).ok();
    let shown = home.rota(&["config", "show", "web"]).ok();
    let shown = shown.says("rota.toml:5").says("API_TOKEN").says("default");
    assert!(!shown.out.contains("very-secret"), "{shown}");
    let before = home.rota(&["config", "show", "web", "--json"]).ok().json();
    assert!(!before.to_string().contains("very-secret"));
    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, Signal::KILL);
    assert_eq!(
        home.rota(&["config", "show", "web", "--json"]).ok().json(),
        before
    );
    home.rota(&["start"]).ok().says("runs already");

    home.rota(&["reload", "web", "--env", "EXTRA=1"]).ok();
    home.rota(&["scale", "web", "2"]).ok();
    let shown = home.rota(&["config", "show", "web"]).ok();
    shown.says("EXTRA").says("command line").says("rota scale");
    home.rota(&["config", "show", "nothing"]).fails(4);
}
