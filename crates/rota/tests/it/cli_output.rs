//! What is printed: help, tables on terminals and pipes, logs.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::support::{Foreground, Home, app_path, eventually, get, run};

const VERBS: [&str; 15] = [
    "run", "start", "stop", "restart", "reload", "scale", "delete", "list", "describe", "logs",
    "signal", "ping", "kill", "version", "help",
];

#[test]
fn every_verb_has_help_with_examples() {
    let home = Home::new();
    let all = home.rota(&["--help"]).ok();
    for verb in VERBS {
        assert!(all.out.contains(verb), "{verb} is not in the overview");
        if verb != "help" {
            home.rota(&[verb, "--help"])
                .ok()
                .says("examples")
                .says(&format!("rota {verb}"));
        }
    }
    assert!(home.processes().is_empty(), "help starts no daemon");
}

#[test]
fn every_flag_of_start_is_in_its_help() {
    let home = Home::new();
    for verb in ["start", "run"] {
        let help = home.rota(&[verb, "--help"]).ok();
        for flag in [
            "--name",
            "--instances",
            "--cwd",
            "--env",
            "--interpreter",
            "--node-args",
            "--balance",
            "--wait-ready",
            "--listen-timeout",
            "--kill-timeout",
            "--drain-timeout",
            "--stop-signal",
            "--max-restarts",
            "--restart-delay",
            "--no-autorestart",
            "--stop-exit-codes",
            "--listen",
            "--probe",
            "--observe",
            "--fork",
        ] {
            assert!(
                help.out.contains(flag),
                "{flag} is not in the help of {verb}"
            );
        }
    }
}

#[test]
fn piped_output_is_plain_and_a_closed_pipe_ends_quietly() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    for args in [
        &["list"][..],
        &["describe", "app"],
        &["logs", "app", "--lines", "5"],
        &["reload", "app"],
    ] {
        let output = home.rota(args).ok();
        assert!(
            !output.out.contains('\x1b') && !output.err.contains('\x1b'),
            "escapes in a pipe:\n{output}"
        );
    }
    let rota = env!("CARGO_BIN_EXE_rota");
    let script =
        format!("{rota} list | head -n 1; {rota} list --json | true; {rota} list >&-; true");
    let output = run(home.program("bash").args(["-c", &script])).ok();
    assert!(!output.err.to_lowercase().contains("panic"), "{output}");
}

#[test]
fn tables_fit_narrow_terminals_and_no_color_is_obeyed() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    let coloured = on_terminal(&mut home.command(&["list"]), 200);
    assert!(
        coloured.contains("\x1b["),
        "colour on a terminal:\n{coloured}"
    );
    assert!(coloured.contains("online"));
    let plain = on_terminal(home.command(&["list"]).env("NO_COLOR", "1"), 200);
    assert!(
        !plain.contains("\x1b[3"),
        "no colour with NO_COLOR:\n{plain}"
    );
    for width in [120, 80, 60, 40] {
        let narrow = on_terminal(home.command(&["list"]).env("NO_COLOR", "1"), width);
        for line in narrow.lines() {
            let columns = line.trim_end().chars().count();
            assert!(
                columns <= usize::from(width),
                "{columns} columns on {width}:\n{narrow}"
            );
        }
        assert!(
            narrow.contains("app"),
            "the name is always there:\n{narrow}"
        );
    }
}

/// What a command writes to a terminal of this width.
fn on_terminal(command: &mut Command, width: u16) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = rustix::termios::Winsize {
        ws_row: 50,
        ws_col: width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let other = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let side = || Stdio::from(OwnedFd::from(other.try_clone().unwrap()));
    command.env("TERM", "xterm-256color").env_remove("COLUMNS");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(side())
        .stderr(side())
        .spawn()
        .unwrap();
    // The terminal ends for the reader when the last other side of it is closed, the command's copies too.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let reader = std::thread::spawn(move || {
        let (mut file, mut text, mut buffer) =
            (std::fs::File::from(terminal), Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            text.extend(&buffer[..count]);
        }
        String::from_utf8_lossy(&text).replace("\r\n", "\n")
    });
    assert!(child.wait().unwrap().success());
    drop(other);
    reader.join().unwrap()
}

#[test]
fn a_reload_tells_its_steps() {
    let home = Home::new();
    home.start("http.js", &["-i", "3"]);
    let output = home.rota(&["reload", "app"]).ok();
    let all = format!("{}{}", output.out, output.err);
    for step in ["1/3", "2/3", "3/3"] {
        assert!(
            all.contains(step),
            "step {step} of the rollout is not told:\n{output}"
        );
    }
    let pid = home.app("app").pids()[0].to_string();
    assert!(
        all.contains(&pid),
        "the new worker's pid {pid} is not told:\n{output}"
    );
}

#[test]
fn logs_show_the_last_lines_of_each_stream() {
    let home = Home::new();
    let started = home.start("noisy.js", &["--env", "LINES=50"]);
    get(started.port, "/");
    eventually("the last line is in the logs", || {
        home.rota(&["logs", "app", "--lines", "3"])
            .ok()
            .out
            .contains("err 49")
            .then_some(())
    });
    let both = home.rota(&["logs", "app", "--lines", "3"]).ok();
    for wanted in ["out 47", "out 49", "err 47", "err 49"] {
        assert!(both.out.contains(wanted), "{wanted}:\n{both}");
    }
    assert!(!both.out.contains("out 46"), "{both}");
    let err = home.rota(&["logs", "app", "--lines", "2", "--err"]).ok();
    assert!(
        err.out.contains("err 49") && !err.out.contains("out 4"),
        "{err}"
    );
    let out = home.rota(&["logs", "app", "--lines", "2", "--out"]).ok();
    assert!(
        out.out.contains("out 49") && !out.out.contains("err 4"),
        "{out}"
    );
}

#[test]
fn logs_follow_several_apps_with_their_names_in_front() {
    let home = Home::new();
    let http = app_path("http.js").display().to_string();
    for name in ["first", "second"] {
        home.rota(&["start", &http, "--name", name, "--observe", "0"])
            .ok();
    }
    let mut follow = Foreground::start(
        &mut home.command(&["logs", "first", "second", "--follow", "--lines", "5"]),
    );
    for name in ["first", "second"] {
        follow.until_says("up");
        let port = home.app(name).port().unwrap();
        let mark = format!("mark-of-{name}");
        // Asked for again until it is seen: the subscription may begin after the first of them.
        let line = eventually("the line is followed", || {
            get(port, &format!("/print?out={mark}"));
            follow.try_says(&mark)
        });
        assert!(
            line.find(name).unwrap() < line.find(&mark).unwrap(),
            "the name is in front: {line}"
        );
    }
    // Not SIGINT: whoever runs the tests in the background of a shell has them ignore it.
    follow.signal(rustix::process::Signal::TERM);
    follow.wait();
}
