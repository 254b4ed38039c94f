//! What apps write: where it goes, what is kept, and how it is looked at.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, another_supervisor, app_path, eventually, living, signal};

fn log(home: &Home, name: &str) -> PathBuf {
    home.rota_home().join("logs").join(name)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Starts a line of shell as `app`, not waiting longer than it must.
fn start(home: &Home, shell: &str, flags: &[&str]) {
    let mut args = vec!["start", shell, "--name", "app", "--observe", "0"];
    args.extend(flags);
    home.rota(&args).ok();
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Waits until `rota logs` shows something.
fn until_logged(home: &Home, wanted: &str) {
    eventually("it is logged", || {
        let shown = home.rota(&["logs", "app", "--lines", "100"]).ok();
        shown.out.contains(wanted).then_some(())
    });
}

/// How many blocks of a thousand lines the worker writes.
fn blocks() -> usize {
    std::env::var("ROTA_LOG_BLOCKS")
        .ok()
        .map_or(100, |number| number.parse().unwrap())
}

/// How much of one look may be there twice after a death.
const TWICE: usize = 128 * 1024;

#[test]
fn no_line_is_lost_or_torn_when_supervisors_are_killed_while_files_are_put_aside() {
    let home = Home::new();
    // `seq` writes blocks that end anywhere in a line.
    let blocks = blocks();
    let shell = format!(
        "i=0; while [ $i -lt {blocks} ]; do seq -f 'line %.0f of many words' $((i*1000)) $((i*1000+999)); \
         sleep 0.05; i=$((i+1)); done; echo the end; exec sleep 1000"
    );
    let flags = ["--rotate-size", "100K", "--rotate-keep", "1000"];
    start(&home, &shell, &flags);
    let mut kills = 0;
    let active = log(&home, "app-out-0.log");
    while !text(&active).contains("the end") {
        let supervisors = living(&home).supervisors;
        if let [supervisor] = supervisors[..] {
            signal(supervisor, Signal::KILL);
            another_supervisor(&home, supervisor);
            kills += 1;
        }
        // The next one dies at its work, too.
        let before = text(&active);
        eventually("the next one writes", || {
            let now = text(&active);
            (now != before || now.contains("the end")).then_some(())
        });
    }
    assert!(kills > 3, "{kills}");
    // Some are there twice.
    let all = (blocks * 2000).to_string();
    let shown = home.rota(&["logs", "app", "--lines", &all, "--raw", "--out"]);
    let shown = shown.ok().out;
    let mut seen: HashMap<usize, usize> = HashMap::new();
    for line in shown.lines().filter(|line| *line != "the end") {
        let number = line
            .strip_prefix("line ")
            .and_then(|rest| rest.strip_suffix(" of many words"));
        let number = number.and_then(|number| number.parse().ok());
        *seen
            .entry(number.unwrap_or_else(|| panic!("torn: {line:?}")))
            .or_default() += 1;
    }
    let missing = (0..blocks * 1000).filter(|number| !seen.contains_key(number));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<usize>::new());
    let twice: usize = seen.values().map(|count| count - 1).sum();
    let most = kills * TWICE / "line 1 of many words\n".len();
    assert!(twice <= most, "{twice} lines twice after {kills} deaths");
    let folder = fs::read_dir(home.rota_home().join("logs")).unwrap();
    let files = folder.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("app-out-0.log.")
    });
    assert!(files.count() > 10);
}

#[test]
fn lines_say_when_and_by_whom_they_were_written() {
    let home = Home::new();
    start(&home, "echo first; echo oops >&2; exec sleep 1000", &[]);
    until_logged(&home, "oops");
    home.rota(&["reload", "app", "--env", "A=1"]).ok();
    let lines = eventually("the second worker has spoken", || {
        let shown = home.rota(&["logs", "app", "--json", "--out"]).ok();
        let lines = json_lines(&shown.out);
        (lines.len() == 2).then_some(lines)
    });
    assert_eq!(lines[0]["generation"], 1);
    assert_eq!(lines[1]["generation"], 2);
    assert_ne!(lines[0]["worker"], lines[1]["worker"]);
    assert!(lines[0]["time"].as_u64() < lines[1]["time"].as_u64());
    let raw = |args: &[&str]| {
        let mut all = vec!["logs", "app", "--raw"];
        all.extend(args);
        home.rota(&all).ok().out
    };
    assert_eq!(raw(&["--since", "1h", "--out"]), "first\nfirst\n");
    assert_eq!(raw(&["--since", "1h", "--grep", "^o+ps$"]), "oops\noops\n");
    assert_eq!(raw(&["--until", "1h"]), "");
    assert_eq!(raw(&["--since", "2100-01-01"]), "");
    home.rota(&["logs", "--grep", "("]).fails(2);
}

#[test]
fn files_forms_and_merging_as_the_flags_say() {
    let home = Home::new();
    let all = home.path().join("all.log");
    let out = home.path().join("out-{slot}.log");
    start(
        &home,
        "echo hello; echo oops >&2; exec sleep 1000",
        &[
            "-i",
            "2",
            "--log-format",
            "json",
            "--merge-logs",
            "--log",
            all.to_str().unwrap(),
            "--output",
            out.to_str().unwrap(),
        ],
    );
    eventually("all four lines are there", || {
        (text(&all).lines().count() == 4).then_some(())
    });
    for object in json_lines(&text(&all)) {
        assert_eq!(object["app"], "app");
        assert!(object["time"].as_str().unwrap().ends_with('Z'));
        let expected = if object["stream"] == "err" {
            "oops"
        } else {
            "hello"
        };
        assert_eq!(object["text"], expected);
    }
    for slot in 0..2 {
        let own = json_lines(&text(&home.path().join(format!("out-{slot}.log"))));
        assert_eq!(own.len(), 1);
        assert_eq!(own[0]["slot"], slot);
    }
    assert_eq!(text(&log(&home, "app-error.log")).lines().count(), 2);
    // Read back from where they are.
    let shown = home.rota(&["logs", "app:1", "--raw"]).ok().out;
    assert_eq!(shown, "hello\noops\n");
    let described = home.rota(&["describe", "app"]).ok();
    described
        .says("out-{slot}.log")
        .says("JSON, rotated at 20M");
    home.rota(&["flush", "app"]).ok().says("4 logs emptied");
    assert_eq!(text(&log(&home, "app-error.log")) + &text(&all), "");
    assert_eq!(home.rota(&["logs", "app", "--raw"]).ok().out, "");
}

/// What `rota logs` knows of the lines of the app.
fn shown(home: &Home, flags: &[&str]) -> Vec<(String, Value)> {
    let mut args = vec!["logs", "app", "--json"];
    args.extend(flags);
    let lines = json_lines(&home.rota(&args).ok().out).into_iter();
    let known = |line: Value| {
        let text = line["text"].as_str().unwrap().to_owned();
        (text, line["stream"].clone())
    };
    let mut lines: Vec<_> = lines.map(known).collect();
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines
}

#[test]
fn a_file_of_both_streams_is_read_back_and_emptied() {
    let line = |text: &str, stream: Value| (text.to_owned(), stream);
    let told = [line("hello", "out".into()), line("oops", "err".into())];
    let untold = [line("hello", Value::Null), line("oops", Value::Null)];
    let shell = "echo hello; echo oops >&2; exec sleep 1000";
    let ready = |path: &Path| {
        eventually("both lines are there", || {
            (text(path).lines().count() == 2).then_some(())
        });
    };

    // Besides the others: each line is shown once, from where most is known of it.
    let home = Home::new();
    let path = home.path().join("all.log");
    start(&home, shell, &["--log", path.to_str().unwrap()]);
    ready(&path);
    assert_eq!(shown(&home, &[]), told);
    for stream in ["out", "error"] {
        fs::remove_file(log(&home, &format!("app-{stream}-0.log"))).unwrap();
    }
    assert_eq!(shown(&home, &[]), untold);
    home.rota(&["flush", "app"]).ok().says("1 logs emptied");
    assert_eq!(text(&path), "");
    assert!(shown(&home, &[]).is_empty());

    // The only file.
    for (flags, expected, errors) in [
        (["--log-format", "plain"], &untold, &untold[..]),
        (["--log-format", "json"], &told, &told[1..]),
    ] {
        let home = Home::new();
        let path = home.path().join("all.log");
        let file = path.to_str().unwrap();
        let nowhere = "/dev/null";
        let same = ["--output", file, "--error", file];
        let joined = ["--output", nowhere, "--error", nowhere, "--log", file];
        for places in [&same[..], &joined[..]] {
            let flags = [&flags[..], places].concat();
            start(&home, shell, &flags);
            ready(&path);
            assert_eq!(shown(&home, &[]), *expected, "{flags:?}");
            assert_eq!(shown(&home, &["--err"]), errors, "{flags:?}");
            home.rota(&["flush", "app"]).ok().says("1 logs emptied");
            assert!(shown(&home, &[]).is_empty(), "{flags:?}");
            home.rota(&["delete", "app"]).ok();
        }
    }
}

#[test]
fn the_keys_of_a_file_reach_the_logs() {
    let home = Home::new();
    let file = home.write(
        "rota.toml",
        "[apps.app]\nscript = \"echo hello; exec sleep 1000\"\noutput = \"logs/out.log\"\n\
         log_time = \"<%Y>\"\nrotate_every = \"daily\"\nrotate_size = 0\nobserve = 0\n",
    );
    home.rota(&["start", &file]).ok();
    let path = Path::new(&file).with_file_name("logs/out.log");
    let line = eventually("it is written", || {
        Some(text(&path)).filter(|text| text.ends_with('\n'))
    });
    assert!(
        line.starts_with("<20") && line.ends_with("> hello\n"),
        "{line}"
    );
    let shown = home.rota(&["config", "show", "app"]).ok().out;
    assert!(
        shown.contains("log_time") && shown.contains("daily"),
        "{shown}"
    );
}

#[test]
fn without_files_only_followers_see_it() {
    let home = Home::new();
    start(&home, "echo hello; exec sleep 1000", &["--no-logs"]);
    assert!(!log(&home, "app-out-0.log").exists());
}

#[test]
fn files_are_opened_anew_by_a_command() {
    let home = Home::new();
    start(
        &home,
        "while :; do echo tick; sleep 0.05; done",
        &["--rotate-size", "0"],
    );
    until_logged(&home, "tick");
    let path = log(&home, "app-out-0.log");
    fs::rename(&path, path.with_extension("old")).unwrap();
    home.rota(&["reload-logs"]).ok();
    eventually("there is a new one", || path.exists().then_some(()));
}

#[test]
fn run_shows_objects_prefixes_or_lines_as_they_are() {
    for (form, shown) in [
        ("json", "\"text\":\"up "),
        ("prefix", "app:0 | up "),
        ("raw", "up "),
    ] {
        let home = Home::new();
        let mut run = home.run(&[
            &app_path("http.js").display().to_string(),
            "--name",
            "app",
            "--observe",
            "0",
            "--log-format",
            form,
        ]);
        let line = run.until_says("up");
        assert!(line.contains(shown), "{form}: {line}");
        assert_eq!(line.starts_with("up "), form == "raw", "{line}");
        if form == "json" {
            assert_eq!(json_lines(&line)[0]["app"], "app");
        }
        run.signal(Signal::TERM);
        run.wait();
    }
}
