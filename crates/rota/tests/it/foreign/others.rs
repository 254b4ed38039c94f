//! Procfile and package.json.

use super::{SERVER, portrait, put};
use crate::support::{Home, free_port};

#[test]
fn what_npm_start_would_start() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    put(
        &home,
        ".env",
        &format!("PORT={port}\nGREETING=\"hello ${{PORT}}\"\n"),
    );
    put(
        &home,
        "package.json",
        r#"{"name": "@acme/shop", "version": "1.2.3", "scripts": {"prestart": "x", "start": "cross-env MODE=live node server.js --fast"}}"#,
    );
    home.rota(&["start"])
        .ok()
        .says("reading package.json")
        .says("`prestart` is not run");
    let portrait = portrait(&port);
    assert_eq!(home.app("shop").0["mode"], "cluster");
    assert_eq!(portrait["args"][0], "--fast");
    for (name, value) in [
        ("MODE", "live"),
        ("GREETING", &format!("hello {port}")),
        ("npm_package_version", "1.2.3"),
    ] {
        assert_eq!(portrait["env"][name], value, "{name}");
    }
    let config = home.rota(&["config", "show", "shop"]).ok();
    config.says("package.json:1, scripts.start").says(".env:2");
    home.rota(&["reload", "package.json"]).ok();
    home.rota(&["start"]).ok().says("already");
    home.rota(&["stop", "package.json"]).ok();
}

#[test]
fn what_needs_a_shell_gets_one() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    put(
        &home,
        "node_modules/.bin/serve-it",
        "#!/bin/sh\nexec node server.js \"$@\"\n",
    );
    std::fs::set_permissions(
        home.path().join("node_modules/.bin/serve-it"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    put(
        &home,
        "package.json",
        &format!(r#"{{"name": "x", "scripts": {{"start": "A=b serve-it {port} && true"}}}}"#),
    );
    home.rota(&["start", "package.json"]).ok();
    let portrait = portrait(&port);
    assert_eq!(
        (home.app("x").0["mode"].as_str(), &portrait["env"]["A"]),
        (Some("fork"), &"b".into())
    );
}

#[test]
fn packages_without_a_start_script() {
    let home = Home::new();
    put(&home, "package.json", r#"{"main": "lib/a"}"#);
    home.rota(&["check"]).fails(1).says("no `scripts.start`");
    put(&home, "lib/a", "");
    home.rota(&["check"]).ok();
    put(&home, "package.json", "{");
    home.rota(&["check"]).fails(2).says("it is no JSON");
    home.rota(&["start"]).fails(2);
}

#[test]
fn a_procfile_has_ports_as_foreman_gives_them() {
    let (home, port) = (Home::new(), free_port());
    put(&home, "server.js", SERVER);
    put(
        &home,
        "Procfile",
        "# comment\nrelease: ./migrate\nweb: node server.js --web\nother: EXTRA=1 node server.js $PORT | cat\n",
    );
    put(&home, ".env", &format!("PORT={port}\n"));
    put(&home, "package.json", "{}");
    home.rota(&["start"])
        .ok()
        .says("reading Procfile")
        .says("`release` is left out");
    assert_eq!(portrait(&port)["args"][0], "--web");
    let second = port.number + 100;
    let other = portrait(second);
    assert_eq!(
        (&other["args"][0], &other["env"]["EXTRA"]),
        (&second.to_string().into(), &"1".into())
    );
    assert_eq!(home.app("web").0["mode"], "cluster");
    assert_eq!(home.app("other").0["mode"], "fork");
    let config = home.rota(&["config", "show", "web"]).ok();
    config.says("Procfile:3");
    home.rota(&["delete", "Procfile"]).ok();
    for (text, says) in [
        ("", "names no app"),
        ("web node", "line 1: it is not `name: command`"),
        ("web:\n", "`web` has no command"),
        ("a: b\na: c", "two apps called a"),
        ("all: b", "`all` means every app"),
    ] {
        put(&home, "Procfile", text);
        home.rota(&["check"]).fails(1).says(says);
    }
}
