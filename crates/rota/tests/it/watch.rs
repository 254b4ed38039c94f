//! Apps that are started anew when their files change.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::{App, Home, app_path, eventually, signal};

/// A project in a folder of the home, beside which the servers' reports do not count.
struct Project {
    home: Home,
    folder: PathBuf,
    pids: Vec<u32>,
}

impl Project {
    fn start(flags: &[&str]) -> Self {
        Self::start_observed("0", flags)
    }

    fn start_observed(observe: &str, flags: &[&str]) -> Self {
        let home = Home::new();
        let folder = home.path().join("project");
        fs::create_dir(&folder).unwrap();
        fs::copy(app_path("http.js"), folder.join("server.js")).unwrap();
        fs::write(folder.join(".gitignore"), "*.log\n/dist\n").unwrap();
        let script = folder.join("server.js").display().to_string();
        let place = folder.display().to_string();
        let mut all = vec!["start", &script, "--name", "app", "--observe", observe];
        all.extend(["--watch", &place, "--watch-delay", "100ms"]);
        all.extend(flags);
        home.rota(&all).ok();
        let pids = home.app("app").pids();
        let project = Self { home, folder, pids };
        project.until_watched();
        project
    }

    fn until_watched(&self) -> App {
        let watches = |app: &App| app.0["renewal"]["watch"]["folders"].is_u64();
        self.home.until("its files are watched", watches)
    }

    /// As editors do it: another file takes its place.
    fn deploy(&self, app: &str) {
        let spare = self.folder.join("server.js.spare");
        fs::copy(app_path(app), &spare).unwrap();
        fs::rename(spare, self.folder.join("server.js")).unwrap();
    }

    /// Waits until none of these workers is left, and all serve.
    fn until_new(&self, old: &[u32]) -> App {
        let new = |app: &App| {
            let pids = app.pids();
            let serving = app.status() == "online" && app.online() == old.len();
            serving && pids.len() == old.len() && pids.iter().all(|pid| !old.contains(pid))
        };
        self.home.until("new workers", new)
    }

    fn times_told(&self, what: &str) -> usize {
        self.home.daemon_log().matches(what).count()
    }
}

#[test]
fn a_change_is_a_reload_that_names_the_file() {
    let project = Project::start(&["-i", "2"]);
    fs::write(project.folder.join("x.log"), "x").unwrap();
    fs::create_dir(project.folder.join("dist")).unwrap();
    fs::write(project.folder.join("dist/built.js"), "x").unwrap();
    project.deploy("http.js");
    let app = project.until_new(&project.pids);
    let why = app.0["renewal"]["last"]["why"].as_str().unwrap().to_owned();
    assert!(why.ends_with("server.js has changed"), "{why}");
    assert_eq!(project.times_told(": reloading"), 1);
    let said = project.home.rota(&["describe", "app"]).ok();
    let said = said.says("watched").says("started anew");
    said.says("server.js has changed");
    // New folders count from their first file on.
    fs::create_dir_all(project.folder.join("lib/deep")).unwrap();
    fs::write(project.folder.join("lib/deep/db.js"), "").unwrap();
    let app = project.until_new(&app.pids());
    let why = app.0["renewal"]["last"]["why"].as_str().unwrap();
    assert!(why.ends_with("lib/deep/db.js has changed"), "{why}");
}

#[test]
fn code_that_does_not_work_leaves_the_old_workers_where_they_are() {
    let project = Project::start(&["-i", "2"]);
    project.deploy("crash-start.js");
    eventually("the reload is taken back", || {
        let log = project.home.daemon_log();
        log.contains("rolled back, the old workers serve on")
            .then_some(())
    });
    let app = project.home.until_status("online");
    assert_eq!(app.pids(), project.pids);
    project.deploy("http.js");
    project.until_new(&project.pids);
}

#[test]
fn a_change_during_a_rollout_is_one_more_afterwards() {
    let project = Project::start_observed("1s", &["-i", "2"]);
    project.deploy("http.js");
    project.home.until_status("reloading");
    for name in ["a.js", "b.js", "c.js"] {
        fs::write(project.folder.join(name), "").unwrap();
    }
    eventually("two reloads are done", || {
        let done = project.times_told("app: 2 workers started, 2 workers stopped");
        (done == 2).then_some(())
    });
    assert_eq!(project.times_told(": reloading"), 2);
}

#[test]
fn what_is_stopped_is_not_watched_and_a_dead_supervisor_s_watch_goes_on() {
    let project = Project::start(&["--watch-action", "restart"]);
    project.home.rota(&["stop", "app"]).ok();
    let app = project.home.app("app");
    assert!(app.0["renewal"]["watch"]["folders"].is_null());
    project.deploy("http.js");
    project.home.rota(&["start", "app"]).ok();
    let old = project.until_watched().pids();
    assert_eq!(project.times_told("has changed"), 0);
    let (_, supervisor) = project.home.daemon_pids();
    signal(supervisor, Signal::KILL);
    eventually("another supervisor", || {
        (project.home.daemon_pids().1 != supervisor).then_some(())
    });
    project.until_watched();
    assert_eq!(project.home.app("app").pids(), old);
    project.deploy("http.js");
    let app = project.until_new(&old);
    assert_eq!(project.times_told("has changed: restarting"), 1);
    assert!(app.0["renewal"]["last"]["at"].is_u64());
}

#[test]
fn the_file_has_keys_for_it() {
    let home = Home::new();
    let folder = home.path().join("project");
    fs::create_dir(&folder).unwrap();
    fs::copy(app_path("http.js"), folder.join("server.js")).unwrap();
    fs::write(
        folder.join("rota.toml"),
        "[apps.app]\nscript = \"server.js\"\nobserve = 0\nwatch = true\nignore_watch = \"*.md\"\nwatch_delay = \"50ms\"\n\
         cron = \"0 3 * * *\"\ncron_zone = \"UTC\"\n",
    )
    .unwrap();
    let file = folder.join("rota.toml").display().to_string();
    home.rota(&["start", &file]).ok();
    let app = home.until("watched", |app| app.0["renewal"]["watch"]["folders"] == 1);
    assert_eq!(app.0["renewal"]["cron"]["zone"], "UTC");
    fs::write(folder.join("README.md"), "").unwrap();
    fs::write(folder.join("more.js"), "").unwrap();
    home.until("reloaded", |now| {
        now.pids() != app.pids() && now.online() == 1
    });
    assert!(home.daemon_log().contains("more.js has changed: reloading"));
    home.rota(&["config", "show", "app"]).ok().says("*.md");
}
