//! What is wrong with a file, in words: a table of mistakes with what is said, and the way it is shown.
//!
//! A line is `LINE:COLUMN message | label | help`, as far as there are label and help.

use super::super::{ConfigFile, Style, line_and_column, render};
use super::{PATH, read};

/// Mistakes in the settings of an app; they stand below `[apps.web]` and `script = "app.js"`.
#[rustfmt::skip]
const SETTINGS: &[(&str, &str)] = &[
    ("instanses = 2",
        "3:1 unknown key `instanses` | not a setting of an app | did you mean `instances`?"),
    (r#"instances = "many""#,
        "3:13 `instances`: `many` is not a number of workers | examples: 4, max, -1 for one less than max; at most 1024"),
    ("instances = true",
        r#"3:13 `instances` is a number of workers, or "max" | this is true or false | for example `instances = "max"`"#),
    ("instances = 0.5",
        r#"3:13 `instances` is a number of workers, or "max" | this is a number with a point | for example `instances = "max"`"#),
    ("instances = 5000",
        "3:13 `instances`: `5000` is not a number of workers | examples: 4, max, -1 for one less than max; at most 1024"),
    ("instances = [1]",
        r#"3:13 `instances` is a number of workers, or "max" | this is a list | for example `instances = "max"`"#),
    (r#"kill_timeout = "5x""#,
        "3:16 `kill_timeout`: `5x` is not a time span: the unit must be d, h, m, s or ms | examples: 500ms, 10s, 1m30s, 2h; a bare number is milliseconds"),
    (r#"kill_timeout = "soon""#,
        "3:16 `kill_timeout`: `soon` is not a time span: the unit must be d, h, m, s or ms | examples: 500ms, 10s, 1m30s, 2h; a bare number is milliseconds"),
    ("kill_timeout = -5",
        "3:16 `kill_timeout`: it cannot be less than 0"),
    ("kill_timeout = 1.5",
        r#"3:16 `kill_timeout` is a time such as "10s", or a number of milliseconds | this is a number with a point | for example `kill_timeout = "10s"`"#),
    (r#"kill_timeout = "2y""#,
        "3:16 `kill_timeout`: `2y` is not a time span: the unit must be d, h, m, s or ms | examples: 500ms, 10s, 1m30s, 2h; a bare number is milliseconds"),
    (r#"kill-timeout = "5s""#,
        "3:1 unknown key `kill-timeout` | not a setting of an app | did you mean `kill_timeout`?"),
    (r#"max_memory = "lots""#,
        "3:14 `max_memory`: `lots` is not a size | examples: 64K, 300M, 1.5G; a bare number is bytes"),
    ("max_memory = 0",
        "3:14 `max_memory`: it must be more than zero"),
    (r#"max_memory_restart = "300M""#,
        "3:1 unknown key `max_memory_restart` | not a setting of an app | it is called `max_memory` here"),
    (r#"max_age = "0s""#,
        "3:11 `max_age`: it must be more than zero"),
    ("heartbeat_interval = 0",
        "3:22 `heartbeat_interval`: it must be more than zero"),
    (r#"autorestart = "false""#,
        "3:15 `autorestart` is true or false, without quotes | this is text | leave the quotes out"),
    ("autorestart = 1",
        "3:15 `autorestart` is true or false, without quotes | this is a whole number | for example `autorestart = false`"),
    ("no_autorestart = true",
        "3:1 unknown key `no_autorestart` | not a setting of an app | write `autorestart = false`"),
    ("no_handover = true",
        "3:1 unknown key `no_handover` | not a setting of an app | write `handover = false`"),
    (r#"balance = "sticky""#,
        r#"3:11 `balance` is one of "round-robin", "ip-hash", "shared", "reuseport" | there is no `sticky`"#),
    (r#"guard_loss = "stay""#,
        r#"3:14 `guard_loss` is one of "exit", "serve" | there is no `stay`"#),
    (r#"stop_signal = "SIGFOO""#,
        "3:15 `stop_signal`: `SIGFOO` is not a signal | examples: SIGTERM, INT, usr2, 15"),
    ("stop_signal = 99",
        "3:15 `stop_signal`: `99` is not a signal | examples: SIGTERM, INT, usr2, 15"),
    (r#"listen = "example.org:80""#,
        "3:10 `listen`: `example.org:80` is not an address to listen on: neither a port, nor IP:PORT, nor an absolute path (names are not resolved) | examples: 8080, 127.0.0.1:8080, [::1]:8080, /run/app.sock, web=8080"),
    (r#"listen = [8080, "nowhere:80"]"#,
        "3:17 `listen`: `nowhere:80` is not an address to listen on: neither a port, nor IP:PORT, nor an absolute path (names are not resolved) | examples: 8080, 127.0.0.1:8080, [::1]:8080, /run/app.sock, web=8080"),
    ("listen = 70000",
        "3:10 `listen`: `70000` is not an address to listen on: the port must be from 0 to 65535 | examples: 8080, 127.0.0.1:8080, [::1]:8080, /run/app.sock, web=8080"),
    ("port = 3000",
        "3:1 unknown key `port` | not a setting of an app | give the port as a variable (`env = { PORT = 3000 }`), or, if rota is to open it, as `listen`"),
    (r#"probe = "https://localhost/""#,
        "3:9 `probe`: `https://localhost/` is not a probe: https is not supported; use tcp:// or a plain http:// port | examples: tcp://127.0.0.1:5432, http://localhost:3000/health"),
    (r#"probe = "localhost:3000""#,
        "3:9 `probe`: `localhost:3000` is not a probe: it must begin with tcp:// or http:// | examples: tcp://127.0.0.1:5432, http://localhost:3000/health"),
    (r#"probe_interval = "1s""#,
        "3:1 `probe_interval` means nothing without `probe` | add `probe`, or leave this out"),
    ("probe = 3000",
        r#"3:9 `probe` is a URL such as "http://localhost:3000/health" | this is a whole number | for example `probe = "http://localhost:3000/health"`"#),
    ("args = { a = 1 }",
        r#"3:8 `args` is a list of text such as ["--verbose"], or a text | this is a table | for example `args = ["--verbose"]`"#),
    (r#"args = [["a"]]"#,
        r#"3:9 `args` is a list of text such as ["--verbose"], or a text | this is a list | for example `args = ["--verbose"]`"#),
    ("node_args = 5",
        r#"3:13 `node_args` is a list of text such as ["--verbose"], or a text | this is a whole number | for example `node_args = ["--enable-source-maps"]`"#),
    (r#"interpreterArgs = "--x""#,
        "3:1 unknown key `interpreterArgs` | not a setting of an app | it is called `node_args` here"),
    ("stop_exit_codes = [0, 300]",
        "3:23 `stop_exit_codes`: 300 is not an exit code (0 to 255)"),
    ("stop_exit_codes = 0",
        "3:19 `stop_exit_codes` is a list of exit codes such as [0, 143] | this is a whole number | for example `stop_exit_codes = [0, 143]`"),
    (r#"stop_exit_codes = ["a"]"#,
        "3:20 `stop_exit_codes` is a list of exit codes such as [0, 143] | this is text | for example `stop_exit_codes = [0, 143]`"),
    ("umask = 22",
        r#"3:9 `umask` is octal digits in quotes, such as "027" | this is a whole number | for example `umask = "027"`"#),
    (r#"umask = "999""#,
        "3:9 `umask`: `999` is not a mask: three octal digits, such as 027"),
    ("nice = 40",
        "3:8 `nice`: 40 is not between -20 and 19"),
    (r#"oom_score_adj = "500""#,
        "3:17 `oom_score_adj` is a whole number | this is text | for example `oom_score_adj = 500`"),
    (r#"user = """#,
        "3:8 `user`: a name cannot be empty, nor have `:` or `,`"),
    (r#"groups = "ssl""#,
        r#"3:10 `groups` is a list of names or numbers, such as ["ssl-cert"] | this is text | for example `groups = ["ssl-cert"]`"#),
    (r#"group = "a:b""#,
        "3:9 `group`: a name cannot be empty, nor have `:` or `,`"),
    ("rlimit = { files = 3 }",
        "3:12 `rlimit`: `files` is not one of as, core, cpu, data, fsize, memlock, nofile, nproc, sigpending, stack"),
    (r#"rlimit = { nofile = "many" }"#,
        "3:21 `rlimit`: `many` is not a limit | examples: 4096, 1024:4096, 512M, unlimited"),
    (r#"rlimit = { nofile = "20:10" }"#,
        "3:21 `rlimit`: the soft limit is above the hard one: 20:10"),
    (r#"rlimit = "nofile=3""#,
        "3:10 `rlimit` is a table such as { nofile = 65536 } | this is text | for example `rlimit = { nofile = 65536, core = 0 }`"),
    ("max_restarts = -1",
        "3:16 `max_restarts`: it cannot be less than 0"),
    ("max_requests = 0",
        "3:16 `max_requests`: it must be more than zero"),
    ("max_restarts = 99999999999999999999",
        "3:16 `max_restarts`: it cannot be more than 4294967295"),
    (r#"exec_mode = "cluster""#,
        "3:1 unknown key `exec_mode` | not a setting of an app | Node scripts are cluster workers by themselves; `fork = true` makes plain processes of them"),
    (r#"name = "api""#,
        "3:1 unknown key `name` | not a setting of an app | the name stands in the table's head: [apps.NAME]"),
    (r#"namespace = """#,
        "3:13 `namespace`: it is empty"),
    (r#"cwd = """#,
        "3:7 `cwd`: it is empty"),
    ("watchdogs = true",
        "3:1 unknown key `watchdogs` | not a setting of an app | did you mean `watchdog`?"),
    ("watch = 3",
        "3:9 `watch` is true, a path in quotes, or a list of paths | this is a whole number | for example `watch = [\"src\", \"config.json\"]`"),
    (r#"cron = "0 3 *""#,
        "3:8 `cron`: `0 3 *` is no cron expression: it has 3 fields, not 5 or 6: five fields: minute hour day-of-month month day-of-week, such as '0 3 * * *' (every day at 3:00), or six with seconds in front"),
    (r#"log_time = "%Y-%!""#,
        "3:12 `log_time`: `%Y-%!` is no form of times: found unrecognized specifier directive `!`"),
    (r#"log_time = "%H\n""#,
        "3:12 `log_time`: there is a line break or a zero byte in it"),
    (r#"output = "logs/""#,
        "3:10 `output`: it must be the name of a file, not of a folder"),
    (r#"log_file = "..""#,
        "3:12 `log_file`: it must be the name of a file, not of a folder"),
    ("error = \"\"",
        "3:9 `error`: it is empty"),
    (r#"log_format = "xml""#,
        r#"3:14 `log_format` is one of "plain", "json" | there is no `xml`"#),
    (r#"rotate_every = "yearly""#,
        r#"3:16 `rotate_every` is one of "hourly", "daily", "weekly" | there is no `yearly`"#),
    (r#"rotate_max_age = 0"#,
        "3:18 `rotate_max_age`: it must be more than zero"),
    (r#"cron_zone = "UTC""#,
        "3:1 `cron_zone` means nothing without `cron` | add `cron`, or leave this out"),
    ("env_production = { A = 1 }",
        "3:1 unknown key `env_production` | not a setting of an app | a profile is a table in env: [env.production]"),
    (r#"env = "A=1""#,
        "3:7 `env` is a table such as { PORT = 3000 } | this is text | for example `env = { PORT = 3000 }`"),
    ("env = { A = [1] }",
        "3:9 the variable `A` is a list | a variable is text, a number, true or false; write it in quotes"),
    ("env = { A = 2024-01-01 }",
        "3:9 the variable `A` is a date or time of day | a variable is text, a number, true or false; write it in quotes"),
    ("env = { production = { more = { A = 1 } } }",
        "3:24 the variable `more` is a table | there are no profiles in profiles"),
    (r#"env = { "A=B" = 1 }"#,
        r#"3:9 the name of a variable cannot be empty, nor have `=` in it | write NAME = "value""#),
    (r#"env_file = "none.env""#,
        "3:12 `env_file`: /srv/shop/none.env cannot be read: entity not found"),
    (r#"env_file = "bad.env""#,
        "3:12 /srv/shop/bad.env:2: it is not NAME=value | this file"),
    ("env_file = 5",
        r#"3:12 `env_file` is a path in quotes, or a list of them | this is a whole number | for example `env_file = ".env"`"#),
    (r#"inherit_env = ["A B"]"#,
        r#"3:16 `inherit_env`: `A B` is not the name of a variable | a star may stand at the end: "AWS_*"; `true` takes all"#),
    (r#"inherit_env = "HOME""#,
        r#"3:15 `inherit_env` is a list of names such as ["AWS_REGION", "npm_*"], or true | this is text | for example `inherit_env = ["AWS_REGION", "npm_*"]`"#),
    (r#"depends_on = ["db"]"#,
        "3:15 `web` depends on `db`, which this file does not have"),
    (r#"depends_on = "web""#,
        r#"3:14 `depends_on` is a list of names of apps, such as ["db"] | this is text | for example `depends_on = ["db"]`"#),
    (r#"depends_on = ["web"]"#,
        "3:15 apps wait for each other: web → web | begins here | take one of them out of `depends_on`"),
    (r#"depends_on = ["wed"]"#,
        "3:15 `web` depends on `wed`, which this file does not have | did you mean `web`?"),
    (r#"script = "other.js""#,
        "3:1 the same key stands here twice"),
    ("instances = ",
        "3:13 this is not TOML: string values must be quoted, expected literal string"),
    ("instances 4",
        "3:11 this is not TOML: key with no value, expected `=`"),
    (r#"x = "unclosed"#,
        r#"3:14 this is not TOML: invalid basic string, expected `"`"#),
    (r#"probe_interval = "0s"
probe = "tcp://127.0.0.1:1""#,
        "3:18 `probe_interval`: it must be more than zero"),
    (r#"args = ["a\u0000"]"#,
        "3:8 `args`: there is a zero byte in it"),
];

/// Mistakes in whole files.
#[rustfmt::skip]
const FILES: &[(&str, &str)] = &[
    ("",
        r#"1:1 the file names no app | add one: [apps.web], and below it script = "app.js""#),
    (r#"[app.web]
script = "a.js"
"#,
        "1:2 unknown table `app` | apps stand in [apps.NAME]"),
    (r#"[services.web]
script = "a.js"
"#,
        "1:2 unknown table `services` | apps stand in [apps.NAME]"),
    (r#"[web]
script = "a.js"
"#,
        "1:2 unknown table `web` | a file has [defaults], [env] and [apps.NAME]; is it [apps.web]?"),
    (r#"instances = 4
[apps.web]
script = "app.js"
"#,
        "1:1 unknown key `instances` | at the top of the file | a setting stands in a table: write `instances` below [apps.NAME], or below [defaults] for all apps"),
    (r#"deafults = 1
[apps.web]
script = "app.js"
"#,
        "1:1 unknown key `deafults` | did you mean `defaults`?"),
    ("[apps.web]
instances = 2
",
        r#"1:7 the app `web` has no script | add what it runs: script = "app.js""#),
    (r#"[apps.all]
script = "a.js"
"#,
        "1:7 `all` cannot be the name of an app: `all` means every app"),
    (r#"[apps.7]
script = "a.js"
"#,
        "1:7 `7` cannot be the name of an app: numbers are ids of workers"),
    (r#"[apps."a/b"]
script = "a.js"
"#,
        "1:7 `a/b` cannot be the name of an app: it has a slash in it (it becomes part of file names)"),
    (r#"[apps]
web = "app.js"
"#,
        r#"2:1 `web` is not the table of an app | this is text | write [apps.web], and below it script = "app.js""#),
    (r#"apps = "app.js"
"#,
        "1:8 `apps` is a table | this is text | write [apps.NAME] for each app"),
    (r#"[[apps]]
name = "web"
script = "a.js"
"#,
        "1:1 `apps` is a table | this is a list | write [apps.NAME] for each app"),
    (r#"[apps.web]
script = ""
"#,
        "2:10 `script`: it is empty"),
    (r#"[apps.web]
script = ["a.js"]
"#,
        r#"2:10 `script` is text in quotes | this is a list | for example `script = "app.js"`"#),
    (r#"[defaults]
script = "a.js"
[apps.web]
script = "app.js"
"#,
        "2:1 `script` cannot be shared by apps | write it under [apps.NAME], for each app its own `script`"),
    (r#"[defaults]
listen = 80
[apps.web]
script = "app.js"
"#,
        "2:1 `listen` cannot be shared by apps | write it under [apps.NAME], for each app its own `listen`"),
    (r#"[defaults]
kill_timeout = "5x"
[apps.web]
script = "app.js"
[apps.api]
script = "b.js"
"#,
        "2:16 `kill_timeout`: `5x` is not a time span: the unit must be d, h, m, s or ms | examples: 500ms, 10s, 1m30s, 2h; a bare number is milliseconds"),
    (r#"[defaults.env]
A = 1
[apps.web]
script = "app.js"
"#,
        "1:11 variables for all apps stand in [env] | write `[env]` instead of `[defaults.env]`"),
    (r#"[defaults]
node-args = "x"
[apps.web]
script = "app.js"
"#,
        "2:1 unknown key `node-args` | not a setting of apps | did you mean `node_args`?"),
    (r#"[env]
A = { b = { c = 1 } }
[apps.web]
script = "app.js"
"#,
        "2:7 the variable `b` is a table | there are no profiles in profiles"),
    (r#"[env_production]
A = 1
[apps.web]
script = "app.js"
"#,
        "1:2 unknown table `env_production` | a profile is a table in env: [env.production]"),
    (r#"[apps.a]
script = "a.js"
depends_on = ["b"]
[apps.b]
script = "b.js"
depends_on = ["c"]
[apps.c]
script = "c.js"
depends_on = ["a"]
"#,
        "3:15 apps wait for each other: a → b → c → a | begins here | take one of them out of `depends_on`"),
    (r#"[apps.web]
script = "app.js"
[apps.web]
script = "app.js"
"#,
        "3:7 the same key stands here twice
4:1 the same key stands here twice"),
];

fn said(text: &str) -> String {
    let problems = read(text, None).err().unwrap_or_default();
    let lines: Vec<String> = problems
        .into_iter()
        .map(|problem| {
            let (line, column) = line_and_column(text, problem.at.start);
            let parts = [Some(problem.message), problem.label, problem.help];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("{line}:{column} {}", parts.join(" | "))
        })
        .collect();
    lines.join("\n")
}

#[test]
fn every_mistake_is_told_as_documented() {
    assert!(SETTINGS.len() + FILES.len() >= 50);
    for (settings, expected) in SETTINGS {
        let text = format!("[apps.web]\nscript = \"app.js\"\n{settings}\n");
        assert_eq!(said(&text), *expected, "{settings}");
    }
    for (text, expected) in FILES {
        assert_eq!(said(text), *expected, "{text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"[defaults]
kill_timeout = "soon"
[apps.web]
scirpt = "app.js"
instances = true
env = { A = [] }
[apps.all]
script = "b.js"
depends_on = ["web", "db"]
[apps.api
"#;
    let said = said(text);
    let places: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        places,
        ["2:16", "4:1", "5:13", "6:9", "7:7", "10:10"],
        "{said}"
    );
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_mark() {
    let text = "[apps.web]\nscript = \"app.js\"\ninstanses = 2 # two\nargs = { a = 1 }\n";
    let file = ConfigFile::parse(PATH, text);
    let plain = Style {
        colour: false,
        columns: 80,
    };
    let shown: Vec<String> = file
        .problems()
        .iter()
        .map(|problem| render("rota.toml", text, problem, plain))
        .collect();
    assert_eq!(
        shown,
        [
            "\
error: unknown key `instanses`
 --> rota.toml:3:1
  |
3 | instanses = 2 # two
  | ^^^^^^^^^ not a setting of an app
  |
  = help: did you mean `instances`?",
            "\
error: `args` is a list of text such as [\"--verbose\"], or a text
 --> rota.toml:4:8
  |
4 | args = { a = 1 }
  |        ^^^^^^^^^ this is a table
  |
  = help: for example `args = [\"--verbose\"]`"
        ]
    );
    let coloured = Style {
        colour: true,
        columns: 80,
    };
    let shown = render("rota.toml", text, &file.problems()[0], coloured);
    assert!(shown.contains("\u{1b}[") && shown.contains("instanses"));
}

#[test]
fn a_circle_is_shown_with_all_its_places() {
    let text = "[apps.a]\nscript = \"a.js\"\ndepends_on = [\"b\"]\n[apps.b]\nscript = \"b.js\"\ndepends_on = [\"a\"]\n";
    let file = ConfigFile::parse(PATH, text);
    let plain = Style {
        colour: false,
        columns: 80,
    };
    let shown = render("rota.toml", text, &file.problems()[0], plain);
    for line in [
        "apps wait for each other: a → b → a",
        "^^^ begins here",
        "--- `b` waits for `a`",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let text = "[apps.web]\nscript = \"a.js\"\n\"in\u{9b}st\\u001B[2Jx\" = 1\n\"\\u0007\" = { }\n";
    let file = ConfigFile::parse("/x\u{1b}y", text);
    for problem in file.problems() {
        let shown = render(
            "x\u{1b}y",
            text,
            problem,
            Style {
                colour: false,
                columns: 80,
            },
        );
        assert!(
            !shown.contains(|c: char| c.is_control() && c != '\n'),
            "{shown:?}"
        );
    }
}
