//! What a good file means.

use super::super::{ConfigFile, differences};
use super::{PATH, app, apps, read};
use crate::{AppName, ExecMode, Instances, RlimitName};

#[test]
fn a_whole_file() {
    let text = r#"
[defaults]
kill_timeout = "10s"
namespace = "shop"
env_file = ".env"

[env]
NODE_ENV = "development"

[env.production]
NODE_ENV = "production"

[apps.db]
script = "./db"
fork = true
env_file = []

[apps.web]
script = "server.js"
cwd = "web"
args = "--port 3000"
node_args = ["--enable-source-maps"]
instances = "max"
listen = [8080, "admin=127.0.0.1:9000"]
depends_on = ["db"]
kill_timeout = 2000
rlimit = { nofile = 4096, core = "0:unlimited" }

[apps.web.env]
WORKERS = 4
DEBUG = false
RATE = 1.5

[apps.web.env.production]
WORKERS = 8
"#;
    let read_apps = read(text, Some("production")).unwrap();
    let [db, web] = read_apps.as_slice() else {
        panic!("two apps")
    };
    assert_eq!(db.spec.mode, Some(ExecMode::Fork));
    assert_eq!(db.spec.cwd.to_str(), Some("/srv/shop"));
    assert_eq!(
        (
            db.spec.stop.kill_timeout.millis(),
            db.spec.namespace.as_str()
        ),
        (10_000, "shop")
    );
    let spec = &web.spec;
    assert_eq!(
        (spec.name.as_str(), spec.cwd.to_str()),
        ("web", Some("/srv/shop/web"))
    );
    assert_eq!(
        (spec.args.join(" "), spec.interpreter_args.len()),
        ("--port 3000".to_owned(), 1)
    );
    assert_eq!((spec.instances, spec.listen.len()), (Instances::Max, 2));
    assert_eq!(spec.stop.kill_timeout.millis(), 2000);
    assert_eq!(spec.process.rlimits[&RlimitName::Core].hard, u64::MAX);
    assert_eq!(web.depends_on, [AppName::new("db").unwrap()]);
    let env: Vec<_> = spec.env.iter().collect();
    assert_eq!(
        env,
        [
            ("DEBUG", "false"),
            ("HOME", "/home/me"),
            ("LC_ALL", "C"),
            ("NODE_ENV", "production"),
            ("PATH", "/usr/bin:/bin"),
            ("PORT", "3000"),
            ("RATE", "1.5"),
            ("URL", "http://localhost:3000//home/me"),
            ("WORKERS", "8"),
        ]
    );
    assert_eq!(web.origins.keys["kill_timeout"], 26);
    assert_eq!(web.origins.keys["namespace"], 4);
    assert!(!web.origins.keys.contains_key("drain_timeout"));
    let origin = |name: &str| {
        let origin = &web.origins.env[name];
        let file = origin.file.as_ref().map(|file| file.display().to_string());
        (file.unwrap_or_default(), origin.line, origin.shell)
    };
    assert_eq!(
        origin("WORKERS"),
        ("/srv/shop/rota.toml".to_owned(), Some(35), false)
    );
    assert_eq!(
        origin("PORT"),
        ("/srv/shop/.env".to_owned(), Some(1), false)
    );
    assert_eq!(origin("PATH"), (String::new(), None, true));
}

#[test]
fn without_a_profile_there_is_none() {
    let text = "[env]\nA = 1\n[env.production]\nA = 2\nB = 3\n[apps.web]\nscript = \"a.js\"\n";
    let spec = apps(text).remove(0).spec;
    assert_eq!((spec.env.get("A"), spec.env.get("B")), (Some("1"), None));
    let spec = read(text, Some("production")).unwrap().remove(0).spec;
    assert_eq!(
        (spec.env.get("A"), spec.env.get("B")),
        (Some("2"), Some("3"))
    );
}

#[test]
fn the_shell_gives_what_is_asked_for() {
    let names = |settings: &str| {
        let env = app(settings).spec.env;
        env.iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(""), "HOME LC_ALL PATH");
    assert_eq!(names("inherit_env = false"), "HOME LC_ALL PATH");
    assert_eq!(
        names("inherit_env = [\"AWS_*\"]"),
        "AWS_KEY AWS_REGION HOME LC_ALL PATH"
    );
    assert_eq!(
        names("inherit_env = true"),
        "AWS_KEY AWS_REGION HOME LC_ALL PATH SSH_TTY"
    );
    assert_eq!(names("user = \"www-data\""), "LC_ALL PATH");
}

#[test]
fn later_files_of_variables_win() {
    let env = app("env_file = [\".env\", \"more.env\"]").spec.env;
    assert_eq!(
        (env.get("PORT"), env.get("NODE_ENV")),
        (Some("4000"), Some("file"))
    );
    let env = app("env_file = \".env\"\nenv = { NODE_ENV = \"table\" }")
        .spec
        .env;
    assert_eq!(env.get("NODE_ENV"), Some("table"));
}

#[test]
fn shared_settings_that_mean_nothing_for_an_app_are_left_out() {
    let text = "[defaults]\nprobe_interval = \"1s\"\n[apps.a]\nscript = \"a.js\"\n[apps.b]\nscript = \"b.js\"\nprobe = \"tcp://127.0.0.1:1\"\n";
    let apps = apps(text);
    assert_eq!(apps[0].spec.probe, None);
    assert_eq!(apps[1].spec.probe.as_ref().unwrap().interval.millis(), 1000);
}

#[test]
fn paths_are_relative_to_the_file() {
    for (settings, path) in [
        ("cwd = \"/x\"", "/x"),
        ("cwd = \"./a/./b\"", "/srv/shop/a/b"),
        ("cwd = \"../x\"", "/srv/shop/../x"),
    ] {
        assert_eq!(app(settings).spec.cwd.to_str(), Some(path));
    }
    for (settings, program) in [
        ("interpreter = \"./bin/node\"", "/srv/shop/bin/node"),
        ("interpreter = \"node\"", "node"),
    ] {
        assert_eq!(app(settings).spec.interpreter.as_deref(), Some(program));
    }
}

#[test]
fn differences_name_settings_and_variables() {
    let old = app("instances = 2\nenv = { A = 1, B = 2 }");
    let mut new = app("instances = 3\nenv = { A = 1, C = 2 }");
    let named = |old: &super::FileApp, new: &super::FileApp| {
        differences(
            (&old.spec, Some(&old.origins)),
            (&new.spec, Some(&new.origins)),
        )
    };
    assert_eq!(named(&old, &new), ["instances", "env.B", "env.C"]);
    assert!(named(&new, &new).is_empty());
    let before = new.clone();
    new.spec.env.set("PATH", "/other");
    assert!(named(&before, &new).is_empty(), "that is the shell's");
    let flags = differences((&before.spec, None), (&new.spec, Some(&new.origins)));
    assert_eq!(
        flags,
        ["env.PATH"],
        "an app of the command line has said nothing of its shell"
    );
    let named_one = app("inherit_env = [\"AWS_REGION\"]");
    let mut moved = named_one.clone();
    moved.spec.env.set("AWS_REGION", "us");
    assert_eq!(named(&named_one, &moved), ["env.AWS_REGION"]);
}

#[test]
fn waves_come_from_the_file() {
    let text = "[apps.web]\nscript = \"a.js\"\ndepends_on = [\"api\"]\n[apps.api]\nscript = \"a.js\"\ndepends_on = [\"db\"]\n[apps.db]\nscript = \"a.js\"\n";
    let order: Vec<Vec<String>> = ConfigFile::parse(PATH, text)
        .order()
        .into_iter()
        .map(|group| group.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(order, [["db"], ["api"], ["web"]]);
}
