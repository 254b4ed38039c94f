//! What is wrong: each says app, field, value, and what to do.

use serde_json::{Value as Json, json};

use super::{app, read};

fn told(value: Json) -> Vec<String> {
    let mistakes = read(value, None).unwrap_err();
    mistakes
        .iter()
        .map(|mistake| match &mistake.help {
            Some(help) => format!("{mistake} | {help}"),
            None => mistake.to_string(),
        })
        .collect()
}

#[test]
#[rustfmt::skip] // a table
fn every_mistake_of_a_field() {
    let milliseconds = "write milliseconds (5000), or a text with d, h, m, s or ms (\"5s\")";
    for (fields, expected) in [
        (json!({"script": null}), "web: the app has no script | add script: \"app.js\"".to_owned()),
        (json!({"script": " "}), "web: `script` is \" \": it is empty | write a text".into()),
        (json!({"script": ["a"]}), "web: `script` is [\"a\"]: it must be text | write a text".into()),
        (json!({"script": "a\u{0}b"}), "web: `script` is \"a\\u0000b\": there is a zero byte in it | write a text".into()),
        (json!({"cwd": ""}), "web: `cwd` is \"\": it is empty | write a text".into()),
        (json!({"name": "all"}), "all: `name`: `all` cannot be the name of an app: `all` means every app | give it another name: name: \"web\"".into()),
        (json!({"name": 7}), "app: `name`: `7` cannot be the name of an app: numbers are ids of workers | give it another name: name: \"web\"".into()),
        (json!({"args": {"a": 1}}), "web: `args` is {\"a\":1}: it must be text | write list of texts, or one text that is split at blanks".into()),
        (json!({"args": "'a"}), "web: `args` is \"'a\": a quote is not closed | write a list instead".into()),
        (json!({"interpreter": "node@18.2.0"}), "web: `interpreter` is \"node@18.2.0\": rota installs no versions of Node | install it (`nvm install 18.2.0`), and name its path: ~/.nvm/versions/node/v18.2.0/bin/node".into()),
        (json!({"exec_mode": "threads"}), "web: `exec_mode` is \"threads\": there is no such mode | write \"cluster\" or \"fork\"".into()),
        (json!({"instances": "many"}), "web: `instances` is \"many\": it is not a number of workers | write a number up to 1024, \"max\", or -1 for one less than there are processors".into()),
        (json!({"instances": 1.5}), "web: `instances` is 1.5: it is not a number of workers | write a number up to 1024, \"max\", or -1 for one less than there are processors".into()),
        (json!({"env": "A=secret"}), "web: `env`: it must be a table of variables | write { NAME: \"value\" }".into()),
        (json!({"env": {"A=B": "secret"}}), "web: `env`: the name of a variable cannot be empty, nor have `=` in it | write { NAME: \"value\" }".into()),
        (json!({"env_production": ["secret"]}), "web: `env_production`: it must be a table of variables | write { NAME: \"value\" }".into()),
        (json!({"env_test": {"A": "\u{0}secret"}}), "web: `env_test`: there is a zero byte in the variable A".into()),
        (json!({"script": "serve", "env": {"PM2_SERVE_PATH": "."}}), "web: `script`: PM2's own server of files is no script here | `rota serve FOLDER PORT` serves files as an app of its own; leave this one out of the file".into()),
        (json!({"port": 70000}), "web: `port` is 70000: it is no port | write a number up to 65535".into()),
        (json!({"port": "http"}), "web: `port` is \"http\": it must be a whole number, 0 or more | write a number".into()),
        (json!({"instance_var": "A=B"}), "web: `instance_var` is \"A=B\": it is no name of a variable | write a text".into()),
        (json!({"out_file": 1, "error_file": {}}), "web: `error_file` is {}: it must be text | write a text".into()),
        (json!({"log_type": "xml"}), "web: `log_type` is \"xml\": there is no such type | write \"json\", or leave it out".into()),
        (json!({"autorestart": "maybe"}), "web: `autorestart` is \"maybe\": it must be true or false | write true, false".into()),
        (json!({"stop_exit_codes": [256]}), "web: `stop_exit_codes` is [256]: an exit code is a number from 0 to 255 | write [0, 143]".into()),
        (json!({"min_uptime": "soon"}), format!("web: `min_uptime` is \"soon\": it is not a time of at most a year | {milliseconds}")),
        (json!({"kill_timeout": -1}), format!("web: `kill_timeout` is -1: it is not a time of at most a year | {milliseconds}")),
        (json!({"listenTimeout": true}), "web: `listenTimeout` is true: it must be a time | write milliseconds, such as 5000".into()),
        (json!({"max_restarts": -1}), "web: `max_restarts` is -1: it must be a whole number, 0 or more | write a number".into()),
        (json!({"max_memory_restart": "much"}), "web: `max_memory_restart` is \"much\": it is not a size | write bytes, or a text with K, M or G (\"300M\")".into()),
        (json!({"cron_restart": "daily"}), "web: `cron_restart` is \"daily\": it is no schedule of five or six fields | write it as in crontab: \"0 3 * * *\" is every night at three; 0 turns it off".into()),
        (json!({"watch": 3}), "web: `watch` is 3: it must be true or false | write true, false, or list of texts".into()),
        (json!({"watch_options": 3}), "web: `watch_options` is 3: it must be a table of options | write table".into()),
        (json!({"uid": "a:b"}), "web: `uid` is \"a:b\": it is no name or number of a user or group | write name or number".into()),
    ] {
        let mut app = json!({"name": "web", "script": "app.js"});
        for (key, value) in fields.as_object().unwrap() {
            app[key] = value.clone();
        }
        let told = told(json!([app]));
        assert_eq!(told, [expected], "{fields}");
        assert!(!told[0].contains("secret"), "{told:?}");
    }
}

#[test]
fn all_mistakes_at_once_and_of_the_file() {
    let both =
        told(json!({"apps": [{"script": "a.js", "port": "x", "watch": 7}, 3, {"name": "b"}]}));
    assert_eq!(both.len(), 4, "{both:#?}");
    assert!(both[2].starts_with("apps[1]: it is not the table of an app"));
    let twice = told(json!([{"script": "a.js"}, {"script": "b/a.js"}]));
    assert!(
        twice[0].starts_with("a: `name`: there are two apps of that name"),
        "{twice:?}"
    );
    for value in [
        json!(null),
        json!({}),
        json!([]),
        json!({"apps": []}),
        json!({"deploy": {}}),
    ] {
        assert!(told(value)[0].starts_with("the file names no app |"));
    }
    assert!(told(json!("x"))[0].starts_with("it is no table of apps |"));
}

#[test]
fn what_is_unknown_is_a_warning() {
    for (fields, warning) in [
        (
            json!({"instanses": 2}),
            "web: unknown field `instanses` is left out; did you mean `instances`?",
        ),
        (
            json!({"maxMemoryRestrat": 2}),
            "web: unknown field `maxMemoryRestrat` is left out; did you mean `max_memory_restart`?",
        ),
        (
            json!({"colour": "red"}),
            "web: unknown field `colour` is left out",
        ),
        (
            json!({"exec": "b.js"}),
            "web: `script` and `exec` are the same; `script` counts",
        ),
        (
            json!({"name": "a/b"}),
            "a-b: the app is called a-b here: names of apps have no `/`, `:` or `,`",
        ),
        (
            json!({"env_file": ".env"}),
            "web: `env_file` is no field of PM2, and is left out; in rota.toml it is one",
        ),
        (
            json!({"exec_mode": "cluster", "script": "npm"}),
            "web: `exec_mode: cluster` is for scripts that Node runs itself: npm runs in fork mode",
        ),
        (
            json!({"log_file": true}),
            "web: `log_file: true` names no file: give it a path to have both streams in one file",
        ),
        (
            json!({"watch": true, "ignore_watch": "a\\d+"}),
            "web: `ignore_watch`: the regular expression a\\d+ is left out; write a pattern as in .gitignore",
        ),
        (
            json!({"watch": true, "watch_options": {"depth": 2}}),
            "without a meaning here, and left out: `watch_options.depth` (web); docs/pm2-files.md says why",
        ),
    ] {
        let (_, taken) = app(fields, None);
        assert_eq!(taken.warnings, [warning]);
    }
}
