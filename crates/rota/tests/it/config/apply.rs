//! `rota apply`: what runs becomes what the file says.

use super::{variable, write};
use crate::support::Home;

const TWO: &str = "\
[apps.web]
script = \"{http.js}\"
instances = 2
depends_on = [\"api\"]
env = { A = 1, API_TOKEN = \"old-secret\" }
[apps.api]
script = \"{http.js}\"
";

fn pids(home: &Home) -> Vec<Vec<u32>> {
    ["web", "api"].map(|name| home.app(name).pids()).to_vec()
}

#[test]
fn the_second_time_there_is_nothing_to_do() {
    let home = Home::new();
    write(&home, TWO);
    home.rota(&["apply", "--dry-run"])
        .fails(7)
        .says("+ web: add");
    home.rota(&["ping"]).fails(3);
    home.rota(&["apply"]).ok().says("+ api: add");
    let before = pids(&home);
    home.rota(&["apply"])
        .ok()
        .says("nothing to do: 2 apps run as rota.toml says");
    home.rota(&["apply", "--dry-run"]).ok();
    assert_eq!(pids(&home), before);
}

#[test]
fn only_what_is_different_is_changed() {
    let home = Home::new();
    write(&home, TWO);
    home.rota(&["apply"]).ok();
    let before = pids(&home);
    let changed = TWO.replace("A = 1", "B = 1").replace("old-", "new-");
    write(&home, &changed);
    let plan = home.rota(&["apply", "--dry-run", "--json"]).fails(7);
    let told = plan.json();
    assert_eq!(told["type"], "plan");
    let web = &told["apps"][0];
    assert_eq!(
        (&web["app"], &web["action"]),
        (&"web".into(), &"reload".into())
    );
    assert_eq!(web["env"]["changed"][0], "API_TOKEN");
    assert!(!plan.out.contains("secret"), "{plan}");
    let output = home.rota(&["apply"]).ok();
    let output = output.says("~ web: reload: 3 variables: +B ~API_TOKEN -A");
    assert!(!output.out.contains("secret"), "{output}");
    output.says("unchanged: api");
    let after = pids(&home);
    assert_eq!(after[1], before[1], "api was not touched");
    assert!(after[0].iter().all(|pid| !before[0].contains(pid)));
    assert_eq!(variable(&home, "web", "A"), None);
    home.rota(&["apply"]).ok().says("nothing to do");

    // Another number of workers is no reason to replace those that there are.
    write(&home, &changed.replace("instances = 2", "instances = 3"));
    home.rota(&["apply"]).ok().says("2 → 3 workers");
    let scaled = home.app("web").pids();
    assert!(after[0].iter().all(|pid| scaled.contains(pid)) && scaled.len() == 3);
    home.rota(&["scale", "web", "1"]).ok();
    home.rota(&["apply"])
        .ok()
        .says("~ web: scale: 1 → 3 workers");
    home.rota(&["apply"]).ok().says("nothing to do");
}

#[test]
fn settings_that_workers_need_not_know_leave_them_alone() {
    let home = Home::new();
    write(&home, TWO);
    home.rota(&["apply"]).ok();
    let before = pids(&home);
    let more = "max_restarts = 3\nmax_memory = \"2G\"\nmax_age = \"3d\"\nkill_timeout = \"100ms\"\n\
         heartbeat_interval = \"700ms\"\nnamespace = \"shop\"\ninstances = 2\n";
    write(&home, &TWO.replace("instances = 2\n", more));
    home.rota(&["apply"])
        .ok()
        .says("~ web: other settings, the workers stay")
        .says("max_restarts 16 → 3");
    assert_eq!(pids(&home), before);
    let shown = home.rota(&["config", "show", "web"]).ok();
    shown.says("\"2G\"").says("\"100ms\"");
    let (_, supervisor) = home.daemon_pids();
    crate::support::signal(supervisor, rustix::process::Signal::KILL);
    home.rota(&["apply"]).ok().says("nothing to do");
    assert_eq!(pids(&home), before);
    let view = home.rota(&["describe", "web", "--json"]).ok().json();
    assert!(view.to_string().contains("259200000"), "{view}");
}

#[test]
fn what_was_stopped_is_started_and_what_failed_holds_back_what_needs_it() {
    let home = Home::new();
    write(&home, TWO);
    home.rota(&["apply"]).ok();
    home.rota(&["stop", "web"]).ok();
    home.rota(&["apply"])
        .ok()
        .says("> web: start, it is stopped");
    assert_eq!(home.app("web").online(), 2);
    home.rota(&["stop", "web:1"]).ok();
    home.rota(&["apply"]).ok().says("> web: start the workers");
    assert_eq!(home.app("web").online(), 2);

    let before = pids(&home);
    let broken = TWO.replace("A = 1", "A = 2").replace(
        "[apps.api]\nscript = \"{http.js}\"",
        "[apps.api]\nscript = \"{crash-start.js}\"",
    );
    write(&home, &broken);
    home.rota(&["apply"])
        .fails(1)
        .says("rolled back")
        .says("web: left as it is: it depends on api, which failed");
    assert_eq!(pids(&home), before);
}

#[test]
fn apps_that_left_the_file_go_only_when_asked() {
    let home = Home::new();
    write(&home, TWO);
    home.rota(&["apply"]).ok();
    home.rota(&[
        "start",
        crate::support::app_path("http.js").to_str().unwrap(),
        "--name",
        "other",
    ])
    .ok();
    write(
        &home,
        "[apps.web]\nscript = \"{http.js}\"\ninstances = 2\nenv = { A = 1, API_TOKEN = \"old-secret\" }\n",
    );
    home.rota(&["apply"])
        .ok()
        .says("not in the file, left alone: api, other (--prune deletes");
    home.rota(&["apply", "--prune", "--dry-run"]).fails(7);
    home.rota(&["apply", "--prune"])
        .ok()
        .says("- api: delete")
        .says("left alone: other");
    assert!(home.find("api").is_none() && home.find("other").is_some());
}

#[test]
fn an_app_that_somebody_started_by_hand_comes_to_the_file() {
    let home = Home::new();
    let file = "[apps.web]\nscript = \"{http.js}\"\ninherit_env = true\n";
    write(&home, file);
    home.rota(&["apply"]).ok();
    let before = home.app("web").pids();
    std::fs::rename(home.path().join("rota.toml"), home.path().join("shop.toml")).unwrap();
    home.rota(&["apply", "shop.toml"])
        .ok()
        .says("belongs to this file");
    assert_eq!(home.app("web").pids(), before);
    home.rota(&["apply", "shop.toml"])
        .ok()
        .says("nothing to do");
}

#[test]
fn the_profile_stays_and_what_is_not_to_start_is_listed() {
    let home = Home::new();
    let text = "[env.production]\nMODE = \"production\"\n[apps.web]\nscript = \"{http.js}\"\n\
        [apps.job]\nscript = \"{http.js}\"\nautostart = false\n";
    write(&home, text);
    home.rota(&["apply", "--env", "production"])
        .ok()
        .says("+ job: add, not started");
    assert_eq!(home.app("job").status(), "stopped");
    home.rota(&["apply"]).ok().says("nothing to do");
    assert_eq!(
        variable(&home, "web", "MODE").as_deref(),
        Some("production")
    );
    home.rota(&["start", "--env", "production"])
        .ok()
        .says("runs already")
        .says("autostart = false");
    assert_eq!(home.app("job").status(), "stopped");
    home.rota(&["start", "job"]).ok();
    assert_eq!(home.app("job").status(), "online");
    home.rota(&["apply"]).ok().says("nothing to do");
}
