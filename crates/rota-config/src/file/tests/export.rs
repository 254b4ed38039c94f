//! What is exported reads back as what it was.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::{ConfigFile, EnvOrigin, Export, Form, KEYS, Origins, Outside, Problem, export};
use crate::{AppName, AppSpec, Env};

const FOLDER: &str = "/srv/shop";

/// A small generator of numbers: the same ones every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const NASTY: [&str; 8] = [
    "plain",
    "with \"quotes\" and \\ and 'more'",
    "two\nlines\ttab\r",
    "# no comment",
    "ünïcödé ✓",
    "\u{1b}[31m",
    "= { } [ ]",
    "a.b",
];

/// Values besides the example of the table, as they stand in a file.
fn others(key: &str) -> &'static [&'static str] {
    match key {
        "instances" => &["3", "-1", "0"],
        "listen" => &["[\"web=127.0.0.1:8080\", \"[::1]:9\"]", "\"/run/a b.sock\""],
        "max_memory" | "memory_max" | "memory_high" => &["1", "1048577", "\"1.5G\""],
        "groups" => &["[]", "[5, \"a\"]"],
        "cpu_max" => &["\"37%\"", "2"],
        "umask" => &["\"0\"", "\"777\""],
        "rlimit" => &["{ nproc = \"1:unlimited\" }"],
        "cwd" => &["\"/elsewhere/x\"", "\"..\""],
        "observe" | "restart_delay" | "drain_timeout" => &["0", "1", "\"1h1m1s\""],
        "interpreter" => &["\"none\"", "\"./bin/node\""],
        "args" | "node_args" => &["[]", "[\"a b\", \"\\\"\", \"\"]"],
        "probe" => &["\"tcp://127.0.0.1:1\""],
        "stop_exit_codes" => &["[]", "[255]"],
        "balance" => &["\"shared\"", "\"reuseport\""],
        "guard_loss" => &["\"exit\""],
        "nice" | "oom_score_adj" => &["-7"],
        _ => &[],
    }
}

fn try_read(text: &str) -> Result<Vec<AppSpec>, Vec<Problem>> {
    let file = ConfigFile::parse(format!("{FOLDER}/rota.toml"), text);
    let caller = Env::new();
    let outside = Outside {
        caller: &caller,
        read: &|_| Ok(String::new()),
    };
    let apps = file.apps(None, &outside)?;
    Ok(apps.into_iter().map(|app| app.spec).collect())
}

fn read(text: &str) -> Vec<AppSpec> {
    try_read(text).unwrap_or_else(|problems| panic!("{problems:?} in:\n{text}"))
}

/// Apps with any keys, each with any of its values; `None` if some of these exclude each other.
fn generated(random: &mut Random) -> Option<Vec<AppSpec>> {
    let count = 1 + random.below(4);
    let names = ["web", "ä b", "db", "x.y"];
    let shared: BTreeSet<&str> = KEYS
        .iter()
        .filter(|_| random.below(4) == 0)
        .map(|key| key.name)
        .collect();
    let mut text = String::new();
    for (number, name) in names.iter().enumerate().take(count) {
        text.push_str(&format!("[apps.{name:?}]\nscript = \"app.js\"\n"));
        for key in KEYS.iter().filter(|key| key.is_field()) {
            let wanted = shared.contains(key.name) || random.below(3) == 0;
            if !wanted || matches!(key.name, "script" | "depends_on") || key.needs.is_some() {
                continue;
            }
            let example = [key.example];
            let value = match shared.contains(key.name) {
                true => key.example,
                false if random.below(2) == 0 => random.pick(&example),
                false => random.pick(match others(key.name) {
                    [] => &example,
                    more => more,
                }),
            };
            text.push_str(&format!("{} = {value}\n", key.name));
            if key.name == "probe" && random.below(2) == 0 {
                text.push_str("probe_interval = \"3s\"\nprobe_timeout = 77\n");
            }
            for more in KEYS.iter().filter(|more| more.needs == Some(key.name)) {
                if key.name != "probe" && random.below(2) == 0 {
                    text.push_str(&format!("{} = {}\n", more.name, more.example));
                }
            }
        }
        if number > 0 && random.below(2) == 0 {
            text.push_str("depends_on = [\"web\"]\n");
        }
    }
    let mut apps = try_read(&text).ok()?;
    let common = *random.pick(&NASTY);
    for spec in &mut apps {
        spec.env.set("COMMON", common);
        for _ in 0..random.below(4) {
            let name = *random.pick(&["A", "with.dot", "with blank", "PRODUCTION", "ü"]);
            spec.env.set(name, *random.pick(&NASTY));
        }
        spec.args.push((*random.pick(&NASTY)).to_owned());
        spec.namespace = (*random.pick(&NASTY)).to_owned();
        spec.script = (*random.pick(&NASTY)).to_owned();
    }
    Some(apps)
}

fn plain(spec: AppSpec) -> Export {
    Export {
        spec,
        origins: None,
        hidden: BTreeSet::new(),
        masked: BTreeSet::new(),
    }
}

fn written(apps: &[Export]) -> String {
    let form = Form {
        folder: Path::new(FOLDER),
        all_env: false,
    };
    export(apps, form)
}

#[test]
fn what_is_exported_reads_back_as_what_it_was() {
    let mut random = Random(7);
    let mut used = BTreeSet::new();
    let mut compared = 0;
    while compared < 300 {
        let Some(apps) = generated(&mut random) else {
            continue;
        };
        compared += 1;
        let plain: Vec<Export> = apps.iter().cloned().map(plain).collect();
        let text = written(&plain);
        assert_eq!(read(&text), apps, "{text}");
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        used.extend(lines.map(|(key, _)| key.to_owned()));
    }
    for key in KEYS.iter().filter(|key| key.is_field()) {
        assert!(used.contains(key.name), "{} was never written", key.name);
    }
}

#[test]
fn the_file_is_short() {
    let spec = |name: &str| {
        let mut spec = AppSpec::new(AppName::new(name).unwrap(), "app.js", FOLDER);
        spec.env.set("NODE_ENV", "production");
        spec.limits.max_memory = Some("300M".parse().unwrap());
        spec
    };
    let mut web = spec("web");
    web.cwd = format!("{FOLDER}/web").into();
    web.depends_on = [AppName::new("db").unwrap(), AppName::new("gone").unwrap()].into();
    web.env.set("PATH", "/bin");
    let mut web = plain(web);
    web.origins = Some(Origins {
        env: [(
            "PATH".to_owned(),
            EnvOrigin {
                shell: true,
                ..EnvOrigin::default()
            },
        )]
        .into(),
        ..Origins::default()
    });
    web.hidden = ["API_TOKEN".to_owned()].into();
    assert_eq!(
        written(&[web, plain(spec("db"))]),
        "\
[defaults]
max_memory = \"300M\"

[env]
NODE_ENV = \"production\"

[apps.web]
script = \"app.js\"
cwd = \"web\"
depends_on = [\"db\"]
# it also depends on gone, which this file does not have
# Values of these variables are kept back. Put them into a file of their own, mode 0600, and name it here:
# env_file = \".env\"
#   API_TOKEN=

[apps.db]
script = \"app.js\"
"
    );
}
