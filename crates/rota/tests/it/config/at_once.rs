//! Settings that change while the workers stay: logs, watched files, schedules.

use std::fs;
use std::path::Path;

use super::write;
use crate::support::{Home, another_supervisor, eventually, signal};

/// An app that writes a line again and again, with these settings.
fn ticking(home: &Home, more: &str) {
    let script = home.write(
        "tick.sh",
        "while :; do echo tick; echo tock >&2; sleep 0.02; done\n",
    );
    write(home, &format!("[apps.web]\nscript = \"{script}\"\n{more}"));
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Waits until something is added to the file.
fn until_written(path: &Path) {
    let before = length(path);
    eventually("lines are added", || (length(path) > before).then_some(()));
}

#[test]
fn lines_go_elsewhere_and_the_worker_does_not_know() {
    let home = Home::new();
    ticking(&home, "");
    home.rota(&["apply"]).ok();
    let pids = home.app("web").pids();
    let usual = home.rota_home().join("logs/web-out-0.log");
    until_written(&usual);
    ticking(&home, "output = \"new.log\"\nlog_format = \"json\"\n");
    home.rota(&["apply"])
        .ok()
        .says("~ web: other settings, the workers stay: output not set → \"new.log\"");
    let new = home.path().join("new.log");
    until_written(&new);
    let left = length(&usual);
    until_written(&new);
    assert_eq!(length(&usual), left, "nothing goes the old way any more");
    let line = fs::read_to_string(&new).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["text"], &line["stream"]),
        (&"tick".into(), &"out".into())
    );
    home.rota(&["logs", "web", "--lines", "5"])
        .ok()
        .says("tick");

    let (_, supervisor) = home.daemon_pids();
    signal(supervisor, rustix::process::Signal::KILL);
    another_supervisor(&home, supervisor);
    until_written(&new);
    assert_eq!(length(&usual), left);
    home.rota(&["apply"]).ok().says("nothing to do");

    // Rotation by other rules, of the file that is being written.
    ticking(
        &home,
        "output = \"new.log\"\nrotate_size = \"1K\"\nrotate_keep = 2\nrotate_compress = false\n",
    );
    home.rota(&["apply"])
        .ok()
        .says("the workers stay")
        .says("rotate_size \"20M\" → \"1K\"");
    eventually("files are put aside", || {
        let names = fs::read_dir(home.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let aside = names.filter(|name| name.starts_with("new.log.")).count();
        (aside == 2).then_some(())
    });
    ticking(&home, "logs = false\n");
    home.rota(&["apply"]).ok().says("logs true → false");
    ticking(&home, "");
    home.rota(&["apply"]).ok().says("logs false → true");
    until_written(&usual);
    assert_eq!(home.app("web").pids(), pids);
}

#[test]
fn what_is_watched_and_when_it_is_time_changes_at_once() {
    let home = Home::new();
    let app = |more: &str| {
        let text = format!("[apps.web]\nscript = \"{{http.js}}\"\n{more}");
        write(&home, &text);
    };
    app("");
    home.rota(&["apply"]).ok();
    let pids = || home.app("web").pids();
    let another = |old: &[u32]| {
        eventually("another worker", || {
            let app = home.app("web");
            let new = app.online() > 0 && app.pids().iter().all(|pid| !old.contains(pid));
            new.then(|| app.pids())
        })
    };
    let first = pids();
    let watched = home.path().join("watched");
    fs::create_dir(&watched).unwrap();
    app("watch = [\"watched\"]\nwatch_delay = \"50ms\"\n");
    let said = home.rota(&["apply"]).ok();
    let said = said
        .says("the workers stay: watch not set → [\"watched\"]; watch_delay not set → \"50ms\"");
    assert!(
        !said.out.contains("ignore_watch") && !said.out.contains("watch_action"),
        "{said}"
    );
    let renewal = |what: &str| home.app("web").0["renewal"][what].clone();
    eventually("its files are watched", || {
        renewal("watch")["folders"].is_u64().then_some(())
    });
    assert_eq!(pids(), first);
    fs::write(watched.join("x"), "").unwrap();
    let second = another(&first);

    app("cron = \"* * * * * *\"\ncron_zone = \"UTC\"\n");
    home.rota(&["apply"]).ok().says("the workers stay");
    assert!(renewal("watch").is_null());
    another(&second);
    app("");
    home.rota(&["apply"]).ok().says("the workers stay");
    assert!(renewal("cron").is_null());
    home.rota(&["apply"]).ok().says("nothing to do");
}

#[test]
fn a_plan_for_a_file_of_pm2_lists_what_says_something() {
    let home = Home::new();
    let script = crate::support::app_path("http.js").display().to_string();
    let app = |more: &str| {
        let text = format!(
            r#"{{"apps": [{{"name": "web", "script": "{script}", "exec_mode": "cluster", "instances": 1{more}}}]}}"#
        );
        home.write("ecosystem.json", &text);
    };
    app("");
    home.rota(&["apply", "ecosystem.json"]).ok();
    app(
        r#", "watch": false, "ignore_watch": [], "log_date_format": "", "exp_backoff_restart_delay": 0"#,
    );
    home.rota(&["apply", "ecosystem.json"])
        .ok()
        .says("nothing to do");
    app(r#", "watch": true"#);
    let plan = home
        .rota(&["apply", "ecosystem.json", "--dry-run"])
        .fails(7);
    // What PM2 leaves out stands in the file's place, and what nobody has said does not.
    let plan = plan
        .says("the workers stay: watch not set → true; ignore_watch not set → [\"node_modules\"");
    assert!(
        !plan.out.contains("[]") && !plan.out.contains("watch_delay"),
        "{plan}"
    );
}
