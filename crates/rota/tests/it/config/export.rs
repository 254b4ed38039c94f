//! `rota export`: a file from what runs.

use super::variable;
use crate::support::{Home, app_path};

#[test]
fn what_is_exported_is_what_runs() {
    let home = Home::new();
    let http = app_path("http.js").display().to_string();
    let start = ["start", &http, "--name", "web", "-i", "2", "--observe", "0"];
    let more = [
        "--max-restarts",
        "3",
        "--env",
        "A=\"x\" # y",
        "--env",
        "API_TOKEN=very-secret",
    ];
    home.rota(&[&start[..], &more[..]].concat()).ok();
    home.rota(&[
        "start",
        &http,
        "--name",
        "api",
        "--observe",
        "0",
        "--listen-timeout",
        "1m",
    ])
    .ok();
    home.rota(&["scale", "web", "3"]).ok();
    let pids = |name: &str| home.app(name).pids();
    let before = (pids("web"), pids("api"));

    let shown = home.rota(&["export"]).ok();
    let shown = shown
        .says("[defaults]\nobserve = \"0s\"")
        .says("#   API_TOKEN=");
    assert!(
        !shown.out.contains("very-secret") && !shown.out.contains("PATH"),
        "{shown}"
    );
    home.rota(&["export", "web", "--all-env"])
        .ok()
        .says("\nPATH = ");

    home.rota(&["export", "--reveal", "-o", "out.toml"]).ok();
    home.rota(&["export", "-o", "out.toml"])
        .fails(1)
        .says("--force");
    home.rota(&["check", "out.toml"]).ok();
    home.rota(&["apply", "out.toml"])
        .ok()
        .says("web: other settings, the workers stay: it belongs to this file");
    assert_eq!((pids("web"), pids("api")), before);
    home.rota(&["apply", "out.toml"]).ok().says("nothing to do");
    assert_eq!(variable(&home, "web", "A").as_deref(), Some("\"x\" # y"));
    home.rota(&["export", "nobody"]).fails(4);
}
